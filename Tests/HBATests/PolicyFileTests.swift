import Foundation
import HBA
import Testing

/// The ready-made policies, each with the decisions it is there for.
@Suite struct PolicyFileTests {
    /// File, origin, database (`*` for replication), user, expected method or `no match`.
    private static let table: [(file: String, origin: String, database: String, user: String, expected: String)] = [
        ("production.hba", "unix", "pggateway", "admin", "scram-sha-256"),
        ("production.hba", "127.0.0.1", "pgbouncer", "admin", "scram-sha-256"),
        ("production.hba", "::1", "pgdoorman", "admin", "scram-sha-256"),
        ("production.hba", "10.20.0.5 tls", "pggateway", "admin", "reject"),
        ("production.hba", "127.0.0.2", "pggateway", "admin", "reject"),
        ("production.hba", "unix", "app", "postgres", "reject"),
        ("production.hba", "10.20.0.5 tls", "app", "postgres", "reject"),
        ("production.hba", "10.20.0.5 tls", "postgres", "app", "scram-sha-256"),
        ("production.hba", "unix", "*", "app", "reject"),
        ("production.hba", "10.20.0.5 tls", "*", "app", "reject"),
        ("production.hba", "10.20.0.5 tls", "app", "app", "scram-sha-256"),
        ("production.hba", "::ffff:10.20.0.5 tls", "app", "app", "scram-sha-256"),
        ("production.hba", "fd00:20::5 tls", "app", "app", "scram-sha-256"),
        ("production.hba", "10.20.0.5", "app", "app", "reject"),
        ("production.hba", "fd00:21::5 tls", "app", "app", "reject"),
        ("production.hba", "10.21.0.5 tls", "app", "app", "reject"),
        ("production.hba", "127.0.0.1 tls", "app", "app", "reject"),
        ("production.hba", "unix", "app", "app", "reject"),
        ("team-per-database.hba", "10.1.0.7", "orders", "orders_app", "scram-sha-256"),
        ("team-per-database.hba", "10.1.0.7 tls", "orders_archive", "orders_migration", "scram-sha-256"),
        ("team-per-database.hba", "10.1.0.7", "billing", "orders_app", "no match"),
        ("team-per-database.hba", "10.1.0.7", "orders", "billing_app", "no match"),
        ("team-per-database.hba", "10.1.1.7", "orders", "orders_app", "no match"),
        ("team-per-database.hba", "10.2.0.7", "orders", "orders_app", "no match"),
        ("team-per-database.hba", "10.2.0.7", "billing", "billing_app", "scram-sha-256"),
        ("team-per-database.hba", "10.2.9.7", "billing", "billing audit", "scram-sha-256"),
        ("team-per-database.hba", "10.2.9.7", "billing", "billing", "no match"),
        ("team-per-database.hba", "10.2.0.7", "billing", "billing audit", "no match"),
        ("team-per-database.hba", "10.0.0.10 tls", "billing", "oncall_anna", "scram-sha-256"),
        ("team-per-database.hba", "10.0.0.10", "billing", "oncall_anna", "no match"),
        ("team-per-database.hba", "10.0.0.11 tls", "billing", "oncall_anna", "no match"),
        ("team-per-database.hba", "10.0.0.10 tls", "*", "oncall_anna", "no match"),
        ("team-per-database.hba", "10.9.3.1", "dora", "dora", "scram-sha-256"),
        ("team-per-database.hba", "10.9.3.1", "orders", "dora", "no match"),
        ("team-per-database.hba", "unix", "dora", "dora", "no match"),
        ("tls-only.hba", "10.0.0.1", "app", "app", "reject"),
        ("tls-only.hba", "127.0.0.1", "app", "legacy_batch", "reject"),
        ("tls-only.hba", "2001:db8::1", "app", "app", "reject"),
        ("tls-only.hba", "10.0.0.1 tls", "app", "app", "scram-sha-256"),
        ("tls-only.hba", "2001:db8::1 tls", "app", "app", "scram-sha-256"),
        ("tls-only.hba", "10.0.0.1 tls", "app", "report_job", "md5"),
        ("tls-only.hba", "10.0.0.1 tls", "app", "legacy_batch", "md5"),
        ("tls-only.hba", "unix", "app", "report_job", "scram-sha-256"),
        ("tls-only.hba", "10.0.0.1 tls", "*", "app", "no match"),
        ("tls-only.hba", "10.0.0.1", "*", "app", "no match"),
    ]

    @Test(arguments: Self.table)
    func decides(_ file: String, _ from: String, _ database: String, _ user: String, _ expected: String) throws {
        let origin = try #require(clientOrigin(from))
        let isReplication = database == "*"
        let question = HBAQuestion(
            origin: origin,
            database: isReplication ? "" : database,
            user: user,
            isReplication: isReplication
        )
        #expect(try Self.load(file).decide(question).word == expected)
    }

    /// Each rule of each file decides at least one line of the table: a rule nobody checks may say anything.
    @Test func everyRuleIsUsed() throws {
        for file in Set(Self.table.map(\.file)) {
            let policy = try Self.load(file)
            var used: Set<Int> = []
            for line in Self.table where line.file == file {
                let isReplication = line.database == "*"
                let question = HBAQuestion(
                    origin: try #require(clientOrigin(line.origin)),
                    database: isReplication ? "" : line.database,
                    user: line.user,
                    isReplication: isReplication
                )
                if let index = policy.decide(question).rule?.index {
                    used.insert(index)
                }
            }
            #expect(used == Set(policy.rules.map(\.index)), "\(file)")
        }
    }

    /// No policy without a table, and none that starts without saying what it is for.
    @Test func everyFileIsInTheTable() throws {
        let files = try FileManager.default.contentsOfDirectory(atPath: Self.folder).filter { $0.hasSuffix(".hba") }
        #expect(Set(files) == Set(Self.table.map(\.file)))
        for file in files {
            #expect(try Self.text(file).hasPrefix("# "))
        }
    }

    private static let folder = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3)
        .joined(separator: "/") + "/policies"

    private static func text(_ file: String) throws -> String {
        try String(contentsOfFile: Self.folder + "/" + file, encoding: .utf8)
    }

    private static func load(_ file: String) throws -> HBAPolicy {
        try HBAPolicy.parse(text: Self.text(file), file: file, methods: knownMethods)
    }
}
