/// One pass over the text of a Query or Parse: which of its statements concern session state.
///
/// Words are matched without regard to ASCII case. What hides inside of constants (the body of `DO`), functions and
/// views is not seen. No allocation unless a statement is deallocated by name.
package struct SQLScan: Sendable, Equatable {
    package let traits: StatementTraits
    /// Names of statements that end, in order, as PostgreSQL reads them (`SQLName`). Empty but for `deallocate`.
    package let deallocated: [[UInt8]]
    /// Statements that are not empty.
    package let statementCount: Int

    /// Scans the text at `range`, which is without its zero byte; what lies outside of the bytes is cut off.
    ///
    /// - Parameter standardConformingStrings: the setting of the session that will run the text. Off, a backslash in
    ///   `'...'` takes the next character along; scanned with the wrong setting, a text that has such a backslash may
    ///   seem to end its constants, and so its statements, at other places than PostgreSQL sees.
    package init(_ bytes: borrowing Span<UInt8>, _ range: Range<Int>, standardConformingStrings: Bool = true) {
        var lexer = SQLLexer(bytes.count, range, isBackslashPlain: standardConformingStrings)
        var reader = StatementReader()
        scanning: while true {
            let token = lexer.next(bytes)
            switch token {
            case .word: reader.word(bytes, lexer.start, lexer.position &- lexer.start)
            case .symbol, .string: reader.other(token)
            case .dot: reader.dot()
            case .open: reader.open()
            case .close: reader.close()
            case .quotedName, .unicodeName: reader.name(bytes, lexer.start..<lexer.position, token)
            case .semicolon: reader.semicolon()
            case .end, .unfinished:
                reader.end(isUnfinished: token == .unfinished)
                break scanning
            }
        }
        self.traits = reader.traits.subtracting(TransactionScope.ending(reader.traits, bytes, range))
        self.deallocated = reader.deallocated
        self.statementCount = reader.statementCount
    }

    /// What a text may do to the session besides its `traits`, because it has a backslash, a name in escapes, a block
    /// of code or the name of the temporary schema within a constant; nothing without them.
    ///
    /// A `search_path` may be given as a constant (`SET search_path = 'pg_temp'`): what is created then is temporary
    /// though no word says so. The body of `DO` is a constant as well; of what it does, that is looked for by its words
    /// which leaves no tag of its own.
    ///
    /// With `standard_conforming_strings` off, which is not known here, its constants end elsewhere, and so do its
    /// statements. Any of them may be a SET, of which PostgreSQL tells by a tag; what leaves no tag is looked for. In
    /// some encodings the backslash is a part of a character, and what looks like a dollar quote is a part of a name or
    /// the other way round: then every word counts, wherever it stands. A name of the form `U&"..."` may be any of
    /// those that are looked for.
    static func hidden(_ bytes: borrowing Span<UInt8>, _ range: Range<Int>) -> StatementTraits {
        let text = range.clamped(to: 0..<bytes.count)
        let leavesNoTag: StatementTraits = [.setConfig, .advisoryLock, .temporary]
        var hidden = self.hasEscapedName(bytes, text) ? leavesNoTag : []
        let hasBackslash = self.hasBackslash(bytes, text)
        if self.namesTemporarySchema(bytes, text) || self.hidesPath(bytes, text, hasBackslash: hasBackslash) {
            hidden.insert(.temporary)
        }
        if self.hasBlock(bytes, text, hasBackslash: hasBackslash) {
            hidden.formUnion(self.leftByBlock(bytes, text, hasBackslash: hasBackslash))
        }
        if self.hasBackslash(bytes, text, behindLetter: true) || self.hasUnclearDollar(bytes, text) {
            hidden.formUnion(self.mentions(bytes, text).union(.set))
            if self.mayHaveBlock(bytes, text) { hidden.formUnion(StatementTraits.leftByBlocks) }
        }
        guard hasBackslash else { return hidden }
        let scan = SQLScan(bytes, range, standardConformingStrings: false)
        return scan.traits.intersection(leavesNoTag.union([.copy, .reset])).union(hidden).union(.set)
    }

    /// `U&"`, be it within a constant or a comment.
    private static func hasEscapedName(_ bytes: borrowing Span<UInt8>, _ range: Range<Int>) -> Bool {
        for index in range.dropFirst() where bytes[index] == UInt8(ascii: "\"") {
            let isEscaped = index >= range.lowerBound + 2 && bytes[index - 1] == UInt8(ascii: "&")
            if isEscaped, bytes[index - 2] | 0x20 == UInt8(ascii: "u") { return true }
        }
        return false
    }

    /// A dollar sign that may begin or end a quote, in a text with letters beyond ASCII: where these have two bytes,
    /// the second may look like a symbol, in front of which a name seems to end (SJIS, BIG5, GBK, UHC, GB18030,
    /// JOHAB), and one letter may be written in two ways.
    private static func hasUnclearDollar(_ bytes: borrowing Span<UInt8>, _ text: Range<Int>) -> Bool {
        var hasLetter = false
        var hasDollar = false
        for index in text {
            if bytes[index] >= 0x80 { hasLetter = true }
            guard bytes[index] == UInt8(ascii: "$") else { continue }
            // What else follows, no quote can begin or end with it.
            let next = index &+ 1
            guard next < text.upperBound else { continue }
            let kind = ByteClass.of(bytes[next])
            if kind == ByteClass.letter || kind == ByteClass.dollar { hasDollar = true }
        }
        return hasLetter && hasDollar
    }

    /// A `search_path` whose constant may name the temporary schema without showing it: written in escapes, continued
    /// on another line, or put together.
    private static func hidesPath(_ bytes: borrowing Span<UInt8>, _ text: Range<Int>, hasBackslash: Bool) -> Bool {
        guard self.holds("search_path", bytes, text) else { return false }
        if hasBackslash || self.holds("uescape", bytes, text) || self.holds("||", bytes, text) { return true }
        for index in text where bytes[index] == UInt8(ascii: "'") {
            if self.isContinued(bytes, (index &+ 1)..<text.upperBound) { return true }
        }
        return false
    }

    /// A constant that has ended in front of `rest` goes on there: behind blanks and comments, with a new line.
    private static func isContinued(_ bytes: borrowing Span<UInt8>, _ rest: Range<Int>) -> Bool {
        var hasNewline = false
        var index = rest.lowerBound
        while index < rest.upperBound {
            switch bytes[index] {
            case 0x0A, 0x0D: hasNewline = true
            case 0x20, 0x09, 0x0B, 0x0C: break
            case UInt8(ascii: "-"):
                guard index &+ 1 < rest.upperBound, bytes[index &+ 1] == UInt8(ascii: "-") else { return false }
                while index < rest.upperBound, bytes[index] != 0x0A, bytes[index] != 0x0D { index &+= 1 }
                continue
            default: return hasNewline && bytes[index] == UInt8(ascii: "'")
            }
            index &+= 1
        }
        return false
    }

    /// `pg_temp`, be it within a constant or a comment.
    private static func namesTemporarySchema(_ bytes: borrowing Span<UInt8>, _ text: Range<Int>) -> Bool {
        for index in text where bytes[index] == UInt8(ascii: "_") {
            guard index >= text.lowerBound &+ 2, index &+ 5 <= text.upperBound else { continue }
            if SQLWord(start: index &- 2, count: 7).equals(bytes, "pg_temp") { return true }
        }
        return false
    }

    /// - Parameter behindLetter: count only such as come right behind a byte beyond ASCII, and may be the end of a
    ///   character with it (SJIS, BIG5, GBK, UHC, GB18030, JOHAB).
    private static func hasBackslash(
        _ bytes: borrowing Span<UInt8>,
        _ text: Range<Int>,
        behindLetter: Bool = false
    ) -> Bool {
        for index in text where bytes[index] == UInt8(ascii: "\\") {
            if !behindLetter || (index > text.lowerBound && bytes[index &- 1] >= 0x80) { return true }
        }
        return false
    }

    /// What leaves no tag, by its words alone.
    static func mentions(_ bytes: borrowing Span<UInt8>, _ text: Range<Int>) -> StatementTraits {
        var traits: StatementTraits = []
        if self.holds("set_config", bytes, text) || self.holds("pg_settings", bytes, text) { traits.insert(.setConfig) }
        if self.holds("advisory_lock", bytes, text) { traits.insert(.advisoryLock) }
        if self.holds("temp", bytes, text) { traits.insert(.temporary) }
        return traits
    }

    /// - Parameter word: in lower case; matched in any case, wherever it stands.
    /// - Parameter alone: not as a part of a longer word. A dollar sign ends a word here: it may be that of a quote.
    static func holds(
        _ word: StaticString,
        _ bytes: borrowing Span<UInt8>,
        _ range: Range<Int>,
        alone: Bool = false
    ) -> Bool {
        let text = range.clamped(to: 0..<bytes.count)
        let count = word.utf8CodeUnitCount
        guard text.count >= count else { return false }
        for start in text.lowerBound...(text.upperBound &- count)
        where SQLWord(start: start, count: count).equals(bytes, word) {
            let end = start &+ count
            let isPart = start > text.lowerBound && ByteClass.isTag(bytes[start &- 1])
                || end < text.upperBound && ByteClass.isTag(bytes[end])
            if !alone || !isPart { return true }
        }
        return false
    }
}
