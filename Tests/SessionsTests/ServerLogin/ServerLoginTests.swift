import PGWire
import Sessions
import Testing

@Suite struct ServerLoginTests {
    private typealias Script = ServerScript

    @Test func startupMessageNamesUserAndDatabaseFirst() throws {
        var login = ServerLogin(
            user: "alice",
            database: "shop",
            parameters: [("application_name", "gw"), ("user", "mallory"), ("database", "x"), ("options", "-c a=b")],
            credential: .none,
            protocol: .v3_2
        )
        guard case .startup(let startup) = try StartupPacket.parse(packet: login.start()) else {
            Issue.record("no startup message")
            return
        }
        #expect(startup.version == .v3_2)
        #expect(startup.parameters.map(\.name) == ["user", "database", "application_name", "options"])
        #expect(startup.parameters.map(\.value) == ["alice", "shop", "gw", "-c a=b"])
    }

    @Test func trustedLogin() throws {
        let run = Script.run(.none) { server in
            server.authenticationOk()
            server.parameterStatus(name: "server_version", value: "15.4")
            server.parameterStatus(name: "TimeZone", value: "UTC")
            server.parameterStatus(name: "server_version", value: "15.5")
            server.backendKeyData(processID: -7, secret: [1, 2, 3, 4])
            server.noticeResponse(ServerMessageFields(severity: .notice, sqlState: .warning, message: "hello"))
            server.readyForQuery(.idle)
        }
        let greeting = try #require(run.greeting)
        #expect(greeting.parameters.map(\.name) == ["server_version", "TimeZone"])
        #expect(greeting.parameters.map(\.value) == ["15.5", "UTC"])
        #expect(greeting.processID == -7)
        #expect(greeting.secret == [1, 2, 3, 4])
        #expect(greeting.status == .idle)
        #expect(greeting.version == .v3_0)
        #expect(greeting.scramKeys == nil)
        #expect(run.sent.isEmpty)
        #expect(!"\(greeting)".contains("[1, 2, 3, 4]"))
    }

    @Test func cleartextLogin() {
        let run = Script.run(.cleartext(SecretBytes("secret"))) { server in
            server.authenticationCleartextPassword()
            server.authenticationOk()
            server.readyForQuery(.idle)
        }
        #expect(run.sent == [Script.passwordMessage("secret")])
        #expect(run.greeting?.processID == 0)
        #expect(run.greeting?.secret == [])
    }

    @Test(arguments: [
        ServerCredential.cleartext(SecretBytes("secret")),
        .md5Hash(SecretBytes("4a0a68b43b6cd5cf266fa02f196e2371")),
    ])
    func md5Login(credential: ServerCredential) {
        let run = Script.run(credential) { server in
            server.authenticationMD5Password(salt: [1, 2, 3, 4])
            server.authenticationOk()
            server.readyForQuery(.idle)
        }
        #expect(run.sent == [Script.passwordMessage("md598a0412b9c31436fc53776e863350083")])
        #expect(run.greeting != nil)
    }

    @Test(arguments: [
        ("cleartext", "none", "password"), ("cleartext", "md5", "password"), ("cleartext", "scram", "password"),
        ("md5", "none", "md5"), ("md5", "scram", "md5"), ("sasl", "none", "SCRAM-SHA-256"),
        ("sasl", "md5", "SCRAM-SHA-256"),
    ])
    func credentialThatDoesNotFit(request: String, credential: String, method: String) throws {
        let run = Script.run(try Script.credential(credential)) { server in
            switch request {
            case "cleartext": server.authenticationCleartextPassword()
            case "md5": server.authenticationMD5Password(salt: [1, 2, 3, 4])
            default: server.authenticationSASL(mechanisms: ["SCRAM-SHA-256"])
            }
        }
        #expect(run.failure == .credentialMissing(method: method))
        #expect(run.sent.isEmpty)
        #expect(run.failure?.logText.contains(method) == true)
    }

    /// A password for one use is made when a clear-text password is asked for, and for nothing else.
    @Test func passwordMadeOnDemand() {
        let made = ServerCredential.made { SecretBytes("token") }
        let run = Script.run(made) { server in
            server.authenticationCleartextPassword()
            server.authenticationOk()
            server.readyForQuery(.idle)
        }
        #expect(run.sent == [Script.passwordMessage("token")])
        #expect(run.greeting != nil)
        let failing = Script.run(.made { nil }) { server in server.authenticationCleartextPassword() }
        #expect(failing.failure == .credentialMissing(method: "password"))
        let md5 = Script.run(made) { server in server.authenticationMD5Password(salt: [1, 2, 3, 4]) }
        #expect(md5.failure == .credentialMissing(method: "md5") && md5.sent.isEmpty)
        let sasl = Script.run(made) { server in server.authenticationSASL(mechanisms: ["SCRAM-SHA-256"]) }
        #expect(sasl.failure == .credentialMissing(method: "SCRAM-SHA-256") && sasl.sent.isEmpty)
    }

