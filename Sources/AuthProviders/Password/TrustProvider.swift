import Sessions

/// hba method `trust`: nothing is asked.
///
/// A user whom no secret source knows is refused or admitted as `AuthServices.unknownTrustedUser` says. An md5 hash
/// lets the gateway log in at the server; a SCRAM verifier does not, for only a client's proof holds the key.
struct TrustProvider: AuthProvider {
    static let hbaMethods = ["trust"]
    static let name = PasswordProviders.name
    private let services: AuthServices

    init(options: MethodOptions, services: AuthServices) throws(AuthConfigurationError) {
        try options.allowOnly()
        self.services = services
    }

    func begin(_ attempt: LoginAttempt) throws(AuthFailure) -> LoginOpening? {
        guard let found = try self.services.lookUpAtHand(attempt) else { return nil }
        return .admitted(try self.identity(attempt, found))
    }

    func authenticate(
        _ attempt: LoginAttempt,
        over dialogue: some ClientDialogue
    ) async throws(AuthFailure) -> AuthenticatedIdentity {
        try self.identity(attempt, try await self.services.lookUp(attempt))
    }

    private func identity(
        _ attempt: LoginAttempt,
        _ found: FoundSecret?
    ) throws(AuthFailure) -> AuthenticatedIdentity {
        try TrustedLogin.identity(
            of: attempt,
            found: found,
            provider: PasswordProviders.name,
            services: self.services
        )
    }
}

/// Logins that ask the client nothing.
enum TrustedLogin {
    /// The identity of a user whose proof was found elsewhere.
    static func identity(
        of attempt: LoginAttempt,
        found: FoundSecret?,
        provider: String,
        services: AuthServices
    ) throws(AuthFailure) -> AuthenticatedIdentity {
        if found == nil, services.unknownTrustedUser == .refused {
            services.distrust(attempt)
            throw .wrongPassword(of: attempt, reason: .userUnknown, log: "no secret source knows the user")
        }
        let credential: ServerCredential
        switch found?.secret.kind {
        case .md5(let hash): credential = .md5Hash(hash)
        case .empty, .scram, nil: credential = .none
        }
        return AuthenticatedIdentity(
            user: attempt.user,
            credential: credential,
            provider: provider,
            method: attempt.rule.method,
            secretOrigin: found?.origin
        )
    }
}
