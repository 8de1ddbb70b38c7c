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
}
