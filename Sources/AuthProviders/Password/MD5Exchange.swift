import Sessions

/// One md5 challenge, real or mock. A value of one login.
struct MD5Exchange: LoginExchange {
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

    mutating func start() throws(AuthFailure) -> LoginStep {
        .ask(.md5Password(salt: self.salt))
    }

    mutating func receive(_ answer: LoginAnswer) throws(AuthFailure) -> LoginStep {
        guard case .password(let response) = answer else { throw .answerOutOfOrder }
        let isRight = MD5Password.verify(response: response, hash: self.hash, salt: self.salt)
        guard isRight, !self.isMock else { throw self.subject.refusal(isSecretUsable: !self.isMock) }
        return .admit(self.subject.identity(.md5Hash(self.hash)), saslFinal: nil)
    }
}
