import PGWire

/// Answers to the server's authentication requests.
extension ServerLogin {
    /// Mechanism names read from one AuthenticationSASL; PostgreSQL sends up to three.
    private static let mechanismsMax = 32

    mutating func authenticationReceived(
        _ body: [UInt8],
        nonce: () -> [UInt8]
    ) throws(ServerLoginFailure) -> ServerLoginStep {
        var reader = ByteReader(body)
        let code = try Self.reading { () throws(WireError) in try reader.int32() }
        let data = reader.rest()
        if case .started = self.state { try self.demandBinding(code) }
        switch (code, self.state) {
        case (AuthenticationCode.ok, .started), (AuthenticationCode.ok, .answered):
            self.state = .authenticated
            return .wait
        case (AuthenticationCode.cleartextPassword, .started):
            return try self.answerCleartext()
        case (AuthenticationCode.md5Password, .started):
            return try self.answerMD5(salt: data)
        case (AuthenticationCode.sasl, .started):
            return try self.answerSASL(mechanisms: data, nonce: nonce)
        case (AuthenticationCode.saslContinue, .scramStarted(var client)):
            return try self.answerChallenge(data, client: &client)
        case (AuthenticationCode.saslFinal, .scramProven(var client)):
            try Self.scram { () throws(SCRAMFailure) in try client.receiveFinal(data) }
            self.state = .answered
            return .wait
        case (AuthenticationCode.ok, .scramStarted), (AuthenticationCode.ok, .scramProven):
            // A server that skips its own proof may be somebody in the middle.
            throw .protocolViolation("server let us in without finishing the SCRAM exchange")
        case (_, .started):
            throw .methodUnsupported(Self.methodName(code))
        default:
            throw .protocolViolation("unexpected authentication request \(code)")
        }
    }

    /// With `.require`, only SCRAM can be what the server asks for; which mechanism of it, is seen there.
    private func demandBinding(_ code: Int32) throws(ServerLoginFailure) {
        guard self.channelBinding == .require, code != AuthenticationCode.sasl else { return }
        let method =
            switch code {
            case AuthenticationCode.ok: "lets us in without a proof"
            case AuthenticationCode.cleartextPassword: "asks for the password in clear text"
            case AuthenticationCode.md5Password: "asks for an md5 proof"
            default: "asks for \(Self.methodName(code))"
            }
        throw .channelBindingMissing("the server \(method), which binds to nothing")
    }

    private mutating func answerCleartext() throws(ServerLoginFailure) -> ServerLoginStep {
        switch self.credential {
        case .cleartext(let password): return self.send(password)
        case .made(let make):
            guard let password = make() else { throw .credentialMissing(method: "password") }
            return self.send(password)
        case .none, .md5Hash, .scramKeys: throw .credentialMissing(method: "password")
        }
    }

    private mutating func answerMD5(salt: [UInt8]) throws(ServerLoginFailure) -> ServerLoginStep {
        guard salt.count == MD5Password.saltLength else { throw .protocolViolation("md5 salt of \(salt.count) bytes") }
        let hash: SecretBytes
        switch self.credential {
        case .md5Hash(let stored): hash = stored
        case .cleartext(let password): hash = MD5Password.hash(password: password, user: self.user)
        case .none, .scramKeys, .made: throw .credentialMissing(method: "md5")
        }
        return self.sendPassword(MD5Password.response(hash: hash, salt: salt))
    }

    private mutating func send(_ password: SecretBytes) -> ServerLoginStep {
        var bytes = password.exposed()
        defer { bytes.wipe() }
        return self.sendPassword(bytes)
    }

    /// Room is made first: an array that grows leaves its bytes behind.
    private mutating func sendPassword(_ bytes: [UInt8]) -> ServerLoginStep {
        self.state = .answered
        var writer = MessageWriter(reservingCapacity: bytes.count + 8)
        writer.passwordMessage(bytes)
        return .send(writer.bytes)
    }

    private mutating func answerSASL(
        mechanisms: [UInt8],
        nonce: () -> [UInt8]
    ) throws(ServerLoginFailure) -> ServerLoginStep {
        let names = try Self.mechanisms(mechanisms)
        let binding = try self.binding(among: names)
        let mechanism: String
        if case .bound = binding { mechanism = SCRAMServer.bindingMechanism } else { mechanism = SCRAMServer.mechanism }
        guard names.contains(mechanism) else {
            throw .methodUnsupported("SASL with \(names.joined(separator: ", "))")
        }
        let secret: SCRAMClient.Secret
        switch self.credential {
        case .scramKeys(let keys): secret = .keys(keys)
        case .cleartext(let password): secret = .password(password, known: self.knownKeys)
        case .none, .md5Hash, .made: throw .credentialMissing(method: mechanism)
        }
        var client = SCRAMClient(
            secret: secret,
            nonce: nonce(),
            iterationsMax: self.limits.iterationsMax,
            channelBinding: binding
        )
        var writer = MessageWriter()
        writer.saslInitialResponse(mechanism: mechanism, data: client.start())
        self.state = .scramStarted(client)
        return .send(writer.bytes)
    }

    /// How the login is bound, given what the server offers.
    private func binding(among mechanisms: [String]) throws(ServerLoginFailure) -> SCRAMClient.ChannelBinding {
        let isOffered = mechanisms.contains(SCRAMServer.bindingMechanism)
        switch (self.channelBinding, self.bindingData, isOffered) {
        case (.disable, _, _): return .unsupported
        case (.prefer, nil, _): return .unsupported
        case (.prefer, _?, false): return .notOffered
        case (.prefer, let endpoint?, true), (.require, let endpoint?, true): return .bound(endpoint: endpoint)
        case (.require, nil, _):
            throw .channelBindingMissing("there is no certificate to bind to: no TLS, or one whose kind has no binding")
        case (.require, _?, false):
            throw .channelBindingMissing("the server offers only \(mechanisms.joined(separator: ", "))")
        }
    }

    private mutating func answerChallenge(
        _ data: [UInt8],
        client: inout SCRAMClient
    ) throws(ServerLoginFailure) -> ServerLoginStep {
        let answer = try Self.scram { () throws(SCRAMFailure) in try client.receiveFirst(data) }
        self.scramKeys = client.keys
        self.state = .scramProven(client)
        var writer = MessageWriter()
        writer.saslResponse(answer)
        return .send(writer.bytes)
    }

    /// Names ended by NUL each, and one more NUL behind the last.
    private static func mechanisms(_ data: [UInt8]) throws(ServerLoginFailure) -> [String] {
        try self.reading { () throws(WireError) in
            var reader = ByteReader(data)
            var names: [String] = []
            while let next = reader.peek, next != 0, names.count < self.mechanismsMax {
                names.append(SCRAMAttributes.printable(try reader.cStringBytes()))
            }
            guard try reader.uint8() == 0 else { throw WireError.missingTerminator }
            try reader.expectEnd()
            return names
        }
    }

    private static func scram<Value>(
        _ body: () throws(SCRAMFailure) -> Value
    ) throws(ServerLoginFailure) -> Value {
        do {
            return try body()
        } catch {
            throw ServerLoginFailure(error)
        }
    }

    private static func methodName(_ code: Int32) -> String {
        switch code {
        case AuthenticationCode.kerberosV5: "Kerberos V5"
        case AuthenticationCode.gss: "GSSAPI"
        case AuthenticationCode.sspi: "SSPI"
        default: "authentication code \(code)"
        }
    }
}
