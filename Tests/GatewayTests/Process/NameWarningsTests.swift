import HBA
import Testing

@testable import Gateway

/// Names that look like the keyword `all` are said when the rules load.
@Suite struct NameWarningsTests {
    private static func warnings(_ line: String) throws -> [String] {
        let policy = try HBAPolicy.parse(
            text: "# rules\n\(line)\n", file: "hba", methods: ["md5"], mapMethods: [], reader: PolicyFiles.reader)
        return Snapshot.nameWarnings(policy)
    }

    @Test(arguments: [
        ("local ALL all md5", "hba:2: \"ALL\" is the name of a database here; "),
        ("local \"all\" all md5", "hba:2: \"all\" is the name of a database here; "),
        ("local all All md5", "hba:2: \"All\" is the name of a user here; "),
        ("host all app,\"all\" 10.0.0.0/8 reject", "hba:2: \"all\" is the name of a user here; "),
    ])
    func namesLikeTheKeyword(line: String, start: String) throws {
        let warnings = try Self.warnings(line)
        #expect(warnings.count == 1)
        #expect(warnings.first?.hasPrefix(start) == true, "\(warnings)")
    }

    @Test func bothColumns() throws {
        #expect(try Self.warnings("host ALL ALL all reject").count == 2)
    }

    @Test(arguments: [
        "local all all md5", "host all all all reject", "local alls \"al\" md5", "local all +all md5",
        "local /^all$ all md5",
    ])
    func otherWordsAreSilent(line: String) throws {
        #expect(try Self.warnings(line).isEmpty)
    }
}
