import PGWire
import Sessions
import Testing

/// Logins bound to the server's certificate; the client nonce of the script is `a`.
@Suite struct ServerLoginBindingTests {
    private static let plus = "SCRAM-SHA-256-PLUS"
    private static let plain = "SCRAM-SHA-256"

    private func run(
        _ vector: SCRAMVector,
        offered: [String],
        _ binding: ServerLogin.ChannelBinding,
        data: [UInt8]? = SCRAMVector.endpoint,
        credential: String = "cleartext"
    ) throws -> ServerScript {
        ServerScript.run(
            try ServerScript.credential(credential),
            channelBinding: binding,
            bindingData: data
        ) { server in
            server.authenticationSASL(mechanisms: offered)
            server.authenticationSASLContinue(bytes(vector.serverFirst))
            server.authenticationSASLFinal(bytes(vector.serverFinal))
            server.authenticationOk()
            server.readyForQuery(.idle)
        }
    }

    private func sent(_ vector: SCRAMVector, _ mechanism: String) -> [[UInt8]] {
        [
            ServerScript.bytes { $0.saslInitialResponse(mechanism: mechanism, data: bytes(vector.clientFirst)) },
            ServerScript.bytes { $0.saslResponse(bytes(vector.clientFinal)) },
        ]
    }

    @Test(arguments: ["cleartext", "scram"])
    func bindsWhereItCan(credential: String) throws {
        for binding in [ServerLogin.ChannelBinding.prefer, .require] {
            for offered in [[Self.plus, Self.plain], [Self.plain, Self.plus], [Self.plus]] {
                let run = try self.run(.bound, offered: offered, binding, credential: credential)
                #expect(run.greeting != nil && run.sent == self.sent(.bound, Self.plus))
            }
        }
    }

    /// The server learns that we would have bound the login, and so notices a list that was cut on its way.
    @Test func saysThatItCould() throws {
        let run = try self.run(.bindable, offered: [Self.plain], .prefer)
        #expect(run.greeting != nil && run.sent == self.sent(.bindable, Self.plain))
    }

    @Test func doesNotBindWithoutTLSOrWill() throws {
        let both = [Self.plus, Self.plain]
        for run in [
            try self.run(.longPassword, offered: both, .prefer, data: nil),
            try self.run(.longPassword, offered: both, .disable),
            try self.run(.longPassword, offered: [Self.plain], .disable, data: nil),
        ] {
            #expect(run.greeting != nil && run.sent == self.sent(.longPassword, Self.plain))
        }
        let unusable = try self.run(.longPassword, offered: [Self.plus], .disable)
        #expect(unusable.failure == .methodUnsupported("SASL with SCRAM-SHA-256-PLUS") && unusable.sent.isEmpty)
    }

    /// Nothing made of a secret leaves before it is known that the login will be bound.
    @Test func requireDemandsItBeforeAnyProof() throws {
        let runs = [
            (try self.run(.bound, offered: [Self.plain], .require), "the server offers only SCRAM-SHA-256"),
            (try self.run(.bound, offered: [Self.plus, Self.plain], .require, data: nil), "no certificate to bind to"),
            (try self.run(.bound, offered: ["X\u{7}"], .require), "the server offers only X?"),
        ]
        for (run, text) in runs {
            #expect(run.sent.isEmpty)
            #expect(run.failure?.logText.hasPrefix("server_channel_binding is require, but ") == true)
            #expect(run.failure?.logText.contains(text) == true, "\(run.failure?.logText ?? "")")
        }
    }

    @Test(arguments: ["ok", "password", "md5", "gss"])
    func requireKnowsNoOtherMethod(method: String) throws {
        for credential in ["cleartext", "md5", "scram", "none"] {
            for data in [nil, SCRAMVector.endpoint] {
                let run = ServerScript.run(
                    try ServerScript.credential(credential), channelBinding: .require, bindingData: data
                ) { server in
                    switch method {
                    case "ok": server.authenticationOk()
                    case "password": server.authenticationCleartextPassword()
                    case "md5": server.authenticationMD5Password(salt: [1, 2, 3, 4])
                    default:
                        server.begin(BackendMessageKind.authentication)
                        server.int32(AuthenticationCode.gss)
                        server.end()
                    }
                    server.readyForQuery(.idle)
                }
                guard case .channelBindingMissing = run.failure else {
                    Issue.record("\(method) \(credential): \(String(describing: run.failure))")
                    continue
                }
                #expect(run.sent.isEmpty)
            }
        }
    }

    /// Errors of the server are its own, whatever is required.
    @Test func requireLetsErrorsThrough() throws {
        let run = ServerScript.run(try ServerScript.credential("cleartext"), channelBinding: .require) { server in
            server.errorResponse(
                ServerMessageFields(severity: .fatal, sqlState: .invalidAuthorization, message: "no pg_hba.conf entry"))
        }
        guard case .serverError = run.failure else {
            Issue.record("\(String(describing: run.failure))")
            return
        }
    }

    /// A server in the middle has another certificate, and the true one says so.
    @Test func theTrueServerNoticesTheMiddle() throws {
        let verifier = try SCRAMVector.bound.verifier()
        var server = SCRAMServer(verifier: verifier, isMock: false, channelBinding: [9])
        var login = ServerLogin(
            user: "alice",
            database: "shop",
            credential: try ServerScript.credential("cleartext"),
            bindingData: SCRAMVector.endpoint
        )
        _ = login.start()
        var assembler = MessageAssembler(maximumBodyLength: 1000)
        assembler.append(ServerScript.bytes { $0.authenticationSASL(mechanisms: server.mechanisms) })
        let asked = try #require(try assembler.next())
        guard case .send(let initial) = login.receive(asked) else {
            Issue.record("no answer")
            return
        }
        let data = Array(initial.dropFirst(5 + Self.plus.utf8.count + 1 + 4))
        assembler.append(
            ServerScript.bytes {
                $0.authenticationSASLContinue((try? server.receiveFirst(data, mechanism: Self.plus)) ?? [])
            })
        let challenge = try #require(try assembler.next())
        guard case .send(let response) = login.receive(challenge) else {
            Issue.record("no proof")
            return
        }
        #expect(throws: SCRAMFailure.channelBindingMismatch) {
            try server.receiveFinal(Array(response.dropFirst(5)))
        }
    }
}
