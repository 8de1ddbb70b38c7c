package import PGWire

/// A statement that a console client sent and how it ended, for the audit stream. Immutable.
package struct ConsoleNote: Equatable, Sendable {
    /// The statement without what it had in quotes, whole but for `tokensMax`: records are cut where they are made.
    package let text: String
    /// nil when it succeeded.
    package let sqlState: SQLState?

    /// Of a statement that could not be understood, so many leading words are told: what follows may be a secret that
    /// was meant for a real server.
    private static let toldWords = 4
    /// More words and signs than a record has room for.
    private static let tokensMax = 1024

    /// The words and signs of a statement that was understood.
    static func text(_ tokens: [ConsoleToken]) -> String {
        tokens.prefix(Self.tokensMax).map { token in
            switch token.kind {
            case .word, .sign: token.text
            case .identifier: "\"\(token.text)\""
            case .string: "'...'"
            }
        }.joined(separator: " ")
    }

    /// What may be told of a statement that was not understood.
    static func refusedText(_ tokens: [ConsoleToken]) -> String {
        let words = tokens.prefix { $0.kind == .word }.prefix(Self.toldWords)
        return words.map(\.text).joined(separator: " ")
    }

    /// The same of a query that could not even be taken apart.
    static func refusedText(ofQuery query: String) -> String {
        let words = query.unicodeScalars.prefix { $0 == " " || $0.properties.isAlphabetic }
        let told = words.split(separator: " ", maxSplits: Self.toldWords).prefix(Self.toldWords)
        return told.map { String($0) }.joined(separator: " ")
    }
}

extension ConsoleSession {
    /// Takes what there is to tell since the last time.
    package mutating func takeNotes() -> [ConsoleNote] {
        if self.notes.isEmpty { return [] }
        defer { self.notes = [] }
        return self.notes
    }

    mutating func note(_ text: String, _ failure: SQLState? = nil) {
        self.notes.append(ConsoleNote(text: text, sqlState: failure))
    }
}
