import HBA
import Testing

@Suite struct PolicyDefaultsTests {
    @Test func permissiveLetsEverybodyTry() throws {
        let rules = HBAPolicy.permissive.rules.map(\.description)
        #expect(rules == ["local all all md5", "host all all all md5"])
        for question in try QuestionGrid.all() where !question.isReplication {
            #expect(HBAPolicy.permissive.decide(question).word == "md5")
        }
    }

    @Test func refusingLetsNobodyIn() throws {
        #expect(HBAPolicy.refusing.rules.isEmpty)
        for question in try QuestionGrid.all() {
            #expect(HBAPolicy.refusing.decide(question).word == "no match")
        }
    }

    @Test(arguments: [
        ("unix", "md5"), ("10.1.2.3", "md5"), ("10.1.2.3 tls", "md5"), ("::ffff:10.1.2.3", "md5"),
        ("11.0.0.1", "no match"),
        ("192.0.2.7", "md5"), ("192.0.2.8", "no match"), ("2001:db8::1 tls", "md5"), ("2001:db9::1", "no match"),
    ])
    func legacyListAdmitsItsRangesAndUnixSockets(_ from: String, _ expected: String) throws {
        let policy = try HBAPolicy.legacyAllowList(cidrs: ["10.0.0.0/8", "192.0.2.7/32", "2001:db8::/32"])
        let origin = try #require(clientOrigin(from))
        #expect(policy.decide(HBAQuestion(origin: origin, database: "d", user: "u")).word == expected)
    }

    @Test func legacyRulesReadBackAsTheyAre() throws {
        let list = try HBAPolicy.legacyAllowList(cidrs: ["10.9.9.9/8", "::/0"])
        let text = list.rules.map(\.source).joined(separator: "\n")
        #expect(try policy(text).rules.map(\.description) == list.rules.map(\.description))
        #expect(list.rules.map(\.line) == [0, 1, 2])
        #expect(list.rules.map(\.index) == [1, 2, 3])
    }

    @Test func emptyLegacyListAdmitsNobodyByTCP() throws {
        let policy = try HBAPolicy.legacyAllowList(cidrs: [])
        let peer = try #require(IPAddress("127.0.0.1"))
        #expect(policy.decide(HBAQuestion(origin: .tcp(peer, isTLS: true), database: "d", user: "u")).rule == nil)
        #expect(policy.decide(HBAQuestion(origin: .local, database: "d", user: "u")).word == "md5")
    }

    @Test func legacyErrorsNameTheEntry() {
        let thrown = #expect(throws: HBAErrors.self) {
            try HBAPolicy.legacyAllowList(
                cidrs: ["10.0.0.0/8", "10.0.0.1", "all", "::ffff:10.0.0.0/104", "10.0.0.0/40", ""]
            )
        }
        #expect(thrown?.errors.map(\.line) == [2, 3, 4, 5, 6])
        #expect(thrown?.errors.map(\.file).first == "general.hba")
    }
}
