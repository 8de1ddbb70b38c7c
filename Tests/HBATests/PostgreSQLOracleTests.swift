import HBA
import Testing

/// Rule files are read and decided as PostgreSQL reads and decides them.
@Suite struct PostgreSQLOracleTests {
    private static let methods = knownMethods.union(["ldap", "pam", "peer", "cert", "ident", "gss"])

    @Test(arguments: PostgreSQLParsingTable.accepted)
    func readsAlike(_ text: String, _ rows: [String]) throws {
        let rules = try policy(text + "\n", methods: Self.methods).rules
        #expect(rules.map(Self.row) == rows)
    }

    @Test(arguments: PostgreSQLParsingTable.refused)
    func refusesAlike(_ text: String, _ line: Int) {
        #expect(errors(text + "\n", methods: Self.methods).first?.line == line)
    }

    @Test(arguments: PostgreSQLParsingTable.refusedHereOnly)
    func refusesMore(_ text: String, _ reason: String) {
        let found = errors(text + "\n", methods: Self.methods)
        #expect(found.count == 1)
        #expect(found.first?.reason.contains(reason) == true, "\(found)")
    }

    @Test(arguments: PostgreSQLDecisionTable.answers)
    func decidesAlike(_ text: String, _ letters: String) throws {
        let policy = try policy(text + "\n")
        let groups = letters.split(separator: " ")
        let origins = ["unix", "127.0.0.1", "::1"]
        #expect(groups.count == origins.count)
        for (group, name) in zip(groups, origins) {
            let origin = try #require(clientOrigin(name))
            let answers = PostgreSQLDecisionTable.questions.map { question in
                Self.letter(
                    policy.decide(
                        HBAQuestion(
                            origin: origin,
                            database: question.database,
                            user: question.user,
                            isReplication: question.replication == "true"
                        )
                    )
                )
            }
            #expect(answers.joined() == String(group), "\(text) from \(name)")
        }
    }

    private static func letter(_ decision: HBADecision) -> String {
        switch decision {
        case .method: "m"
        case .reject: "r"
        case .noMatch, .needs, .undecidable: "n"
        }
    }

    private static func row(_ rule: HBARule) -> String {
        let databases = rule.databases.map { database in
            if case .name(let name) = database { name } else { database.description }
        }
        let users = rule.users.map { user in
            if case .name(let name) = user { name } else { user.description }
        }
        return [
            String(rule.line), rule.kind.rawValue, databases.joined(separator: ";"), users.joined(separator: ";"),
            rule.address?.description ?? "-", rule.method,
            rule.options.map { "\($0.name)=\($0.value)" }.joined(separator: ";"),
        ].joined(separator: "|")
    }
}
