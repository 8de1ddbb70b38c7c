/// The keywords by which a statement is told; those that mean the same to `StatementReader` share a case.
enum StatementKeyword: UInt8 {
    case other
    case all, `as`, atomic, begin, copy, create, deallocate, discard, end, execute, explain, fetch, prepare, reset, set
    case start, transaction, work
    /// ANALYZE, ANALYSE, VERBOSE.
    case explainOption
    /// OR, REPLACE.
    case orReplace
    /// FUNCTION, PROCEDURE.
    case routine
    /// LOCAL, GLOBAL.
    case scope
    /// TEMP, TEMPORARY.
    case temporary

    static func find(_ bytes: borrowing Span<UInt8>, _ start: Int, _ count: Int) -> StatementKeyword {
        let word = SQLWord(start: start, count: count)
        switch count {
        case 2:
            if word.equals(bytes, "as") { return .as }
            if word.equals(bytes, "or") { return .orReplace }
        case 3:
            if word.equals(bytes, "all") { return .all }
            if word.equals(bytes, "end") { return .end }
            if word.equals(bytes, "set") { return .set }
        case 4:
            if word.equals(bytes, "copy") { return .copy }
            if word.equals(bytes, "temp") { return .temporary }
            if word.equals(bytes, "work") { return .work }
        case 5:
            if word.equals(bytes, "begin") { return .begin }
            if word.equals(bytes, "start") { return .start }
            if word.equals(bytes, "fetch") { return .fetch }
            if word.equals(bytes, "reset") { return .reset }
            if word.equals(bytes, "local") { return .scope }
        case 6:
            if word.equals(bytes, "create") { return .create }
            if word.equals(bytes, "atomic") { return .atomic }
            if word.equals(bytes, "global") { return .scope }
        case 7: return self.ofSeven(bytes, word)
        case 8: if word.equals(bytes, "function") { return .routine }
        case 9:
            if word.equals(bytes, "procedure") { return .routine }
            if word.equals(bytes, "temporary") { return .temporary }
        case 10: if word.equals(bytes, "deallocate") { return .deallocate }
        case 11: if word.equals(bytes, "transaction") { return .transaction }
        default: break
        }
        return .other
    }

    private static func ofSeven(_ bytes: borrowing Span<UInt8>, _ word: SQLWord) -> StatementKeyword {
        if word.equals(bytes, "prepare") { return .prepare }
        if word.equals(bytes, "execute") { return .execute }
        if word.equals(bytes, "explain") { return .explain }
        if word.equals(bytes, "discard") { return .discard }
        if word.equals(bytes, "replace") { return .orReplace }
        if word.equals(bytes, "verbose") || word.equals(bytes, "analyze") || word.equals(bytes, "analyse") {
            return .explainOption
        }
        return .other
    }
}
