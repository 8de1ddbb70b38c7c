/// A place in a settings file: what an administrator opens in an editor. The line is missing when the parser of the
/// format does not tell it.
package struct SourceLocation: Hashable, Sendable, CustomStringConvertible {
    package var file: String
    package var line: Int?

    package init(file: String, line: Int? = nil) {
        self.file = file
        self.line = line
    }

    package var description: String {
        guard let line = self.line else { return self.file }
        return "\(self.file):\(line)"
    }
}

/// One thing that is wrong in the settings. Never holds a secret: reasons quote only what the file says for keys
/// that are not secret, and never what a reference was replaced with.
package struct SettingsProblem: Error, Hashable, CustomStringConvertible {
    package var file: String
    package var line: Int?
    /// Dotted, such as `pools.shop.users[0].password`; empty when the problem concerns the whole file.
    package var keyPath: String
    package var reason: String
    package var hint: String?

    package init(at location: SourceLocation, keyPath: String, reason: String, hint: String? = nil) {
        self.file = location.file
        self.line = location.line
        self.keyPath = keyPath
        self.reason = reason
        self.hint = hint
    }

    package var description: String {
        var text = SourceLocation(file: self.file, line: self.line).description
        if !self.keyPath.isEmpty {
            text += ": \(self.keyPath)"
        }
        text += ": \(self.reason)"
        if let hint = self.hint {
            text += " (\(hint))"
        }
        return text
    }
}

/// All problems found in one load, ordered by file and line. Thrown whole: settings apply completely or not at all.
package struct SettingsErrors: Error, Equatable, Sendable, CustomStringConvertible {
    package let problems: [SettingsProblem]
    /// Problems beyond ``Diagnostics/maximumProblems``.
    package let omittedCount: Int

    /// - Parameters:
    ///   - problems: in the order found.
    ///   - files: the files in the order read; problems are sorted by it, then by line.
    ///   - omittedCount: problems that are only counted.
    init(_ problems: [SettingsProblem], files: [String] = [], omittedCount: Int = 0) {
        self.omittedCount = omittedCount
        func rank(_ problem: SettingsProblem) -> (Int, Int) {
            (files.firstIndex(of: problem.file) ?? files.count, problem.line ?? 0)
        }
        self.problems = problems.enumerated()
            .sorted { left, right in
                let leftRank = rank(left.element)
                let rightRank = rank(right.element)
                return leftRank == rightRank ? left.offset < right.offset : leftRank < rightRank
            }
            .map(\.element)
    }

    /// One line per problem, each beginning `Config parse error: `.
    package var description: String {
        let told = self.problems.map { "Config parse error: \($0)" }
        let rest = self.omittedCount == 0 ? [] : ["and \(self.omittedCount) more errors"]
        return (told + rest).joined(separator: "\n")
    }
}

/// What a load has found so far. Belongs to one load on one thread.
struct Diagnostics {
    /// The problems that are told; more are only counted.
    static let maximumProblems = 100

    private(set) var problems: [SettingsProblem] = []
    private(set) var omittedCount = 0
    private(set) var warnings: [String] = []

    /// Whether further problems are only counted: their hints need not be looked for.
    var isFull: Bool { self.problems.count >= Self.maximumProblems }

    mutating func report(_ problem: SettingsProblem) {
        if self.isFull { self.omittedCount += 1 } else { self.problems.append(problem) }
    }

    mutating func report(_ location: SourceLocation, _ keyPath: String, _ reason: String, hint: String? = nil) {
        self.report(SettingsProblem(at: location, keyPath: keyPath, reason: reason, hint: hint))
    }

    mutating func warn(_ location: SourceLocation, _ keyPath: String, _ text: String) {
        self.warnings.append("\(location): \(keyPath): \(text)")
    }
}

/// Why one value is refused, before the place is known.
struct ValueProblem: Error {
    var reason: String
    var hint: String?
    /// Of the element of a list that it concerns; nil when it concerns the value as a whole.
    var location: SourceLocation?
    /// What is wrong with further elements.
    var others: [ValueProblem] = []

    init(_ reason: String, hint: String? = nil) {
        self.reason = reason
        self.hint = hint
    }
}
