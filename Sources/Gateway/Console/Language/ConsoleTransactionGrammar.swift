/// `BEGIN`, `START TRANSACTION`, `COMMIT`, `END`, `ROLLBACK`, `ABORT` with PostgreSQL's options. Drivers open a
/// transaction before the first statement, so the console takes these although nothing in it is transactional.
/// Pure functions.
enum ConsoleTransactionGrammar {
    private static let modeWords: Set<String> = [
        "ISOLATION", "LEVEL", "SERIALIZABLE", "REPEATABLE", "READ", "COMMITTED", "UNCOMMITTED", "WRITE", "ONLY", "NOT",
        "DEFERRABLE",
    ]

    /// `verb` is the first word in upper case, which the cursor has passed.
    static func parse(_ verb: String, _ cursor: inout ConsoleTokenCursor) throws(ConsoleError) -> ConsoleStatement {
        switch verb {
        case "START":
            try cursor.expect("TRANSACTION")
            try self.modes(&cursor)
            return .transaction(.begin, tag: "START TRANSACTION")
        case "BEGIN":
            self.skipNoiseWord(&cursor)
            try self.modes(&cursor)
            return .transaction(.begin, tag: "BEGIN")
        case "COMMIT", "END":
            self.skipNoiseWord(&cursor)
            try cursor.expectEnd()
            return .transaction(.commit, tag: "COMMIT")
        default:
            self.skipNoiseWord(&cursor)
            try cursor.expectEnd()
            return .transaction(.rollback, tag: "ROLLBACK")
        }
    }

    private static func skipNoiseWord(_ cursor: inout ConsoleTokenCursor) {
        if !cursor.take("WORK") { _ = cursor.take("TRANSACTION") }
    }

    /// Everything up to the end must be transaction modes; which ones makes no difference here.
    static func modes(_ cursor: inout ConsoleTokenCursor) throws(ConsoleError) {
        while let token = cursor.next() {
            let isMode = token.kind == .word && self.modeWords.contains(token.text.uppercased())
            guard isMode || token.isSign(",") else { throw .syntax(at: token) }
        }
    }
}
