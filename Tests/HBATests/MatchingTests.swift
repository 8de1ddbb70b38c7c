import HBA
import Testing

@Suite struct MatchingTests {
    /// Policy, `ORIGIN DATABASE USER`, expected decision.
    private static let table: [(text: String, origin: String, database: String, user: String, decision: String)] = [
        ("host all all all md5", "10.0.0.1", "d", "u", "md5@1"),
        ("host all all all md5", "10.0.0.1 tls", "d", "u", "md5@1"),
        ("hostssl all all all md5", "10.0.0.1", "d", "u", "no match"),
        ("hostssl all all all md5", "10.0.0.1 tls", "d", "u", "md5@1"),
        ("hostnossl all all all md5", "10.0.0.1", "d", "u", "md5@1"),
        ("hostnossl all all all md5", "10.0.0.1 tls", "d", "u", "no match"),
        ("hostgssenc all all all md5", "10.0.0.1 tls", "d", "u", "no match"),
        ("hostgssenc all all all md5", "10.0.0.1", "d", "u", "no match"),
        ("hostnogssenc all all all md5", "10.0.0.1 tls", "d", "u", "md5@1"),
        ("hostnogssenc all all all md5", "10.0.0.1", "d", "u", "md5@1"),
        ("host all all all md5", "unix", "d", "u", "no match"),
        ("local all all md5", "10.0.0.1", "d", "u", "no match"),
        ("host all all 10.0.0.0/8 md5", "::ffff:10.1.1.1", "d", "u", "md5@1"),
        ("host all all ::/0 md5", "::ffff:10.1.1.1", "d", "u", "no match"),
        ("host all all 10.0.0.0 255.255.0.0 md5", "10.0.255.1", "d", "u", "md5@1"),
        ("host all all 10.0.0.0 255.255.0.0 md5", "10.1.0.1", "d", "u", "no match"),
        ("local all all md5\nlocal all all trust", "unix", "d", "u", "md5@1"),
        ("local d u reject\nlocal all all trust", "unix", "d", "u", "reject@1"),
        ("local d v reject\nlocal all all trust", "unix", "d", "u", "trust@2"),
        ("local d,e u,v md5", "unix", "e", "v", "md5@1"),
        ("local D all md5", "unix", "d", "u", "no match"),
        ("local all U md5", "unix", "d", "u", "no match"),
        ("local ALL all md5", "unix", "d", "u", "no match"),
        ("local sameuser all md5", "unix", "u", "u", "md5@1"),
        ("local sameuser all md5", "unix", "U", "u", "no match"),
        ("local \"sameuser\" all md5", "unix", "sameuser", "u", "md5@1"),
        ("local \"sameuser\" all md5", "unix", "u", "u", "no match"),
        ("local all \"all\" md5", "unix", "d", "u", "no match"),
        ("local all \"all\" md5", "unix", "d", "all", "md5@1"),
        ("local all sameuser md5", "unix", "d", "d", "no match"),
        ("local all sameuser md5", "unix", "d", "sameuser", "md5@1"),
        ("local all \"+r\" md5", "unix", "d", "+r", "md5@1"),
        ("local +r all md5", "unix", "+r", "u", "md5@1"),
        ("local \"my \"\"db\"\"\" all md5", "unix", "my \"db\"", "u", "md5@1"),
        // Canonically equivalent spellings are different names.
        ("local caf\u{E9} all md5", "unix", "caf\u{E9}", "u", "md5@1"),
        ("local caf\u{E9} all md5", "unix", "cafe\u{301}", "u", "no match"),
        ("local all e\u{301} md5", "unix", "d", "\u{E9}", "no match"),
        ("local sameuser all md5", "unix", "\u{E9}", "e\u{301}", "no match"),
        ("", "unix", "d", "u", "no match"),
        ("# local all all trust", "unix", "d", "u", "no match"),
    ]

    @Test(arguments: Self.table)
    func firstMatchDecides(
        _ text: String,
        _ from: String,
        _ database: String,
        _ user: String,
        _ decision: String
    ) throws {
        let origin = try #require(clientOrigin(from))
        let question = HBAQuestion(origin: origin, database: database, user: user)
        #expect(try policy(text).decide(question).short == decision)
    }

    @Test(arguments: [
        ("local all all md5", "no match"), ("local sameuser all md5", "no match"), ("local rep all md5", "no match"),
        ("local \"replication\" all md5", "no match"), ("local replication all md5", "md5@1"),
        ("local all,replication all md5", "md5@1"), ("local replication other md5", "no match"),
        ("local replication rep reject\nlocal replication all md5", "reject@1"),
    ])
    func replicationMatchesItsKeywordOnly(_ text: String, _ decision: String) throws {
        let question = HBAQuestion(origin: .local, database: "rep", user: "rep", isReplication: true)
        #expect(try policy(text).decide(question).short == decision)
    }

    @Test(arguments: [
        ("local all all md5", "md5@1"), ("local \"replication\" all md5", "md5@1"),
        ("local replication all md5", "no match"),
        ("local replication,sameuser all md5", "md5@1"), ("local replication,other all md5", "no match"),
    ])
    func aDatabaseNamedReplicationIsOrdinary(_ text: String, _ decision: String) throws {
        let question = HBAQuestion(origin: .local, database: "replication", user: "replication", isReplication: false)
        #expect(try policy(text).decide(question).short == decision)
    }

    @Test func rejectIsAlwaysKnown() throws {
        let policy = try policy("local all all reject", methods: [])
        let decision = policy.decide(HBAQuestion(origin: .local, database: "d", user: "u"))
        guard case .reject(let rule) = decision else {
            Issue.record("\(decision)")
            return
        }
        #expect(rule.isReject)
    }

    @Test func methodsAreWhatTheCallerKnows() throws {
        let text = "local all all talos audience=gateway,service=\"a b\""
        #expect(errors(text).count == 1)
        let rule = try #require(policy(text, methods: ["talos"]).rules.first)
        #expect(rule.method == "talos")
        #expect(rule.option("audience") == "gateway")
        #expect(rule.option("service") == "a b")
        #expect(rule.option("other") == nil)
    }

    /// PostgreSQL refuses these; rule files of pg_doorman may have them.
    @Test(arguments: ["scram_sha_256", "scramsha256", "\"scramsha256\""])
    func otherSpellingsOfSCRAM(word: String) throws {
        let text = "local all all \(word)"
        let rule = try #require(policy(text).rules.first)
        #expect(rule.method == "scram-sha-256")
        #expect(rule.source == text)
        #expect(errors(text, methods: ["md5"]).count == 1)
    }

    @Test func rulesKnowTheirPlace() throws {
        let text = "\u{FEFF}# head\r\n\r\nlocal all \\\r\n  all md5 # why\r\n\tlocal d\tu\treject\r\n"
        let rules = try policy(text).rules
        #expect(rules.map(\.index) == [1, 2])
        #expect(rules.map(\.line) == [3, 5])
        #expect(rules.map(\.file) == ["pg_hba.conf", "pg_hba.conf"])
        #expect(rules.map(\.source) == ["local all   all md5", "local d\tu\treject"])
    }
}
