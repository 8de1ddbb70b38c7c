import Foundation
import HBA
import PGWire
import Testing

/// Whole files are decided as PostgreSQL decides them, with roles, host names and lists in files
/// (Oracle/make_decisions.py).
@Suite struct DecisionOracleTests {
    private struct Line: Decodable {
        let questions: [Asked]?
        let roles: [String: [String]]?
        let hostNames: [String: String?]?
        let interfaces: [String]?
        let files: [String: String]?
        let text: String?
        let answers: String?
    }

    private struct Asked: Decodable {
        let origin: String
        let database: String
        let user: String
        let replication: String?
    }

    private static let letters = [
        "trust": "t", "password": "p", "md5": "m", "scram-sha-256": "s", "reject": "r",
    ]

    /// The facts that PostgreSQL had about a question.
    private static func facts(_ asked: Asked, _ head: Line) throws -> HBAFacts {
        let address = asked.origin.split(separator: " ")[0]
        let interfaces = try (head.interfaces ?? []).map { text in
            let parts = text.split(separator: "/")
            let address = try #require(IPAddress(String(parts[0])))
            let length = try #require(Int(parts[1]))
            return try #require(HBAInterface(address: address, prefixLength: length))
        }
        return HBAFacts(
            roles: .known(Set((head.roles?[asked.user] ?? []).map { ExactName($0) })),
            hostName: .known((head.hostNames?[String(address)]).flatMap { $0 }),
            interfaces: .known(interfaces)
        )
    }

    /// Asks as a login does: without facts first, then with those that are needed.
    private static func find(_ policy: HBAPolicy, _ question: HBAQuestion, _ known: HBAFacts) -> String {
        var facts = HBAFacts(interfaces: known.interfaces)
        while true {
            switch policy.find(question, facts: facts) {
            case .rule(let offset): return Self.letters[policy.rules[offset].method] ?? "?"
            case .noMatch: return "n"
            case .needs(.roles): facts.roles = known.roles
            case .needs(.hostName): facts.hostName = known.hostName
            case .needs(.interfaces): facts.interfaces = known.interfaces
            case .undecidable: return "u"
            }
        }
    }

    @Test func decidesLikePostgreSQL() throws {
        let lines = try OracleFile.lines("decisions.jsonl", of: Line.self)
        let head = try #require(lines.first)
        let asked = try #require(head.questions)
        let reader = memoryReader(head.files ?? [:])
        let questions = try asked.map { asked in
            HBAQuestion(
                origin: try #require(clientOrigin(asked.origin)),
                database: asked.database,
                user: asked.user,
                isReplication: asked.replication == "true"
            )
        }
        var decisions = 0
        for line in lines.dropFirst() {
            let text = try #require(line.text)
            let policy = try HBAPolicy.parse(text: text, file: "pg_hba.conf", methods: knownMethods, reader: reader)
            for (index, letter) in try #require(line.answers).enumerated() {
                let found = Self.find(policy, questions[index], try Self.facts(asked[index], head))
                #expect(found == String(letter), "\(text) asked \(asked[index])")
                decisions += 1
            }
        }
        #expect(decisions > 10_000)
    }
}
