/// `BEGIN`, `START TRANSACTION`, `COMMIT`, `END`, `ROLLBACK`, `ABORT`, `SAVEPOINT`, `RELEASE`, `ROLLBACK TO` with
/// PostgreSQL's options. Drivers open a transaction before the first statement, and some set a savepoint before each
/// statement in it, so the console takes these although nothing in it is transactional. Pure functions.
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
            return .transaction(.commit(chains: try self.chain(&cursor)), tag: "COMMIT")
        case "SAVEPOINT":
            return .transaction(.savepoint(try self.lastName(&cursor)), tag: "SAVEPOINT")
        case "RELEASE":
            _ = cursor.take("SAVEPOINT")
            return .transaction(.release(try self.lastName(&cursor)), tag: "RELEASE")
        default:
            self.skipNoiseWord(&cursor)
            if verb == "ROLLBACK", cursor.take("TO") {
                _ = cursor.take("SAVEPOINT")
                return .transaction(.rollbackTo(try self.lastName(&cursor)), tag: "ROLLBACK")
            }
            return .transaction(.rollback(chains: try self.chain(&cursor)), tag: "ROLLBACK")
        }
    }

    /// `[AND [NO] CHAIN]` and the end.
    private static func chain(_ cursor: inout ConsoleTokenCursor) throws(ConsoleError) -> Bool {
        var chains = false
        if cursor.take("AND") {
            chains = !cursor.take("NO")
            try cursor.expect("CHAIN")
        }
        try cursor.expectEnd()
        return chains
    }

    private static func lastName(_ cursor: inout ConsoleTokenCursor) throws(ConsoleError) -> String {
        let name = try cursor.expectName()
        try cursor.expectEnd()
        return name
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