    @Test func otherMethodsAreRefusedByName() {
        for (code, name) in [
            (Int32(7), "GSSAPI"), (9, "SSPI"), (2, "Kerberos V5"), (6, "authentication code 6"),
            (-1, "authentication code -1"),
        ] {
            let run = Script.run(.cleartext(SecretBytes("secret"))) { server in
                server.begin(BackendMessageKind.authentication)
                server.int32(code)
                server.end()
            }
            #expect(run.failure == .methodUnsupported(name))
        }
        let sasl = Script.run(.cleartext(SecretBytes("secret"))) { server in
            server.authenticationSASL(mechanisms: ["SCRAM-SHA-256-PLUS", "OAUTHBEARER"])
        }
        #expect(sasl.failure == .methodUnsupported("SASL with SCRAM-SHA-256-PLUS, OAUTHBEARER"))
    }

    @Test func serverErrorIsKept() {
        let fields = ServerMessageFields(
            severity: .fatal,
            sqlState: .invalidPassword,
            message: "password authentication failed for user \"alice\""
        )
        let run = Script.run(.cleartext(SecretBytes("secret"))) { server in
            server.authenticationCleartextPassword()
            server.errorResponse(fields)
        }
        #expect(run.failure == .serverError(fields))
        #expect(run.failure?.logText.contains("28P01") == true)
        #expect(run.failure?.logText.contains("secret") == false)
    }

    @Test func versionIsNegotiatedDown() {
        let run = Script.run(.none, version: .v3_2) { server in
            server.negotiateProtocolVersion(minor: 0, unrecognized: ["_pq_.x"])
            server.authenticationOk()
            server.backendKeyData(processID: 1, secret: [1, 2, 3, 4])
            server.readyForQuery(.idle)
        }
        #expect(run.greeting?.version == .v3_0)
    }

    @Test func versionCannotBeNegotiatedUp() {
        for code: Int32 in [3 << 16 | 3, 4 << 16, 2 << 16, -1, 3, Int32.max] {
            let run = Script.run(.none, version: .v3_2) { server in
                server.begin(BackendMessageKind.negotiateProtocolVersion)
                server.int32(code)
                server.int32(0)
                server.end()
            }
            #expect(run.isProtocolViolation)
        }
        let bareMinor = Script.run(.none, version: .v3_2) { server in
            server.begin(BackendMessageKind.negotiateProtocolVersion)
            server.int32(0)
            server.int32(0)
            server.end()
            server.authenticationOk()
            server.readyForQuery(.idle)
        }
        #expect(bareMinor.greeting?.version == .v3_0)
    }

    @Test func cancelKeyLengths() {
        for (version, length, isFine) in [
            (ProtocolVersion.v3_0, 4, true), (.v3_0, 3, false), (.v3_0, 5, false), (.v3_0, 32, false),
            (.v3_2, 3, false),
            (.v3_2, 4, true), (.v3_2, 32, true), (.v3_2, 256, true), (.v3_2, 257, false), (.v3_2, 0, false),
        ] {
            let run = Script.run(.none, version: version) { server in
                server.authenticationOk()
                server.backendKeyData(processID: 1, secret: [UInt8](repeating: 9, count: length))
                server.readyForQuery(.idle)
            }
            #expect((run.greeting?.secret.count == length) == isFine)
            #expect(run.isProtocolViolation != isFine)
        }
    }

    @Test func messagesOutOfPlaceAreViolations() {
        let early: [(inout MessageWriter) -> Void] = [
            { server in server.parameterStatus(name: "a", value: "b") },
            { server in server.backendKeyData(processID: 1, secret: [1, 2, 3, 4]) },
            { server in server.readyForQuery(.idle) },
            { server in server.commandComplete("SELECT 1") },
            { server in server.authenticationSASLContinue([1]) },
            { server in server.authenticationSASLFinal([1]) },
        ]
        for (index, message) in early.enumerated() {
            let run = Script.run(.cleartext(SecretBytes("secret"))) { server in message(&server) }
            #expect(run.failure != nil, "message \(index)")
            #expect(run.greeting == nil)
        }
        let late: [(inout MessageWriter) -> Void] = [
            { server in server.authenticationOk() },
            { server in server.authenticationCleartextPassword() },
            { server in server.negotiateProtocolVersion(minor: 0, unrecognized: []) },
            { server in server.dataRow([nil]) },
            { server in
                server.backendKeyData(processID: 1, secret: [1, 2, 3, 4])
                server.backendKeyData(processID: 1, secret: [1, 2, 3, 4])
            },
        ]
        for (index, message) in late.enumerated() {
            let run = Script.run(.cleartext(SecretBytes("secret"))) { server in
                server.authenticationOk()
                message(&server)
            }
            #expect(run.isProtocolViolation, "message \(index)")
        }
    }

