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

    /// What a text may do to the session besides its `traits`, because it has a backslash; nothing without one.
    ///
    /// With `standard_conforming_strings` off, which is not known here, its constants end elsewhere, and so do its
    /// statements. Any of them may be a SET, of which PostgreSQL tells by a tag (in some encodings the backslash is a
    /// part of a character, and only the tag is right); what leaves no tag is looked for.
    static func hidden(_ bytes: borrowing Span<UInt8>, _ range: Range<Int>) -> StatementTraits {
        guard self.hasBackslash(bytes, range.clamped(to: 0..<bytes.count)) else { return [] }
        let scan = SQLScan(bytes, range, standardConformingStrings: false)
        return scan.traits.intersection([.setConfig, .advisoryLock, .temporary, .copy]).union(.set)
    }

    private static func hasBackslash(_ bytes: borrowing Span<UInt8>, _ range: Range<Int>) -> Bool {
        for index in range where bytes[index] == UInt8(ascii: "\\") { return true }
        return false
    }
}
