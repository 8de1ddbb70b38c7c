import AuthProviderTestKit
import AuthProviders
import Sessions
import Testing

/// A refusal looks the same for an unknown user and for a wrong password.
@Suite struct IndistinguishabilityTests {
    private func refusal(
        _ user: String,
        method: String,
        services: AuthServices? = nil
    ) async throws -> (shapes: [String], text: String?, state: String?) {
        let client = ScriptedClient(user: user, .password("wrong"))
        let failure = try await logIn(user, method: method, client: client, services: services).failure
        let text = failure?.clientText.replacing(user, with: "USER")
        return (client.shapes, text, failure?.sqlStateText)
    }

    @Test(arguments: [
        ("scram-sha-256", "scram", "nobody"), ("scram-sha-256", "scram", "md5"), ("scram-sha-256", "scram", "empty"),
        ("md5", "scram", "nobody"), ("md5", "scram", "empty"),
        ("password", "scram", "nobody"), ("password", "scram", "md5"), ("password", "scram", "empty"),
    ])
    func sameAsWrongPassword(method: String, known: String, other: String) async throws {
        let expected = try await self.refusal(known, method: method)
        let actual = try await self.refusal(other, method: method)
        #expect(!expected.shapes.isEmpty)
        #expect(actual.shapes == expected.shapes)
        #expect(actual.text == expected.text)
        #expect(actual.state == expected.state)
        #expect(expected.state == "28P01")
    }

    @Test func md5ForUnknownUsersWhereMostUsersHaveIt() async throws {
        let services = try TestSetting.services(unknownUserExchange: .md5)
        let expected = try await self.refusal("md5", method: "md5", services: services)
        let actual = try await self.refusal("nobody", method: "md5", services: services)
        #expect(expected.shapes == ["md5 4"])
        #expect(actual.shapes == expected.shapes)
        #expect(actual.text == expected.text)
        // The setting concerns rule md5 alone.
        #expect(
            try await self.refusal("nobody", method: "scram-sha-256", services: services).shapes.first
                == "sasl [\"SCRAM-SHA-256\"]"
        )
    }

    @Test func mockSaltIsStableAndPersonal() async throws {
        var challenges: [[ScriptedClient.Request]] = []
        for user in ["nobody", "nobody", "nobodx"] {
            let client = ScriptedClient(user: user, .password("wrong"))
            _ = try await logIn(user, method: "scram-sha-256", client: client)
            challenges.append(client.requests)
        }
        #expect(challenges[0] == challenges[1])
        #expect(challenges[0] != challenges[2])
    }

    /// Malformed messages are answered alike, too.
    @Test func malformedExchangesDoNotTellEither() async throws {
        let first = Array("n,,n=,r=abc".utf8)
        let scripts: [[[UInt8]?]] = [
            [Array("p=x,,n=,r=a".utf8)], [[]], [Array("n,,n=,r=".utf8)], [first, []],
            [first, Array("c=biws,r=abc,p=AAAA".utf8)],
            [nil, first, Array("c=biws".utf8)], [first], [],
        ]
        for script in scripts {
            var seen: [String] = []
            for user in ["scram", "nobody", "md5", "empty"] {
                let client = ScriptedClient(user: user, .raw(mechanism: "SCRAM-SHA-256", script))
                let failure = try await logIn(user, method: "scram-sha-256", client: client).failure
                seen.append("\(client.shapes) \(failure?.clientText ?? "") \(failure?.sqlStateText ?? "")")
            }
            #expect(Set(seen).count == 1)
        }
    }

    @Test func textsForTheClientNeverNameTheReason() async throws {
        for user in ["scram", "md5", "empty", "nobody"] {
            for method in ["trust", "md5", "scram-sha-256", "password"] {
                guard let failure = try await logIn(user, method: method, .password("hunter2")).failure else {
                    continue
                }
                #expect(failure.clientText == "password authentication failed for user \"\(user)\"")
                #expect(!"\(failure)".contains("hunter2"))
            }
        }
    }
}
