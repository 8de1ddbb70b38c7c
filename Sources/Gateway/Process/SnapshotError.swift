import HBA
import Settings

/// The settings are well-formed but cannot be put in force: everything that is wrong with them, as far as one mistake
/// does not hide another.
struct SnapshotError: Error, Sendable, CustomStringConvertible {
    struct Problem: Sendable {
        /// The setting that it concerns: its place in the files is told first. Nil where the text names the place.
        let key: String?
        let text: String

        init(at key: String, _ reason: String) {
            self.key = key
            self.text = "\(key): \(reason)"
        }

        /// A rule is named by file and line; the file of those that stand in the settings is their key.
        init(rule: HBARule, _ reason: String) {
            self.key = rule.file == Snapshot.rulesKey ? rule.file : nil
            self.text = "\(rule.file):\(rule.line): \(reason)"
        }

        /// - Parameter key: what gave the text, or named the file.
        init(_ error: HBAError, key: String) {
            let isInSettings = error.file == key
            self.key = isInSettings || error.line == 0 ? key : nil
            self.text = isInSettings || error.line > 0 ? error.description : "\(key): \(error.description)"
        }

        /// The text names the setting itself.
        init(key: String, text: String) {
            self.key = key
            self.text = text
        }
    }

    /// More are only counted.
    static let problemsMax = 100

    private(set) var problems: [Problem] = []
    private(set) var omittedCount = 0

    init(_ problems: [Problem]) {
        for problem in problems { self.add(problem) }
    }

    init(at key: String, _ reason: String) { self.init([Problem(at: key, reason)]) }

    init(_ errors: HBAErrors, key: String) {
        self.init(errors.errors.map { Problem($0, key: key) })
        self.omittedCount += errors.omittedCount
    }

    private mutating func add(_ problem: Problem) {
        if self.problems.count < Self.problemsMax { self.problems.append(problem) } else { self.omittedCount += 1 }
    }

    mutating func add(_ other: SnapshotError) {
        for problem in other.problems { self.add(problem) }
        self.omittedCount += other.omittedCount
    }

    /// One line per problem, without the places of keys.
    var description: String { self.problems.map(\.text).joined(separator: "\n") }

    /// One line per problem, each beginning `Config parse error: ` and, where it concerns a key, file and line of that.
    func report(_ settings: GatewaySettings) -> String {
        var lines = self.problems.map { problem in
            let place = problem.key.flatMap { settings.place(of: $0) }
            return "Config parse error: " + (place.map { "\($0): " } ?? "") + problem.text
        }
        if self.omittedCount > 0 { lines.append("and \(self.omittedCount) more errors") }
        return lines.joined(separator: "\n")
    }
}

/// What one load has found so far. Belongs to one load on one thread.
struct SnapshotProblems {
    private var found = SnapshotError([])

    mutating func add(_ error: SnapshotError) { self.found.add(error) }

    /// - Throws: all of it, if there is anything.
    func check() throws(SnapshotError) {
        if !self.found.problems.isEmpty { throw self.found }
    }
}
