import AuthProviderTestKit
import AuthProviders
import Sessions
import Testing

/// Password logins on TLS: what is offered, what is refused, and that neither tells who exists.
@Suite struct ChannelBindingTests {
    private static let plus = "SCRAM-SHA-256-PLUS"
    private static let endpoint: [UInt8] = [1, 2, 3]

    private func logIn(
        _ user: String,
        method: String = "scram-sha-256",
        binding: [UInt8]? = Self.endpoint,
        client: some ClientDialogue
    ) async throws -> LoginOutcome {
        let rehearsal = try Rehearsal(.standard(), method, services: TestSetting.services())
        return await rehearsal.logIn(
            rehearsal.attempt(user, isTLS: binding != nil, channelBinding: binding), client: client)
    }

    /// A client that binds to what it sees of the certificate.
    private func logIn(_ user: String, method: String, seeing endpoint: [UInt8], password: String) async throws
        -> LoginOutcome
    {
        let client = ScriptedClient(user: user, .boundPassword(password, endpoint: endpoint))
        return try await self.logIn(user, method: method, client: client)
    }

    @Test(arguments: ["scram-sha-256", "md5"])
    func boundLogins(method: String) async throws {
        let identity = try await self.logIn("scram", method: method, seeing: Self.endpoint, password: "secret").identity
        #expect(identity?.user == "scram")
        let wrong = try await self.logIn("scram", method: method, seeing: Self.endpoint, password: "wrong").failure
        #expect(wrong?.reason == .passwordWrong && wrong?.sqlStateText == "28P01")
    }

    @Test(arguments: ["scram", "nobody", "md5", "empty"])
    func anotherCertificate(user: String) async throws {
        for password in ["secret", "wrong"] {
            let failure = try await self.logIn(user, method: "scram-sha-256", seeing: [1, 2, 4], password: password)
                .failure
            #expect(failure?.reason == .channelBindingWrong && failure?.sqlStateText == "28000")
            #expect(failure?.clientText == "SCRAM channel binding check failed")
        }
    }

    @Test func offersAreTheStrongestFirst() async throws {
        for (binding, offered) in [(Self.endpoint, [Self.plus, "SCRAM-SHA-256"]), (nil, ["SCRAM-SHA-256"])] {
            for user in ["scram", "nobody", "md5", "empty"] {
                let client = ScriptedClient(user: user, .leaves)
                _ = try await self.logIn(user, binding: binding, client: client)
                #expect(client.requests == [.sasl(offered)])
            }
        }
    }

    /// The same refusals, and after the same questions, for everybody.
    @Test(arguments: [
        ("SCRAM-SHA-256", "y,,n=,r=a", "28000", "SCRAM channel binding negotiation error"),
        ("SCRAM-SHA-256-PLUS", "n,,n=,r=a", "08P01", "SCRAM-SHA-256-PLUS without channel binding data"),
        ("SCRAM-SHA-256", "p=tls-server-end-point,,n=,r=a", "08P01",
            "SCRAM channel binding data without a mechanism for it"),
        ("SCRAM-SHA-256-PLUS", "p=tls-unique,,n=,r=a", "08P01",
            "unsupported SCRAM channel-binding type \"tls-unique\""),
        ("SCRAM-SHA-512", "n,,n=,r=a", "08P01", "client selected an invalid SASL authentication mechanism"),
    ])
    func refusals(mechanism: String, first: String, state: String, text: String) async throws {
        for user in ["scram", "nobody", "md5", "empty"] {
            let client = ScriptedClient(user: user, .raw(mechanism: mechanism, [Array(first.utf8)]))
            let failure = try await self.logIn(user, client: client).failure
            #expect(failure?.sqlStateText == state && failure?.clientText == text)
            #expect(client.requests.count == 1)
        }
    }

    /// Who is not told of the stronger mechanism cannot choose it.
    @Test func clearTextOffersNoBinding() async throws {
        let first = Array("p=tls-server-end-point,,n=,r=a".utf8)
        let client = ScriptedClient(user: "scram", .raw(mechanism: Self.plus, [first]))
        let failure = try await self.logIn("scram", binding: nil, client: client).failure
        #expect(failure?.clientText == "client selected an invalid SASL authentication mechanism")
        // A client that could bind is welcome where nothing was kept from it.
        let able = ScriptedClient(user: "scram", .raw(mechanism: "SCRAM-SHA-256", [Array("y,,n=,r=a".utf8)]))
        _ = try await self.logIn("scram", binding: nil, client: able)
        #expect(able.requests.count == 2)
    }

    /// Initial data may come later (RFC 4422); the mechanism chosen stays.
    @Test func hesitantClientsKeepTheirMechanism() async throws {
        let script = [nil, Array("n,,n=,r=a".utf8)] as [[UInt8]?]
        let client = ScriptedClient(user: "scram", .raw(mechanism: Self.plus, script))
        let failure = try await self.logIn("scram", client: client).failure
        #expect(failure?.clientText == "SCRAM-SHA-256-PLUS without channel binding data")
    }
}
