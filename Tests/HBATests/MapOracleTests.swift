import HBA
import Testing

/// Identity maps let in whom PostgreSQL lets in by them (Oracle/make_maps.py).
@Suite struct MapOracleTests {
    private struct Line: Decodable {
        let system: [String]?
        let database: [String]?
        let text: String?
        let answers: [String]?
    }

    @Test func decidesLikePostgreSQL() throws {
        let lines = try OracleFile.lines("maps.jsonl", of: Line.self)
        let systemUsers = try #require(lines.first?.system)
        let databaseUsers = try #require(lines.first?.database)
        var decisions = 0
        for line in lines.dropFirst() {
            let text = try #require(line.text)
            let maps = try IdentMaps.parse(text: text, file: "pg_ident.conf")
            for (system, letters) in zip(systemUsers, try #require(line.answers)) {
                for (database, letter) in zip(databaseUsers, letters) {
                    let found = maps.check(
                        map: "m",
                        systemUser: system,
                        databaseUser: database,
                        facts: HBAFacts(roles: .known([]))
                    )
                    let isAdmitted = if case .admitted = found { true } else { false }
                    #expect(isAdmitted == (letter == "y"), "\(text): \(system) as \(database)")
                    decisions += 1
                }
            }
        }
        #expect(decisions > 1500)
    }
}
