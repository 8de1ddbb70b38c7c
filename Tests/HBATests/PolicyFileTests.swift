import Foundation
import HBA
import Testing

/// The ready-made policies, each with a table of the decisions it is there for (`NAME.expected`).
@Suite struct PolicyFileTests {
    /// A line of a table.
    private struct Row {
        let text: String
        let question: HBAQuestion
        let facts: HBAFacts
        /// `METHOD line N`, `no match`, or `needs FACT`.
        let expected: String
    }

    private static let folder = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3)
        .joined(separator: "/") + "/policies"

    /// Reads files from the folder of the policies.
    private static let reader = HBAFileReader(
        read: { path in
            FileManager.default.contents(atPath: path).map { .success(Array($0)) } ?? .failure(.missing)
        },
        list: { _ in .failure(.missing) }
    )

    private static func names() throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: Self.folder)
            .filter { $0.hasSuffix(".hba") }.map { String($0.dropLast(4)) }.sorted()
    }

    private static func text(_ file: String) throws -> String {
        try String(contentsOfFile: Self.folder + "/" + file, encoding: .utf8)
    }

    private static func load(_ name: String) throws -> HBAPolicy {
        try HBAPolicy.load(
            path: "\(Self.folder)/\(name).hba",
            methods: knownMethods.union(["cert"]),
            mapMethods: ["cert"],
            reader: Self.reader
        )
    }

    private static func rows(_ name: String) throws -> [Row] {
        let lines = try Self.text("\(name).expected").split(separator: "\n").filter { !$0.hasPrefix("#") }
        return try lines.map { line in
            let columns = line.components(separatedBy: "  ")
                .map { $0.trimmingCharacters(in: .whitespaces) }.filter { !$0.isEmpty }
            try #require(columns.count == 5, "\(line)")
            let isReplication = columns[1] == "(replication)"
            let question = HBAQuestion(
                origin: try #require(clientOrigin(columns[0])),
                database: isReplication ? "" : columns[1],
                user: columns[2],
                isReplication: isReplication
            )
            return Row(text: String(line), question: question, facts: try Self.facts(columns[3]), expected: columns[4])
        }
    }

    /// `-`, or words as ``FactsTests/facts(_:)`` has them.
    private static func facts(_ text: String) throws -> HBAFacts {
        try text == "-" ? .none : FactsTests.facts(text.replacingOccurrences(of: "interface=", with: "if="))
    }

    @Test func everyTableHolds() throws {
        var checked = 0
        for name in try Self.names() {
            let policy = try Self.load(name)
            for row in try Self.rows(name) {
                checked += 1
                let decision = policy.decide(row.question, facts: row.facts)
                let found =
                    switch decision {
                    case .method(let rule), .reject(let rule): "\(rule.method) line \(rule.line)"
                    case .noMatch: "no match"
                    case .needs(let need): "needs \(need == .roles ? "roles" : "host_name")"
                    case .undecidable: "undecidable"
                    }
                #expect(found == row.expected, "\(name): \(row.text)")
            }
        }
        #expect(checked >= 100)
    }

    /// Each rule of each file decides at least one line of its table: a rule nobody checks may say anything.
    @Test func everyRuleIsUsed() throws {
        for name in try Self.names() {
            let policy = try Self.load(name)
            let used = try Self.rows(name).compactMap { policy.decide($0.question, facts: $0.facts).rule?.index }
            #expect(Set(used) == Set(policy.rules.map(\.index)), "\(name)")
        }
    }

    /// No policy without a table, and none that starts without saying what it is for.
    @Test func everyFileSaysWhatItIsFor() throws {
        #expect(try Self.names().count >= 8)
        for name in try Self.names() {
            let text = try Self.text("\(name).hba")
            #expect(text.hasPrefix("# "))
            for word in ["# For:", "# Gives:", "# Adapt:", "# Try it:"] {
                #expect(text.contains(word), "\(name) has no \(word)")
            }
        }
    }
}
