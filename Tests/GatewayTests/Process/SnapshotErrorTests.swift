import HBA
import Settings
import Testing

@testable import Gateway

/// What is wrong with settings is told with the place where it is to be mended.
@Suite struct SnapshotErrorTests {
    private func settings() throws -> GatewaySettings {
        let text = """
            general:
              admin_username: a
              admin_password: b
              pg_hba: "local all all nonsense"
            pools: {}
            """
        return try SettingsLoader.load(text: text, format: .yaml, path: "/etc/gw/main.yaml", environment: [:])
    }

    private func error(_ file: String, _ line: Int) -> SnapshotError {
        let error = HBAError(file: file, line: line, column: 5, reason: "no such word")
        return SnapshotError(HBAErrors(error), key: "general.pg_hba")
    }

    @Test(arguments: [
        ("general.pg_hba", 2, "/etc/gw/main.yaml:4: general.pg_hba:2:5: no such word"),
        ("/etc/gw/rules", 2, "/etc/gw/rules:2:5: no such word"),
        ("/etc/gw/rules", 0, "/etc/gw/main.yaml:4: general.pg_hba: /etc/gw/rules: no such word"),
    ])
    func rulesAreToldWithTheirPlace(file: String, line: Int, expected: String) throws {
        #expect(self.error(file, line).report(try self.settings()) == "Config parse error: " + expected)
    }

    @Test func allProblemsAreToldAndTheirNumberIsBounded() throws {
        var problems = SnapshotProblems()
        try problems.check()
        problems.add(SnapshotError(at: "general.port", "is bad"))
        for line in 1...SnapshotError.problemsMax { problems.add(self.error("/r", line)) }
        let found = problems
        let thrown = #expect(throws: SnapshotError.self) { try found.check() }
        let lines = try #require(thrown).report(try self.settings()).split(separator: "\n")
        #expect(lines.count == SnapshotError.problemsMax + 1)
        #expect(lines[1] == "Config parse error: /r:1:5: no such word")
        #expect(lines.last == "and 1 more errors")
    }
}
