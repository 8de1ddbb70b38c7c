import Sessions

/// hba method `md5`: whatever password exchange fits the stored secret, as in PostgreSQL since version 10.
///
/// A SCRAM verifier is checked by SCRAM, an md5 hash by the md5 challenge; for unknown users and empty secrets
/// `AuthServices.unknownUserExchange` says which of the two is played to its failing end.
struct MD5Provider: AuthProvider {
    static let hbaMethods = ["md5"]
    static let name = PasswordProviders.name
    private let services: AuthServices

    init(options: MethodOptions, services: AuthServices) throws(AuthConfigurationError) {
        try options.allowOnly()
        self.services = services
    }

    func begin(_ attempt: LoginAttempt) throws(AuthFailure) -> LoginOpening? {
        guard let found = try self.services.lookUpAtHand(attempt) else { return nil }
        let subject = PasswordSubject(found, attempt: attempt)
        if self.isSCRAM(subject) { return .exchange(SCRAMExchange(subject: subject, services: self.services)) }
        return .exchange(MD5Exchange(subject: subject, services: self.services))
    }

    func authenticate(
        _ attempt: LoginAttempt,
        over dialogue: some ClientDialogue
    ) async throws(AuthFailure) -> AuthenticatedIdentity {
        let subject = PasswordSubject(try await self.services.lookUp(attempt), attempt: attempt)
        if self.isSCRAM(subject) {
            var exchange = SCRAMExchange(subject: subject, services: self.services)
            return try await exchange.run(over: dialogue)
        }
        var exchange = MD5Exchange(subject: subject, services: self.services)
        return try await exchange.run(over: dialogue)
    }

    private func isSCRAM(_ subject: PasswordSubject) -> Bool {
        switch subject.secret?.kind {
        case .md5: false
        case .scram: true
        case .empty, nil: self.services.unknownUserExchange == .scramSHA256
        }
    }
}
