import Sessions

/// One SCRAM-SHA-256 login over a dialogue, real or mock. A value of one login.
struct SCRAMExchange {
    private let subject: PasswordSubject
    private let isMock: Bool
    private let verifier: SCRAMVerifier
    private let serverNonce: [UInt8]

    /// Random bytes of a server nonce, as many as PostgreSQL takes.
    private static let nonceBytes = 18

    init(subject: PasswordSubject, services: AuthServices) {
        // The mock is made for everybody, so that its cost does not tell unknown users from known ones.
        let mock = services.mock.verifier(user: subject.attempt.user)
        if case .scram(let verifier) = subject.secret?.kind {
            self.verifier = verifier
            self.isMock = false
        } else {
            self.verifier = mock
            self.isMock = true
        }
        self.subject = subject
        self.serverNonce = Base64.encode(services.randomBytes(Self.nonceBytes))
    }

    func run(over dialogue: some ClientDialogue) async throws(AuthFailure) -> AuthenticatedIdentity {
        var server = SCRAMServer(verifier: self.verifier, isMock: self.isMock, serverNonce: self.serverNonce)
        let (mechanism, initial) = try await dialogue.requestSASL(mechanisms: [SCRAMServer.mechanism])
        guard mechanism == SCRAMServer.mechanism else {
            throw .protocolViolation("client selected an invalid SASL authentication mechanism")
        }
        let first: [UInt8]
        if let initial {
            first = initial
        } else {
            // RFC 4422 section 3: a client without initial data gets an empty challenge.
            first = try await dialogue.continueSASL([])
        }
        let challenge = try self.step { () throws(SCRAMFailure) in try server.receiveFirst(first) }
        let final = try await dialogue.continueSASL(challenge)
        let success = try self.step { () throws(SCRAMFailure) in try server.receiveFinal(final) }
        try await dialogue.finishSASL(success.serverFinal)
        return self.subject.identity(.scramKeys(success.keys))
    }

    private func step<Value>(_ body: () throws(SCRAMFailure) -> Value) throws(AuthFailure) -> Value {
        do {
            return try body()
        } catch SCRAMFailure.proofInvalid {
            throw self.subject.refusal(isSecretUsable: !self.isMock)
        } catch {
            throw .protocolViolation(error.description)
        }
    }
}
