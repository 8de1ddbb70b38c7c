import Sessions

/// One SCRAM-SHA-256 login, real or mock. A value of one login.
struct SCRAMExchange: LoginExchange {
    private let subject: PasswordSubject
    private let services: AuthServices
    private let isMock: Bool
    private var server: SCRAMServer
    /// The next answer is client-final-message.
    private var isChallenged = false
    /// The mechanism that the client has chosen.
    private var mechanism = SCRAMServer.mechanism

    /// Random bytes of a server nonce, as many as PostgreSQL takes.
    private static let nonceBytes = 18

    init(subject: PasswordSubject, services: AuthServices) {
        // The mock is made for everybody, so that its cost does not tell unknown users from known ones.
        let mock = services.mockVerifier(subject.attempt.user)
        let binding = subject.attempt.channelBinding
        let nonce = Base64.encode(services.randomBytes(Self.nonceBytes))
        if case .scram(let verifier) = subject.secret?.kind {
            self.isMock = false
            self.server = SCRAMServer(verifier: verifier, isMock: false, serverNonce: nonce, channelBinding: binding)
        } else {
            self.isMock = true
            self.server = SCRAMServer(verifier: mock, isMock: true, serverNonce: nonce, channelBinding: binding)
        }
        self.subject = subject
        self.services = services
    }

    mutating func start() throws(AuthFailure) -> LoginStep {
        .ask(.sasl(mechanisms: self.server.mechanisms))
    }

    mutating func receive(_ answer: LoginAnswer) throws(AuthFailure) -> LoginStep {
        switch answer {
        case .saslInitial(let mechanism, let data):
            guard self.server.mechanisms.contains(mechanism) else {
                throw .protocolViolation("client selected an invalid SASL authentication mechanism")
            }
            self.mechanism = mechanism
            // RFC 4422 section 3: a client without initial data gets an empty challenge.
            guard let data else { return .ask(.saslContinue([])) }
            return try self.challenge(data)
        case .sasl(let data):
            return self.isChallenged ? try self.finish(data) : try self.challenge(data)
        case .password, .secret:
            throw .answerOutOfOrder
        }
    }

    private mutating func challenge(_ first: [UInt8]) throws(AuthFailure) -> LoginStep {
        do throws(SCRAMFailure) {
            self.isChallenged = true
            return .ask(.saslContinue(try self.server.receiveFirst(first, mechanism: self.mechanism)))
        } catch {
            throw self.refusal(error)
        }
    }

    private mutating func finish(_ final: [UInt8]) throws(AuthFailure) -> LoginStep {
        do throws(SCRAMFailure) {
            let success = try self.server.receiveFinal(final)
            return .admit(self.subject.identity(.scramKeys(success.keys)), saslFinal: success.serverFinal)
        } catch {
            throw self.refusal(error)
        }
    }

    private func refusal(_ failure: SCRAMFailure) -> AuthFailure {
        switch failure {
        case .proofInvalid: break
        case .channelBindingDowngraded: return .channelBindingWrong(failure.description)
        case .authorizationIdentityRefused, .extensionRefused: return .scramPartUnsupported(failure.description)
        // Without binding data it is the gs2 header that was not repeated.
        case .channelBindingMismatch where self.mechanism == SCRAMServer.bindingMechanism:
            return .channelBindingWrong(failure.description)
        default: return .protocolViolation(failure.description)
        }
        // The proof is bound to the salt shown: with a newer secret the client has to begin again.
        self.services.distrust(self.subject.attempt)
        return self.subject.refusal(isSecretUsable: !self.isMock)
    }
}
