public import Sessions

/// How a login begins at a provider that has nothing to wait for but the client at first.
public enum LoginOpening: Sendable {
    /// Nothing has to be asked.
    case admitted(AuthenticatedIdentity)
    /// The client is asked.
    case exchange(any LoginExchange)
}

/// One login as a machine: questions to the client out, its answers in, no I/O, and no waiting of its own. A value of
/// one login.
///
/// After a throw, and after `.admit`, the exchange is over.
public protocol LoginExchange: Sendable {
    /// The first question.
    mutating func start() throws(AuthFailure) -> LoginStep

    /// Takes the answer to the last question.
    mutating func receive(_ answer: LoginAnswer) throws(AuthFailure) -> LoginStep
}

/// What an exchange wants next.
public enum LoginStep: Sendable {
    /// The client is asked; its answer is given to `receive`.
    case ask(LoginQuestion)
    /// Something other than the client has to be waited for; its answer is given to `receive`.
    case wait(@Sendable () async -> LoginAnswer)
    /// - Parameter saslFinal: data of the AuthenticationSASLFinal to send first; nil sends none.
    case admit(AuthenticatedIdentity, saslFinal: [UInt8]?)
}

/// An authentication request; the functions of `ClientDialogue` say what each means.
public enum LoginQuestion: Sendable {
    /// AuthenticationCleartextPassword.
    case cleartextPassword
    /// - Parameter salt: four unpredictable bytes.
    case md5Password(salt: [UInt8])
    /// AuthenticationSASL, with the mechanisms in order of preference.
    case sasl(mechanisms: [String])
    /// AuthenticationSASLContinue.
    case saslContinue([UInt8])
}

/// The client's answer to a question, without its framing.
public enum LoginAnswer: Sendable {
    /// To `.cleartextPassword` and `.md5Password`.
    case password(SecretBytes)
    /// To `.sasl`.
    case saslInitial(mechanism: String, data: [UInt8]?)
    /// To `.saslContinue`.
    case sasl([UInt8])
    /// To a wait for a fresh secret: `SecretSource.secretAfresh`.
    case secret(SecretLookup?)
}

extension LoginExchange {
    /// Plays the exchange over a dialogue, for providers that had to wait for something before it could begin.
    package mutating func run(over dialogue: some ClientDialogue) async throws(AuthFailure) -> AuthenticatedIdentity {
        var step = try self.start()
        while true {
            switch step {
            case .ask(let question):
                step = try self.receive(try await Self.ask(question, over: dialogue))
            case .wait(let body):
                step = try self.receive(await body())
            case .admit(let identity, let saslFinal):
                if let saslFinal { try await dialogue.finishSASL(saslFinal) }
                return identity
            }
        }
    }

    private static func ask(
        _ question: LoginQuestion,
        over dialogue: some ClientDialogue
    ) async throws(AuthFailure) -> LoginAnswer {
        switch question {
        case .cleartextPassword:
            return .password(try await dialogue.requestCleartextPassword())
        case .md5Password(let salt):
            return .password(try await dialogue.requestMD5Password(salt: salt))
        case .sasl(let mechanisms):
            let (mechanism, data) = try await dialogue.requestSASL(mechanisms: mechanisms)
            return .saslInitial(mechanism: mechanism, data: data)
        case .saslContinue(let challenge):
            return .sasl(try await dialogue.continueSASL(challenge))
        }
    }
}

extension AuthFailure {
    /// An exchange was given an answer to another question than the one it asked.
    static let answerOutOfOrder = AuthFailure.protocolViolation("answer out of order")
}
