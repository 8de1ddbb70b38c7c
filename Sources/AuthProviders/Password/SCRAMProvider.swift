/// hba method `scram-sha-256`.
///
/// Users with an md5 hash, an empty secret or none at all go through the same exchange as the others and fail at its
/// end.
struct SCRAMProvider: AuthProvider {
    static let hbaMethods = ["scram-sha-256"]
    static let name = PasswordProviders.name
    private let services: AuthServices

    init(options: MethodOptions, services: AuthServices) throws(AuthConfigurationError) {
        try options.allowOnly()
        self.services = services
    }

    func begin(_ attempt: LoginAttempt) throws(AuthFailure) -> LoginOpening? {
        guard let found = try self.services.lookUpAtHand(attempt) else { return nil }
        return .exchange(SCRAMExchange(subject: PasswordSubject(found, attempt: attempt), services: self.services))
    }

    func authenticate(
        _ attempt: LoginAttempt,
        over dialogue: some ClientDialogue
    ) async throws(AuthFailure) -> AuthenticatedIdentity {
        let subject = PasswordSubject(try await self.services.lookUp(attempt), attempt: attempt)
        var exchange = SCRAMExchange(subject: subject, services: self.services)
        return try await exchange.run(over: dialogue)
    }
}
