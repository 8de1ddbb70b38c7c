import PGWire

/// One word of a policy text, with its quotes taken off.
struct HBAToken: Sendable {
    let text: String
    /// Whether the word begins with a double quote: then it is a name, never a keyword, a role or a file.
    let isQuoted: Bool
    /// Whether there are double quotes after the beginning only, as in `map="my map"`.
    let hasInnerQuotes: Bool
    /// Where the word stands in its logical line, in bytes, quotes included.
    let range: Range<Int>
    /// The line it stands in; for a name out of a list of names, a line of another file than the rule.
    let source: HBASourceLine

    /// Whether the word stands for the names in a file; a lone `@` is a name.
    var isFileInclusion: Bool {
        !self.isQuoted && self.text.begins(with: "@") && self.text.utf8.count > 1
    }

    /// Whether this is the keyword itself, not a quoted name of the same spelling. Keywords are lower case.
    func isKeyword(_ word: String) -> Bool {
        !self.isQuoted && self.text.hasSameBytes(as: word)
    }
}

extension HBAToken {
    /// An error at the place of the word. Walks the line: for errors only.
    func error(_ reason: String, hint: String? = nil) -> HBAError {
        self.source.error(at: self.range.lowerBound, reason, hint: hint)
    }
}

/// A logical line and the file it stands in; shared by the words of the line.
final class HBASourceLine: Sendable {
    let file: String
    let text: LogicalLine

    init(file: String, text: LogicalLine) {
        self.file = file
        self.text = text
    }

    func error(at offset: Int, _ reason: String, hint: String? = nil) -> HBAError {
        let place = self.text.place(of: offset)
        return HBAError(file: self.file, line: place.line, column: place.column, reason: reason, hint: hint)
    }
}

/// One column of a line: a word, or several joined by commas.
struct HBAField: Sendable {
    /// Never empty.
    let tokens: [HBAToken]
    let first: HBAToken

    /// `nil` without a token.
    init?(_ tokens: [HBAToken]) {
        guard let first = tokens.first else { return nil }
        self.tokens = tokens
        self.first = first
    }
}

/// One logical line: a physical line, or several joined by a backslash at the line's end.
struct HBALine: Sendable {
    let source: HBASourceLine
    /// Never empty.
    let fields: [HBAField]
}
