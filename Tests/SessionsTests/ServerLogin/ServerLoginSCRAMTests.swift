import PGWire
import Sessions
import Testing

/// SCRAM towards a scripted server; the client nonce of the script is `a`.
@Suite struct ServerLoginSCRAMTests {
    private let vector = SCRAMVector.longPassword

    private func run(
        credential kind: String = "cleartext",
        first: String? = nil,
        final: String? = nil,
        limits: ServerLoginLimits = ServerLoginLimits()
    ) throws -> ServerScript {
        let credential = try ServerScript.credential(kind)
        return ServerScript.run(credential, limits: limits) { server in
            server.authenticationSASL(mechanisms: ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"])
            server.authenticationSASLContinue(bytes(first ?? self.vector.serverFirst))
            server.authenticationSASLFinal(bytes(final ?? self.vector.serverFinal))
            server.authenticationOk()
            server.readyForQuery(.idle)
        }
    }

    @Test(arguments: ["cleartext", "scram"])
    func provesItselfAndChecksTheServer(credential: String) throws {
        let run = try self.run(credential: credential)
        #expect(
            run.sent == [
                ServerScript.bytes { writer in
                    writer.saslInitialResponse(mechanism: "SCRAM-SHA-256", data: bytes(self.vector.clientFirst))
                },
                ServerScript.bytes { writer in writer.saslResponse(bytes(self.vector.clientFinal)) },
            ]
        )
        let greeting = try #require(run.greeting)
        let expected = SCRAMKeys(password: SecretBytes(self.vector.password), salt: bytes("salt"), iterations: 2)
        #expect(greeting.scramKeys == expected)
    }

    @Test(arguments: ["r=ab,s=c2FsdA==,i=3", "r=ab,s=c2FsdDI=,i=2"])
    func keysOfAnotherVerifierAreNamedAsSuch(first: String) throws {
        let run = try self.run(credential: "scram", first: first)
        #expect(run.failure == .verifierDiffers)
        #expect(run.failure?.logText.contains("differs from ours") == true)
        #expect(run.sent.count == 1)
    }

    @Test func wrongServerSignature() throws {
        let run = try self.run(final: "v=Ruc3rrSLNy9+wMaqHBJn3nNYHZ+p17W5Daa2T9Rc9z0=")
        #expect(run.failure == .serverSignatureInvalid)
    }

    @Test func iterationLimitHoldsForPasswordsOnly() throws {
        var limits = ServerLoginLimits()
        limits.iterationsMax = 1
        #expect(try self.run(limits: limits).isProtocolViolation)
        #expect(try self.run(credential: "scram", limits: limits).greeting != nil)
    }

    @Test(arguments: ["r=xb,s=c2FsdA==,i=2", "r=a,s=c2FsdA==,i=2", "r=ab,s=c2FsdA==,i=0", "e=unknown-user", ""])
    func badChallenges(first: String) throws {
        let run = try self.run(first: first)
        #expect(run.isProtocolViolation)
        #expect(run.sent.count == 1)
    }

    /// Whoever skips the server's proof may be somebody in the middle.
    @Test func serverMayNotSkipItsProof() throws {
        for messages in 1...2 {
            let run = ServerScript.run(try ServerScript.credential("cleartext")) { server in
                server.authenticationSASL(mechanisms: ["SCRAM-SHA-256"])
                if messages == 2 {
                    server.authenticationSASLContinue(bytes(self.vector.serverFirst))
                }
                server.authenticationOk()
                server.readyForQuery(.idle)
            }
            #expect(run.isProtocolViolation)
        }
    }

    @Test func otherRequestsInTheMiddleAreViolations() throws {
        let run = ServerScript.run(try ServerScript.credential("cleartext")) { server in
            server.authenticationSASL(mechanisms: ["SCRAM-SHA-256"])
            server.authenticationCleartextPassword()
        }
        #expect(run.isProtocolViolation)
        #expect(run.sent.count == 1)
    }

    @Test func knownKeysSaveTheDerivation() throws {
        let known = SCRAMKeys(password: SecretBytes("something else"), salt: bytes("salt"), iterations: 2)
        var login = ServerLogin(
            user: "alice",
            database: "shop",
            credential: try ServerScript.credential("cleartext"),
            knownKeys: known
        )
        _ = login.start()
        var assembler = MessageAssembler(maximumBodyLength: 1000)
        assembler.append(
            ServerScript.bytes { server in
                server.authenticationSASL(mechanisms: ["SCRAM-SHA-256"])
                server.authenticationSASLContinue(bytes(self.vector.serverFirst))
            }
        )
        var sent: [[UInt8]] = []
        while let message = try assembler.next() {
            if case .send(let bytes) = login.receive(message, nonce: bytes("a")) {
                sent.append(bytes)
            }
        }
        #expect(sent.count == 2)
        // Keys of another password show that they were taken as they are.
        #expect(sent.last != ServerScript.bytes { writer in writer.saslResponse(bytes(self.vector.clientFinal)) })
    }

