import AuthProviderTestKit
import AuthProviders
import PGWire
import Sessions
import Testing

/// Clients that do not behave, and sources that do not answer.
@Suite struct DialogueTests {
    /// A source that cannot answer.
    private struct BrokenSource: SecretSource {
        let name = "broken"
        func secret(user: String, database: String) async -> SecretLookup { .unavailable("no connection") }
    }

    /// A source that knows everybody.
    private struct MD5Source: SecretSource {
        let name = "query"
        func secret(user: String, database: String) async -> SecretLookup {
            guard let secret = try? StoredSecret(parsing: TestSetting.md5Text(user)) else { return .notFound }
            return .found(secret, origin: SecretOrigin(name: self.name, freshness: .fetched))
        }
    }

    @Test(arguments: ["md5", "scram-sha-256", "password"])
    func clientThatLeaves(method: String) async throws {
        let failure = try await logIn("scram", method: method, .leaves).failure
        #expect(failure?.reason == .clientLeft)
    }

    @Test func clientThatLeavesAfterTheChallenge() async throws {
        let script = ScriptedClient.Script.raw(mechanism: "SCRAM-SHA-256", [Array("n,,n=,r=abc".utf8)])
        #expect(try await logIn("scram", method: "scram-sha-256", script).failure?.reason == .clientLeft)
    }

    @Test(arguments: ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-1", "", "scram-sha-256"])
    func mechanismThatWasNotOffered(mechanism: String) async throws {
        let client = ScriptedClient(user: "scram", .raw(mechanism: mechanism, [Array("n,,n=,r=abc".utf8)]))
        let failure = try await logIn("scram", method: "scram-sha-256", client: client).failure
        #expect(failure?.sqlStateText == "08P01")
        #expect(failure?.clientText == "client selected an invalid SASL authentication mechanism")
        #expect(client.requests == [.sasl(["SCRAM-SHA-256"])])
    }

    @Test func clientWithoutInitialDataGetsAnEmptyChallenge() async throws {
        let client = ScriptedClient(user: "scram", .hesitantPassword(TestSetting.password))
        #expect(try await logIn("scram", method: "scram-sha-256", client: client).identity != nil)
        #expect(client.requests.count == 4)
        #expect(client.requests[1] == .challenge([]))
    }

    @Test func malformedMessagesAreProtocolViolations() async throws {
        let script = ScriptedClient.Script.raw(mechanism: "SCRAM-SHA-256", [Array("nonsense".utf8)])
        let failure = try await logIn("scram", method: "scram-sha-256", script).failure
        #expect(failure?.reason == .protocolViolation)
        #expect(failure?.sqlStateText == "08P01")
    }

    @Test func hostileMD5AnswersAreRefused() async throws {
        for answer: [UInt8] in [
            [], [0], Array("md5".utf8), [UInt8](repeating: 0xff, count: 35), [UInt8](repeating: 65, count: 60_000),
        ] {
            let failure = try await logIn("md5", method: "md5", .raw(mechanism: "", [answer])).failure
            #expect(failure?.reason == .passwordWrong)
        }
    }

    @Test(arguments: ["trust", "md5", "scram-sha-256", "password"])
    func brokenSourceRefusesBeforeAnyQuestion(method: String) async throws {
        let client = ScriptedClient(user: "scram", .password(TestSetting.password))
        let services = try TestSetting.services(BrokenSource())
        let failure = try await logIn("scram", method: method, client: client, services: services).failure
        #expect(failure?.reason == .serviceUnavailable)
        #expect(failure?.sqlStateText == "58000")
        #expect(failure?.logText == "no connection")
        #expect(failure?.clientText.contains("connection") == false)
        #expect(client.requests.isEmpty)
    }

    @Test func chainAsksInOrder() async throws {
        let services = try TestSetting.services(SecretSourceChain([TestSetting.secrets(), MD5Source()]))
        let first = try await logIn("scram", method: "md5", .password(TestSetting.password), services: services)
        #expect(first.identity?.secretOrigin?.name == "settings")
        let second = try await logIn("dynamic", method: "md5", .password(TestSetting.password), services: services)
        #expect(second.identity?.secretOrigin?.name == "query")
    }

    @Test func chainStopsAtASourceThatCannotAnswer() async throws {
        let chain = SecretSourceChain([try TestSetting.secrets(), BrokenSource(), MD5Source()])
        #expect(chain.name == "settings, broken, query")
        let services = try TestSetting.services(chain)
        let known = try await logIn("md5", method: "md5", .password(TestSetting.password), services: services)
        #expect(known.identity != nil)
        let dynamic = try await logIn("dynamic", method: "md5", .password(TestSetting.password), services: services)
        #expect(dynamic.failure?.reason == .serviceUnavailable)
    }

    @Test func defaultServicesUseFreshRandomBytes() throws {
        let services = AuthServices(secrets: try TestSetting.secrets())
        #expect(services.randomBytes(16).count == 16)
        #expect(services.randomBytes(16) != services.randomBytes(16))
    }

    @Test func failuresOfPlugInsKeepASoundSQLState() {
        let odd = AuthFailure(reason: .other, logText: "", clientText: "", sqlStateText: "nonsense")
        #expect(odd.sqlStateText == "28000")
        let own = AuthFailure(reason: .other, logText: "l", clientText: "c", sqlStateText: "3D000")
        #expect(own.sqlState == .invalidCatalogName)
        #expect(own.fields.severity == .fatal)
        #expect(own.fields.message == "c")
        #expect(AuthFailure.deadlinePassed().sqlStateText == "57014")
    }
}
