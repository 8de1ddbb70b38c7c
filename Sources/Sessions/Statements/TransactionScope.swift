/// A second look at a text that sets parameters by `set_config` or creates something temporary: does all of that end
/// with the transaction? Then the session has nothing to be cleaned of.
///
/// Only what is plain to see counts: `set_config(name, value, true)`, and one `CREATE TEMP TABLE ... ON COMMIT DROP`.
/// Whatever is in doubt does not end.
struct TransactionScope {
    /// More calls are not looked into: each is read twice.
    private static let callsMax = 8

    /// How far the beginning of a statement has been read.
    private enum Head {
        case start, create, temporary, table, other
    }

    private var calls = 0
    private var localCalls = 0
    private var temporaries = 0
    private var droppedTables = 0
    private var head = Head.start
    private var depth = 0
    /// Words of `ON COMMIT DROP` that have come, one behind the other.
    private var dropWords = 0

    /// Those of the traits that end with the transaction.
    static func ending(
        _ traits: StatementTraits,
        _ bytes: borrowing Span<UInt8>,
        _ range: Range<Int>
    ) -> StatementTraits {
        if traits.isDisjoint(with: [.setConfig, .temporary]) || traits.contains(.unfinished) { return [] }
        let text = range.clamped(to: 0..<bytes.count)
        // What a backslash means depends on a setting.
        for index in text where bytes[index] == UInt8(ascii: "\\") { return [] }
        var scope = TransactionScope()
        scope.read(bytes, text)
        var ending: StatementTraits = []
        if scope.calls > 0, scope.calls == scope.localCalls { ending.insert(.setConfig) }
        if scope.temporaries == 1, scope.droppedTables == 1 { ending.insert(.temporary) }
        return ending
    }

    private mutating func read(_ bytes: borrowing Span<UInt8>, _ range: Range<Int>) {
        var lexer = SQLLexer(bytes.count, range, isBackslashPlain: true)
        while true {
            let token = lexer.next(bytes)
            let word = SQLWord(start: lexer.start, count: lexer.position &- lexer.start)
            switch token {
            case .end, .unfinished: return
            case .semicolon:
                if self.depth == 0 { self.head = .start }
                self.dropWords = 0
            case .open:
                self.depth &+= 1
                self.dropWords = 0
            case .close:
                self.depth = max(self.depth &- 1, 0)
                self.dropWords = 0
            case .word:
                self.mention(bytes, word, lexer)
                if self.depth == 0 { self.advance(bytes, word) }
            case .quotedName, .unicodeName:
                // `set_config` in quotes is that function as well, `pg_temp` that schema.
                let name = SQLWord(start: word.start &+ 1, count: word.count &- 2)
                if token == .unicodeName || Self.sets(bytes, name) { self.calls &+= 1 }
                if token == .unicodeName || Self.isTemporary(bytes, name) { self.temporaries &+= 2 }
                self.dropWords = 0
            case .string, .dot, .symbol: self.dropWords = 0
            }
        }
    }

    /// What counts wherever it stands.
    private mutating func mention(_ bytes: borrowing Span<UInt8>, _ word: SQLWord, _ lexer: SQLLexer) {
        switch word.count {
        case 4 where word.equals(bytes, "temp"), 9 where word.equals(bytes, "temporary"): self.temporaries &+= 1
        case 7 where word.equals(bytes, "pg_temp"): self.temporaries &+= 2
        case 11 where word.equals(bytes, "pg_settings"): self.calls &+= 1
        case 10 where word.equals(bytes, "set_config"):
            self.calls &+= 1
            if self.calls <= Self.callsMax, Self.isLocal(bytes, lexer) { self.localCalls &+= 1 }
        default: if word.isNumberedTemporarySchema(bytes) { self.temporaries &+= 2 }
        }
    }

    /// A name in quotes: the function, or the view of which an UPDATE sets parameters for the session.
    private static func sets(_ bytes: borrowing Span<UInt8>, _ name: SQLWord) -> Bool {
        name.equals(bytes, "set_config") || name.equals(bytes, "pg_settings")
    }

    private static func isTemporary(_ bytes: borrowing Span<UInt8>, _ name: SQLWord) -> Bool {
        name.equals(bytes, "pg_temp") || name.isNumberedTemporarySchema(bytes)
    }

    private mutating func advance(_ bytes: borrowing Span<UInt8>, _ word: SQLWord) {
        switch self.head {
        case .start: self.head = word.equals(bytes, "create") ? .create : .other
        case .create:
            if word.equals(bytes, "temp") || word.equals(bytes, "temporary") {
                self.head = .temporary
            } else if !word.equals(bytes, "local"), !word.equals(bytes, "global") {
                self.head = .other
            }
        case .temporary: self.head = word.equals(bytes, "table") ? .table : .other
        case .table: self.tableWord(bytes, word)
        case .other: return
        }
    }

    private mutating func tableWord(_ bytes: borrowing Span<UInt8>, _ word: SQLWord) {
        // Behind it stands a query.
        if word.equals(bytes, "as") {
            self.head = .other
            return
        }
        switch self.dropWords {
        case 1 where word.equals(bytes, "commit"): self.dropWords = 2
        case 2 where word.equals(bytes, "drop"):
            self.droppedTables &+= 1
            self.dropWords = 0
        default: self.dropWords = word.equals(bytes, "on") ? 1 : 0
        }
    }

    /// What follows are three arguments in parentheses, of which the third is `true`.
    ///
    /// - Parameter lexer: stands behind the name.
    private static func isLocal(_ bytes: borrowing Span<UInt8>, _ lexer: SQLLexer) -> Bool {
        var lexer = lexer
        guard lexer.next(bytes) == .open else { return false }
        var (depth, commas, isTrue) = (1, 0, false)
        while true {
            let token = lexer.next(bytes)
            let word = SQLWord(start: lexer.start, count: lexer.position &- lexer.start)
            switch token {
            case .end, .unfinished, .semicolon: return false
            case .open: depth &+= 1
            case .close:
                depth &-= 1
                if depth == 0 { return commas == 2 && isTrue }
            case .symbol where depth == 1 && word.equals(bytes, ","):
                commas &+= 1
                isTrue = false
                continue
            default: break
            }
            guard commas == 2 else { continue }
            // The third argument is one word.
            if isTrue || token != .word || !word.equals(bytes, "true") { return false }
            isTrue = true
        }
    }
}
