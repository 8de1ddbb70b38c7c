/// One reason why a policy text cannot be understood, with the place where the reader should look.
///
/// A value; any thread. The texts quote words of the policy file, but never the value of an option: it may be a secret.
package struct HBAError: Error, Sendable, Hashable {
    /// The name the caller gave to the text, usually a path.
    package let file: String
    /// Physical line, from 1. Zero: the text as a whole.
    package let line: Int
    /// Character (Unicode scalar) in that line, from 1. Zero: the text as a whole.
    package let column: Int
    package let reason: String
    /// What to write instead, when that can be said.
    package let hint: String?

    package init(file: String, line: Int, column: Int, reason: String, hint: String? = nil) {
        self.file = file
        self.line = line
        self.column = column
        self.reason = reason
        self.hint = hint
    }
}

extension HBAError: CustomStringConvertible {
    /// `FILE:LINE:COLUMN: reason`, then the hint after a semicolon. Without a line, `FILE: reason`.
    package var description: String {
        let place = self.line == 0 ? self.file : "\(self.file):\(self.line):\(self.column)"
        return "\(place): \(self.reason)" + (self.hint.map { "; \($0)" } ?? "")
    }
}

/// Everything that is wrong with a policy: in the order of the text, with the files it includes in their places.
///
/// A text with any error is refused whole: dropping the lines that cannot be understood would let a typo in a `reject`
/// line open the door.
package struct HBAErrors: Error, Sendable, Hashable {
    /// The errors that are told; more are only counted.
    package static let maximumCount = 100

    package private(set) var errors: [HBAError] = []
    /// Errors beyond ``maximumCount``.
    package private(set) var omittedCount = 0

    init() {}

    package init(_ error: HBAError) {
        self.errors = [error]
    }

    package var isEmpty: Bool { self.errors.isEmpty }

    mutating func append(_ error: HBAError) {
        if self.errors.count < Self.maximumCount {
            self.errors.append(error)
        } else {
            self.omittedCount += 1
        }
    }
}

extension HBAErrors: CustomStringConvertible {
    /// One error per line.
    package var description: String {
        let told = self.errors.map(\.description)
        let rest = self.omittedCount == 0 ? [] : ["and \(self.omittedCount) more errors"]
        return (told + rest).joined(separator: "\n")
    }
}