    /// What is computed elsewhere leads to the same answer as what `receive` computes; few rounds are not worth it.
    @Test(arguments: [(8192, false), (8193, true)])
    func costlyRoundsCanBeComputedElsewhere(rounds: Int, isCostly: Bool) throws {
        let password = SecretBytes("pencil")
        let script = ServerScript.bytes { server in
            server.authenticationSASL(mechanisms: ["SCRAM-SHA-256"])
            server.authenticationSASLContinue(bytes("r=ab,s=c2FsdA==,i=\(rounds)"))
        }
        var answers: [[UInt8]] = []
        for isElsewhere in [false, true] {
            var login = ServerLogin(user: "alice", database: "shop", credential: .cleartext(password))
            _ = login.start()
            var assembler = MessageAssembler(maximumBodyLength: 1000)
            assembler.append(script)
            while let message = try assembler.next() {
                let derivation = login.derivation(for: message)
                if isElsewhere, let derivation { login.take(derivation.keys) }
                guard case .send(let answer) = login.receive(message, nonce: bytes("a")) else { continue }
                answers.append(answer)
                // The second message is the one with the rounds.
                #expect((derivation != nil) == (isCostly && answers.count.isMultiple(of: 2)))
            }
        }
        #expect(answers.count == 4)
        #expect(answers.prefix(2) == answers.suffix(2))
    }

    /// A server can ask for no more than the limit, whoever computes.
    @Test func nothingIsComputedElsewhereBeyondTheLimit() throws {
        var login = ServerLogin(user: "alice", database: "shop", credential: .cleartext(SecretBytes("pencil")))
        _ = login.start()
        var assembler = MessageAssembler(maximumBodyLength: 1000)
        assembler.append(
            ServerScript.bytes { server in
                server.authenticationSASL(mechanisms: ["SCRAM-SHA-256"])
                server.authenticationSASLContinue(bytes("r=ab,s=c2FsdA==,i=9999999"))
            }
        )
        while let message = try assembler.next() {
            #expect(login.derivation(for: message) == nil)
            _ = login.receive(message, nonce: bytes("a"))
        }
    }

    @Test func mechanismLists() throws {
        let lists: [([UInt8], Bool)] = [
            (bytes("SCRAM-SHA-256\0\0"), true), (bytes("X\0SCRAM-SHA-256\0\0"), true),
            (bytes("SCRAM-SHA-256\0"), false),
            (bytes("SCRAM-SHA-256"), false), (bytes("\0"), false), ([], false), (bytes("SCRAM-SHA-256\0\0\0"), false),
            (bytes(String(repeating: "X\0", count: 1000) + "SCRAM-SHA-256\0\0"), false),
        ]
        for (list, isFine) in lists {
            let run = ServerScript.run(try ServerScript.credential("cleartext")) { server in
                server.begin(BackendMessageKind.authentication)
                server.int32(AuthenticationCode.sasl)
                server.raw(list)
                server.end()
            }
            #expect((run.sent.count == 1) == isFine)
            #expect((run.failure == nil) == isFine)
        }
    }

    @Test func noMutationOfTheExchangeIsAccepted() throws {
        let script = ServerScript.bytes { server in
            server.authenticationSASL(mechanisms: ["SCRAM-SHA-256"])
            server.authenticationSASLContinue(bytes(self.vector.serverFirst))
            server.authenticationSASLFinal(bytes(self.vector.serverFinal))
            server.authenticationOk()
            server.readyForQuery(.idle)
        }
        let keys = try ServerScript.credential("scram")
        let saslLength = ServerScript.bytes { server in server.authenticationSASL(mechanisms: ["SCRAM-SHA-256"]) }.count
        let proven =
            script.count
            - ServerScript.bytes { server in
                server.authenticationOk()
                server.readyForQuery(.idle)
            }.count
        for index in saslLength..<proven {
            var mutated = script
            mutated[index] ^= 1
            #expect(ServerScript.run(keys, bytes: mutated).greeting == nil)
        }
        for mutated in mutations(of: script) {
            _ = ServerScript.run(keys, bytes: mutated)
        }
    }
}
