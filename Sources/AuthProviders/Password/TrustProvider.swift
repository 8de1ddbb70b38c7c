import Sessions

/// hba method `trust`: nothing is asked.
///
/// A user whom no secret source knows is refused or admitted as `AuthServices.unknownTrustedUser` says. An md5 hash
/// lets the gateway log in at the server; a SCRAM verifier does not, for only a client's proof holds the key.
struct TrustProvider: AuthProvider {
    static let hbaMethods = ["trust"]
    private let services: AuthServices

    init(options: MethodOptions, services: AuthServices) throws(AuthConfigurationError) {
        try options.allowOnly()
        self.services = services
    }

    func begin(_ attempt: LoginAttempt) throws(AuthFailure) -> LoginOpening? {
        guard let found = try self.services.lookUpAtHand(attempt) else { return nil }
        return .admitted(try self.admit(found, attempt))
    }

    func authenticate(
        _ attempt: LoginAttempt,
        over dialogue: some ClientDialogue
    ) async throws(AuthFailure) -> AuthenticatedIdentity {
        try self.admit(try await self.services.lookUp(attempt), attempt)
    }

    private func admit(
        _ found: FoundSecret?,
        _ attempt: LoginAttempt
    ) throws(AuthFailure) -> AuthenticatedIdentity {
        if found == nil, self.services.unknownTrustedUser == .refused {
            self.services.distrust(attempt)
            throw .wrongPassword(of: attempt, reason: .userUnknown, log: "no secret source knows the trusted user")
        }
        let credential: ServerCredential
        switch found?.secret.kind {
        case .md5(let hash): credential = .md5Hash(hash)
        case .empty, .scram, nil: credential = .none
        }
        return AuthenticatedIdentity(
            user: attempt.user,
            credential: credential,
            provider: PasswordProviders.name,
            method: attempt.rule.method,
            secretOrigin: found?.origin
        )
    }
}
