import HBA
import Testing
import PGWire

@Suite struct FactsTests {
    /// Policy, `ORIGIN DATABASE USER` (`ORIGIN` as in ``clientOrigin(_:)``), facts, finding.
    private static let table: [(text: String, asked: String, facts: String, expected: String)] = [
        ("local all +staff md5", "unix d alice", "roles=staff", "1"),
        ("local all +staff md5", "unix d alice", "roles=", "none"),
        ("local all +staff md5", "unix d alice", "roles=Staff", "none"),
        ("local all +staff md5", "unix d alice", "", "needs roles"),
        ("local all +staff md5", "unix d alice", "roles!down", "undecidable 1 roles down"),
        ("local all +alice md5", "unix d alice", "", "1"),
        ("local all +staff,alice md5", "unix d alice", "", "1"),
        ("local all +staff,/^al md5", "unix d alice", "", "1"),
        ("local all +staff,all md5", "unix d alice", "", "1"),
        ("local all +a,+b md5", "unix d alice", "roles=b", "1"),
        ("local all \"+staff\" md5", "unix d alice", "roles=staff", "none"),
        ("local all \"+staff\" md5", "unix d +staff", "", "1"),
        ("local all +caf\u{E9} md5", "unix d alice", "roles=cafe\u{301}", "none"),
        ("local samerole all md5", "unix staff alice", "roles=staff", "1"),
        ("local samegroup all md5", "unix staff alice", "roles=other", "none"),
        ("local samerole all md5", "unix alice alice", "", "1"),
        ("local samerole,staff all md5", "unix staff alice", "", "1"),
        ("local samerole all md5", "unix staff alice", "", "needs roles"),
        ("local \"samerole\" all md5", "unix samerole alice", "", "1"),
        // A fact is asked for only when the other columns match.
        ("local other +staff md5\nlocal all all md5", "unix d alice", "", "2"),
        ("host all +staff 10.0.0.0/8 md5\nlocal all all md5", "unix d alice", "", "2"),
        ("hostssl all all db.example.com md5\nhost all all all md5", "10.0.0.1 d alice", "", "2"),
        ("host other all db.example.com md5\nhost all all all md5", "10.0.0.1 d alice", "", "2"),
        ("host all bob db.example.com md5\nhost all all all md5", "10.0.0.1 d alice", "", "2"),
        ("host all +staff db.example.com md5\nhost all all all md5", "10.0.0.1 d alice", "roles=", "2"),
        ("host all +staff db.example.com md5\nhost all all all md5", "10.0.0.1 d alice", "roles=staff", "needs host"),
        ("host all +staff db.example.com md5", "10.0.0.1 d alice", "host!x", "needs roles"),
        ("host all +staff db.example.com md5", "10.0.0.1 d alice", "host!x roles=", "none"),
        ("host all +staff db.example.com md5", "10.0.0.1 d a", "host!x roles=staff", "undecidable 1 host x"),
        ("host all +staff db.example.com md5", "10.0.0.1 d a", "host!x roles!y", "undecidable 1 host x"),
        // A rule that cannot be judged is never skipped, whatever it says.
        ("local all +bad reject\nlocal all all md5", "unix d alice", "roles!down", "undecidable 1 roles down"),
        ("local all +bad reject\nlocal all all md5", "unix d alice", "", "needs roles"),
        ("local all all md5\nlocal all +bad reject", "unix d alice", "roles!down", "1"),
        ("host all all db.example.com md5", "10.0.0.1 d u", "host=db.example.com", "1"),
        ("host all all db.example.com md5", "10.0.0.1 d u", "host=DB.Example.COM", "1"),
        ("host all all db.example.com md5", "10.0.0.1 d u", "host=xdb.example.com", "none"),
        ("host all all db.example.com md5", "10.0.0.1 d u", "host=", "none"),
        ("host all all .Example.com md5", "10.0.0.1 d u", "host=db.eXample.com", "1"),
        ("host all all .example.com md5", "10.0.0.1 d u", "host=example.com", "none"),
        ("host all all .example.com md5", "10.0.0.1 d u", "host=badexample.com", "none"),
        ("host all all .example.com md5", "10.0.0.1 d u", "", "needs host"),
        ("host all all samehost md5", "10.0.0.1 d u", "if=10.0.0.1/8", "1"),
        ("host all all samehost md5", "10.0.0.2 d u", "if=10.0.0.1/8", "none"),
        ("host all all samenet md5", "10.0.0.2 d u", "if=10.0.0.1/8", "1"),
        ("host all all samenet md5", "11.0.0.2 d u", "if=10.0.0.1/8", "none"),
        ("host all all samenet md5", "2001:db8::5 d u", "if=2001:db8::1/64", "1"),
        ("host all all samenet md5", "10.0.0.2 d u", "", "none"),
        // The system does not tell its addresses: a rule that refuses by them is not skipped.
        ("host all all samenet reject\nhost all all all md5", "10.0.0.2 d u", "if!x", "undecidable 1 interfaces x"),
        ("host all all samehost reject\nhost all all all md5", "10.0.0.2 d u", "if!x", "undecidable 1 interfaces x"),
        ("host all all samehost reject\nhost all all all md5", "10.0.0.2 d u", "if?", "needs interfaces"),
        ("host other all samehost reject\nhost all all all md5", "10.0.0.2 d u", "if!down", "2"),
        ("host all all all md5\nhost all all samenet reject", "10.0.0.2 d u", "if!down", "1"),
        ("host all +staff samenet md5", "10.0.0.2 d u", "if!down", "needs roles"),
        ("host all +staff samenet md5", "10.0.0.2 d u", "if!down roles=", "none"),
        ("hostssl all all samenet reject\nhost all all all md5", "10.0.0.2 d u", "if!down", "2"),
        ("local /^app_ all md5", "unix app_x u", "", "1"),
        ("local /^app_ all md5", "unix xapp_x u", "", "none"),
        ("local \"/^a{2}$\" all md5", "unix aa u", "", "1"),
        ("local all,/x all md5", "unix d u", "", "1"),
    ]

