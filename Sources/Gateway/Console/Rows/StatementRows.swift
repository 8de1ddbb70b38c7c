/// A row of `SHOW PREPARED_STATEMENTS`: one statement that a pool knows. The gateway fills it; immutable afterwards.
package struct StatementRow: ConsoleRow, Equatable {
    /// Longer texts are cut off after so many characters: an answer has to have a bound.
    package static let queryCharactersMax = 2000

    package var pool: String
    package var hash: UInt64
    package var name: String
    package var query: String
    package var useCount: Int
    package var kind: String

    package init(pool: String, hash: UInt64, name: String, query: String, useCount: Int, kind: String) {
        self.pool = pool
        self.hash = hash
        self.name = name
        self.query = query
        self.useCount = useCount
        self.kind = kind
    }

    package static let fields: [ConsoleField<Self>] = [
        .text("pool", "User and database of the pool, as `user@database`") { $0.pool },
        .text("hash", "`0x` and sixteen hexadecimal digits, of text, parameter types and planner settings") {
            ConsoleHash.text($0.hash)
        },
        .text("name", "Name of the statement on the server connections that have it") { $0.name },
        .text("query", "Its text, at most the first \(queryCharactersMax) characters") { $0.query },
        .number("count_used", "Times that a client prepared it") { $0.useCount },
        .text("kind", "`named`, `anonymous`, or `mixed` when clients prepare it with and without a name") { $0.kind },
    ]
}

/// A row of `SHOW INTERNER`: the stored texts of one kind. The gateway fills it; immutable afterwards.
package struct InternerRow: ConsoleRow, Equatable {
    package var kind: String
    package var entries: Int
    package var bytes: Int
    package var bytesMax: Int

    package init(kind: String, entries: Int, bytes: Int, bytesMax: Int) {
        self.kind = kind
        self.entries = entries
        self.bytes = bytes
        self.bytesMax = bytesMax
    }

    package static let fields: [ConsoleField<Self>] = [
        .text("kind", "`named` for texts that a pool knows as those of named statements, `anonymous` for all others") {
            $0.kind
        },
        .number("entries", "Texts stored now") { $0.entries },
        .number("bytes", "Their bytes") { $0.bytes },
        .number(
            "bytes_max",
            """
            Bytes that the texts of all kinds together may have, each counted with 128 more \
            (`query_interner_max_size`)
            """
        ) { $0.bytesMax },
    ]
}

/// A row of `SHOW INTERNER n`: one stored text. The gateway fills it; immutable afterwards.
package struct InternedTextRow: ConsoleRow, Equatable {
    /// The most rows that are shown, whatever `n` is.
    package static let rowsMax = 1000

    package var hash: UInt64
    package var kind: String
    package var bytes: Int
    package var query: String

    package init(hash: UInt64, kind: String, bytes: Int, query: String) {
        self.hash = hash
        self.kind = kind
        self.bytes = bytes
        self.query = query
    }

    package static let fields: [ConsoleField<Self>] = [
        .text("hash", "`0x` and sixteen hexadecimal digits, of the text") { ConsoleHash.text($0.hash) },
        .text("kind", "`named` or `anonymous`, as in `SHOW INTERNER`") { $0.kind },
        .number("bytes", "Bytes of the text") { $0.bytes },
        .number("idle_ms", "Always -1: a text goes when nobody has a statement with it, not by age") { _ in -1 },
        .text("query", "The first 120 characters of the text") { $0.query },
    ]
}

/// How hashes are shown.
enum ConsoleHash {
    static func text(_ hash: UInt64) -> String {
        let digits = String(hash, radix: 16)
        return "0x" + String(repeating: "0", count: 16 - digits.count) + digits
    }
}
