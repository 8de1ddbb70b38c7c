import HBA
import Testing

@Suite struct ExplanationTests {
    private static let text = """
        local all all md5
        hostssl all all all scram-sha-256
        host all all ::/0 md5
        host all all 10.1.0.0/16 md5
        host replication all all md5
        host sameuser all all md5
        host other,more all all md5
        host all someone all md5
        hostgssenc all all all md5
        host all all 10.0.0.0/8 reject
        host all all all trust
        """

    @Test func saysWhyEachRuleDoesNotMatch() throws {
        let peer = try #require(IPAddress("10.0.0.1"))
        let question = HBAQuestion(origin: .tcp(peer, isTLS: false), database: "db", user: "alice")
        let verdicts = try policy(Self.text).explain(question)
        #expect(verdicts.map(\.text) == [
            "connection type does not match: the client comes by TCP, the rule is for local",
            "connection type does not match: the connection has no TLS",
            "address does not match: 10.0.0.1 is IPv4, ::/0 is IPv6",
            "address does not match: 10.0.0.1 is outside 10.1.0.0/16",
            "database does not match: the rule is for replication, the client asks for database \"db\"",
            "database does not match: \"db\" is not the name of the user \"alice\"",
            "database does not match: \"db\" is not among other, more",
            "user does not match: \"alice\" is not among someone",
            "connection type does not match: the gateway has no GSSAPI encryption",
            "matches and refuses",
            "not reached: an earlier rule decides",
        ])
        #expect(verdicts.last?.description
            == "pg_hba.conf:11: host all all all trust: not reached: an earlier rule decides")
    }

    @Test func speaksOfReplicationAndSockets() throws {
        let question = HBAQuestion(origin: .local, database: "", user: "rep", isReplication: true)
        let policy = try policy("host all all all md5\nlocal all all md5\nlocal replication all md5")
        let verdicts = policy.explain(question)
        #expect(verdicts.map(\.text) == [
            "connection type does not match: the client comes by a unix socket, the rule is for host",
            "database does not match: the client asks for replication, which only the keyword replication matches",
            "matches: method md5",
        ])
        let peer = try #require(IPAddress("::1"))
        let overTLS = HBAQuestion(origin: .tcp(peer, isTLS: true), database: "d", user: "u")
        let plainOnly = try HBATests.policy("hostnossl all all all md5")
        #expect(plainOnly.explain(overTLS).map(\.text) == [
            "connection type does not match: the connection has TLS"
        ])
    }

    @Test func agreesWithTheDecision() throws {
        let policy = try policy(Self.text)
        for question in try QuestionGrid.all() {
            let decided = policy.decide(question).rule?.index
            let explained = policy.explain(question).filter { $0.outcome == .decides }.map(\.rule.index)
            #expect(explained == (decided.map { [$0] } ?? []))
        }
    }

    @Test func longListsAndHostileNamesStayShort() throws {
        let names = (1...50).map { "name\($0)" }.joined(separator: ",")
        let user = String(repeating: "x", count: 10_000) + "\u{7}"
        let question = HBAQuestion(origin: .local, database: "a\u{1B}[31mb\n", user: user)
        let verdicts = try policy("local all \(names) md5\nlocal \(names) all md5").explain(question)
        for verdict in verdicts {
            #expect(verdict.text.utf8.count < 300)
            #expect(verdict.text.contains("and 42 more"))
            #expect(!verdict.text.unicodeScalars.contains { $0.value < 32 })
        }
        #expect(verdicts.last?.text.contains("aU+001B[31mbU+000A") == true)
    }
}
