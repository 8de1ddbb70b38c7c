import Sessions

/// One md5 challenge, real or mock. A value of one login.
///
/// A proof against a secret that is out of date is checked once more, against the secret as its keeper has it now: the
/// challenge does not depend on the secret, so the client notices nothing of its new password being new here. The same
/// is done after the mock exchange of a user whom no source knows, who may have come into being a moment ago.
struct MD5Exchange: LoginExchange {
    private let subject: PasswordSubject
    private let services: AuthServices
    private let hash: SecretBytes?
    private let mock: SecretBytes
    private let salt: [UInt8]
    /// The client's answer, while a fresh secret is waited for.
    private var response: SecretBytes?

    init(subject: PasswordSubject, services: AuthServices) {
        self.hash = Self.hash(of: subject)
        self.mock = services.mock.md5Hash(user: subject.attempt.user)
        self.subject = subject
        self.services = services
        self.salt = services.randomBytes(MD5Password.saltLength)
    }

    private static func hash(of subject: PasswordSubject) -> SecretBytes? {
        if case .md5(let hash) = subject.secret?.kind { hash } else { nil }
    }

    mutating func start() throws(AuthFailure) -> LoginStep {
        .ask(.md5Password(salt: self.salt))
    }

    mutating func receive(_ answer: LoginAnswer) throws(AuthFailure) -> LoginStep {
        switch (answer, self.response) {
        case (.password(let response), nil):
            if let hash = self.proven(response, by: self.hash) {
                return .admit(self.subject.identity(.md5Hash(hash)), saslFinal: nil)
            }
            self.response = response
            return .wait { [services, subject] in .secret(await services.lookUpAfresh(subject)) }
        case (.secret(let answer), let response?):
            return try self.finish(answer, response)
        default:
            throw .answerOutOfOrder
        }
    }

    private func finish(_ answer: SecretLookup?, _ response: SecretBytes) throws(AuthFailure) -> LoginStep {
        let renewed = self.subject.renewed(answer)
        let subject = renewed ?? self.subject
        let hash = Self.hash(of: subject)
        guard let renewed, let proven = self.proven(response, by: hash) else {
            throw subject.refusal(isSecretUsable: hash != nil)
        }
        return .admit(renewed.identity(.md5Hash(proven)), saslFinal: nil)
    }

    /// The hash, if the response proves knowledge of it. Takes as long when there is none.
    private func proven(_ response: SecretBytes, by hash: SecretBytes?) -> SecretBytes? {
        let isRight = MD5Password.verify(response: response, hash: hash ?? self.mock, salt: self.salt)
        return isRight ? hash : nil
    }
}
