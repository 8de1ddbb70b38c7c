import Sessions

/// hba method `password`: the client sends its password as it is, which is checked against either kind of secret.
///
/// Every check costs one PBKDF2 (a SCRAM verifier's iterations, or the mock's), also for users with an md5 hash and for
/// unknown ones, so that the time to a refusal does not tell them apart. It runs on a lane. The identity carries the
/// password itself, which answers every method of a server.
struct CleartextPasswordProvider: AuthProvider {
    static let hbaMethods = ["password"]
    static let name = PasswordProviders.name
    private let services: AuthServices

    var lane: BlockingLane? { self.services.lanes.lane(of: Self.name) }

    init(options: MethodOptions, services: AuthServices) throws(AuthConfigurationError) {
        try options.allowOnly()
        self.services = services
    }

    func authenticate(
        _ attempt: LoginAttempt,
        over dialogue: some ClientDialogue
    ) async throws(AuthFailure) -> AuthenticatedIdentity {
        let subject = PasswordSubject(try await self.services.lookUp(attempt), attempt: attempt)
        let password = try await dialogue.requestCleartextPassword()
        guard !password.isEmpty else {
            throw .wrongPassword(of: attempt, reason: .passwordWrong, log: "empty password")
        }
        if try await self.check(password, of: subject) { return subject.identity(.cleartext(password)) }
        // The secret may be out of date, and a user unknown a moment ago may exist by now.
        let renewed = subject.renewed(await self.services.lookUpAfresh(subject))
        if let renewed, try await self.check(password, of: renewed) {
            return renewed.identity(.cleartext(password))
        }
        throw (renewed ?? subject).refusal(isSecretUsable: true)
    }

    /// Computes for milliseconds and more, which the other clients of the worker would wait for: on the lane, for all
    /// users alike, those included whom no source knows.
    private func check(_ password: SecretBytes, of subject: PasswordSubject) async throws(AuthFailure) -> Bool {
        let mock = self.services.mock.verifier(user: subject.attempt.user)
        return try await self.services.lanes.run(Self.name, for: .computing) {
            Self.accepts(password, of: subject, mock: mock)
        }
    }

    private static func accepts(_ password: SecretBytes, of subject: PasswordSubject, mock: SCRAMVerifier) -> Bool {
        switch subject.secret?.kind {
        case .scram(let verifier):
            return verifier.accepts(password: password)
        case .md5(let hash):
            _ = mock.accepts(password: password)
            return MD5Password.hash(password: password, user: subject.attempt.user) == hash
        case .empty, nil:
            _ = mock.accepts(password: password)
            return false
        }
    }
}