    static func facts(_ text: String) throws -> HBAFacts {
        var facts = HBAFacts()
        var interfaces: [HBAInterface] = []
        for word in text.split(separator: " ") {
            let parts = word.split(separator: "=", omittingEmptySubsequences: false).map { String($0) }
            switch parts.first {
            case "roles": facts.roles = .known(Set(parts[1].split(separator: ",").map { ExactName(String($0)) }))
            case "host": facts.hostName = .known(parts[1].isEmpty ? nil : parts[1])
            case "if":
                let network = parts[1].split(separator: "/").map { String($0) }
                let address = try #require(IPAddress(network[0]))
                let length = try #require(Int(network[1]))
                interfaces.append(try #require(HBAInterface(address: address, prefixLength: length)))
                facts.interfaces = .known(interfaces)
            case "if?": facts.interfaces = .notAsked
            default:
                let reason = String(word.split(separator: "!")[1])
                if word.hasPrefix("roles") { facts.roles = .unavailable(reason) }
                if word.hasPrefix("host") { facts.hostName = .unavailable(reason) }
                if word.hasPrefix("if") { facts.interfaces = .unavailable(reason) }
            }
        }
        return facts
    }

    private static func word(_ need: HBANeed) -> String {
        switch need {
        case .roles: "roles"
        case .hostName: "host"
        case .interfaces: "interfaces"
        }
    }

    @Test(arguments: Self.table)
    func findsWhatTheFactsAllow(_ text: String, _ asked: String, _ facts: String, _ expected: String) throws {
        let words = asked.split(separator: " ").map { String($0) }
        let origin = try #require(clientOrigin(words[0]))
        let question = HBAQuestion(origin: origin, database: words[1], user: words[2])
        let policy = try policy(text)
        let known = try Self.facts(facts)
        let finding =
            switch policy.find(question, facts: known) {
            case .rule(let offset): "\(offset + 1)"
            case .noMatch: "none"
            case .needs(let need): "needs \(Self.word(need))"
            case .undecidable(let offset, let need, let reason):
                "undecidable \(offset + 1) \(Self.word(need)) \(reason)"
            }
        #expect(finding == expected)
        let explained = policy.explain(question, facts: known).firstIndex { verdict in
            switch verdict.outcome {
            case .decides, .undecided: true
            case .mismatch, .notReached: false
            }
        }
        #expect((explained == nil) == (expected == "none"))
        #expect(policy.decide(question, facts: known).rule.map { "\($0.index)" } == Int(expected).map { "\($0)" })
    }

    @Test func physicalReplicationHasNoDatabaseToCompare() throws {
        let question = HBAQuestion(origin: .local, database: "staff", user: "rep", isReplication: true)
        let facts = HBAFacts(roles: .known(["staff"]))
        for text in ["local samerole all md5", "local /staff all md5", "local /. all md5"] {
            guard case .noMatch = try policy(text).find(question, facts: facts) else {
                Issue.record("\(text)")
                continue
            }
        }
        guard case .needs(.roles) = try policy("local replication +staff md5").find(question) else {
            Issue.record("no need")
            return
        }
    }

    /// A point-to-point link has the mask zero: `samenet` must not let in the world by it.
    @Test(arguments: [
        ("10.0.0.1", "255.255.255.0", "10.0.0.0/24"), ("10.0.0.1", "0.0.0.0", "10.0.0.1/32"),
        ("10.0.0.1", "255.0.255.0", "10.0.0.1/32"), ("10.0.0.1", "ffff::", "10.0.0.1/32"),
        ("10.0.0.1", nil, "10.0.0.1/32"),
        ("2001:db8::1", "ffff:ffff::", "2001:db8::/32"), ("2001:db8::1", "::", "2001:db8::1/128"),
    ])
    func interfacesWithoutAMaskAreAlone(_ address: String, _ mask: String?, _ network: String) throws {
        let address = try #require(IPAddress(address))
        let interface = try #require(HBAInterface(address: address, mask: mask.flatMap { IPAddress($0) }))
        #expect(interface.network.description == network)
    }

    @Test func knowsWhetherRolesAreNeeded() throws {
        #expect(try policy("local all +r md5").needsRoles)
        #expect(try policy("local samegroup all md5").needsRoles)
        #expect(try !policy("local sameuser \"+r\" md5\nhost all all .example.com md5").needsRoles)
    }

    @Test func explainsFactsInWords() throws {
        let origin = try #require(clientOrigin("10.0.0.1"))
        let question = HBAQuestion(origin: origin, database: "d", user: "alice")
        let policy = try policy("""
            host samerole all all md5
            host all +staff all md5
            host all /^b all md5
            host all all samehost md5
            host all all samenet md5
            host all all .example.com md5
            host all +x,+y all md5
            host all all all md5
            """)
        let facts = HBAFacts(roles: .known([]), hostName: .known("db.example.org"))
        #expect(policy.explain(question, facts: facts).map(\.text) == [
            "database does not match: \"alice\" is not a member of \"d\"",
            "user does not match: \"alice\" is not a member of \"staff\"",
            "user does not match: \"alice\" does not match the expression \"^b\"",
            "address does not match: 10.0.0.1 is not an address of the gateway",
            "address does not match: 10.0.0.1 is in no network of the gateway",
            "address does not match: 10.0.0.1 is \"db.example.org\", not .example.com",
            "user does not match: \"alice\" is not among +x, +y",
            "matches: method md5",
        ])
        let open = policy.explain(question).map(\.text)
        #expect(open[0] == "depends on the roles of the user")
        #expect(open[1] == "not reached: an earlier rule decides")
        let down = policy.explain(question, facts: HBAFacts(roles: .unavailable("no server"))).map(\.text)
        #expect(down[0] == "depends on the roles of the user, which cannot be had: no server")
    }
}
