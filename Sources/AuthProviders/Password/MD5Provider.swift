import Sessions

/// hba method `md5`: whatever password exchange fits the stored secret, as in PostgreSQL since version 10.
///
/// A SCRAM verifier is checked by SCRAM, an md5 hash by the md5 challenge; for unknown users and empty secrets
/// `AuthServices.unknownUserExchange` says which of the two is played to its failing end.
struct MD5Provider: AuthProvider {
    static let hbaMethods = ["md5"]
    private let services: AuthServices

    init(options: MethodOptions, services: AuthServices) throws(AuthConfigurationError) {
        try options.allowOnly()
        self.services = services
    }

    func authenticate(
        _ attempt: LoginAttempt,
        over dialogue: some ClientDialogue
    ) async throws(AuthFailure) -> AuthenticatedIdentity {
        let subject = PasswordSubject(try await self.services.lookUp(attempt), attempt: attempt)
        let isSCRAM: Bool
        switch subject.secret?.kind {
        case .md5: isSCRAM = false
        case .scram: isSCRAM = true
        case .empty, nil: isSCRAM = self.services.unknownUserExchange == .scramSHA256
        }
        if isSCRAM {
            return try await SCRAMExchange(subject: subject, services: self.services).run(over: dialogue)
        }
        return try await MD5Exchange(subject: subject, services: self.services).run(over: dialogue)
    }
}