    @Test func secondPasswordRequestIsAViolation() {
        let run = Script.run(.cleartext(SecretBytes("secret"))) { server in
            server.authenticationMD5Password(salt: [1, 2, 3, 4])
            server.authenticationCleartextPassword()
        }
        #expect(run.isProtocolViolation)
        #expect(run.sent.count == 1)
    }

    @Test func limits() {
        var limits = ServerLoginLimits()
        limits.parametersMax = 3
        limits.parameterBytesMax = 100
        limits.messagesMax = 10
        func run(_ script: (inout MessageWriter) -> Void) -> ServerScript {
            Script.run(.none, limits: limits) { server in
                server.authenticationOk()
                script(&server)
                server.readyForQuery(.idle)
            }
        }
        #expect(
            run { server in for name in ["a", "b", "c"] { server.parameterStatus(name: name, value: "") } }.greeting
                != nil
        )
        #expect(
            run { server in for name in ["a", "b", "c", "d"] { server.parameterStatus(name: name, value: "") } }
                .isProtocolViolation
        )
        let ninetyNine = String(repeating: "v", count: 99)
        #expect(run { server in server.parameterStatus(name: "a", value: ninetyNine) }.greeting != nil)
        #expect(run { server in server.parameterStatus(name: "a", value: ninetyNine + "v") }.isProtocolViolation)
        #expect(
            run { server in
                for _ in 0..<5 { server.parameterStatus(name: "a", value: ninetyNine) }
            }.greeting != nil
        )
        let notice = ServerMessageFields(severity: .notice, sqlState: .warning, message: "x")
        #expect(run { server in for _ in 0..<8 { server.noticeResponse(notice) } }.greeting != nil)
        #expect(run { server in for _ in 0..<9 { server.noticeResponse(notice) } }.isProtocolViolation)
    }

    @Test func nothingIsTakenBeforeStartOrAfterTheEnd() {
        var login = ServerLogin(user: "alice", database: "shop", credential: .none)
        guard
            case .failed(.protocolViolation) = login.receive(
                WireMessage(kind: BackendMessageKind.authentication, body: [0, 0, 0, 0])
            )
        else {
            Issue.record("accepted before start")
            return
        }
        _ = login.receive(WireMessage(kind: BackendMessageKind.authentication, body: [0, 0, 0, 0]))
        guard
            case .failed(.protocolViolation) = login.receive(
                WireMessage(kind: BackendMessageKind.readyForQuery, body: [0x49])
            )
        else {
            Issue.record("accepted after the end")
            return
        }
    }

    /// Whole logins with every byte changed or cut: each ends in some way, none traps.
    @Test func noMutationTraps() throws {
        let script = Script.bytes { server in
            server.negotiateProtocolVersion(minor: 0, unrecognized: ["_pq_.x"])
            server.authenticationMD5Password(salt: [1, 2, 3, 4])
            server.authenticationOk()
            server.parameterStatus(name: "name", value: "value")
            server.backendKeyData(processID: 1, secret: [1, 2, 3, 4])
            server.errorResponse(ServerMessageFields(severity: .fatal, sqlState: .systemError, message: "x"))
        }
        for mutated in mutations(of: script) {
            let run = Script.run(.cleartext(SecretBytes("secret")), version: .v3_2, bytes: mutated)
            #expect(run.greeting == nil)
        }
    }

    @Test func malformedBodies() {
        let kinds = [
            BackendMessageKind.authentication, BackendMessageKind.errorResponse, BackendMessageKind.parameterStatus,
            BackendMessageKind.backendKeyData, BackendMessageKind.readyForQuery,
            BackendMessageKind.negotiateProtocolVersion,
        ]
        let bodies: [[UInt8]] = [
            [], [0], [0x49, 0], [0, 0, 0], [0xff, 0xff, 0xff, 0xff], [0, 0, 0, 10], [0, 0, 0, 10, 0x41],
            [0, 0, 0, 5, 1, 2, 3],
            [0, 3, 0, 0, 0x7f, 0xff, 0xff, 0xff], [0, 3, 0, 0, 0xff, 0xff, 0xff, 0xff], [0x41], [0x41, 0x42, 0],
            [0x41, 0, 0xff, 0],
        ]
        for kind in kinds {
            for body in bodies where !(kind == BackendMessageKind.noticeResponse) {
                for isAuthenticated in [false, true] {
                    var login = ServerLogin(user: "u", database: "d", credential: .cleartext(SecretBytes("x")))
                    _ = login.start()
                    if isAuthenticated {
                        _ = login.receive(WireMessage(kind: BackendMessageKind.authentication, body: [0, 0, 0, 0]))
                    }
                    if case .ready = login.receive(WireMessage(kind: kind, body: body)) {
                        Issue.record("ready by \(kind) \(body)")
                    }
                }
            }
        }
    }
}
