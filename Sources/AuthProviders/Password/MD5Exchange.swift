import Sessions

/// One md5 challenge over a dialogue, real or mock. A value of one login.
struct MD5Exchange {
    private let subject: PasswordSubject
    private let isMock: Bool
    private let hash: SecretBytes
    private let salt: [UInt8]

    init(subject: PasswordSubject, services: AuthServices) {
        let mock = services.mock.md5Hash(user: subject.attempt.user)
        if case .md5(let hash) = subject.secret?.kind {
            self.hash = hash
            self.isMock = false
        } else {
            self.hash = mock
            self.isMock = true
        }
        self.subject = subject
        self.salt = services.randomBytes(MD5Password.saltLength)
    }

    func run(over dialogue: some ClientDialogue) async throws(AuthFailure) -> AuthenticatedIdentity {
        let response = try await dialogue.requestMD5Password(salt: self.salt)
        let isRight = MD5Password.verify(response: response, hash: self.hash, salt: self.salt)
        guard isRight, !self.isMock else { throw self.subject.refusal(isSecretUsable: !self.isMock) }
        return self.subject.identity(.md5Hash(self.hash))
    }
}
