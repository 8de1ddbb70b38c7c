/// Blocks of code (`DO`): their body is a constant, and what it does leaves no tag but `DO`.
extension SQLScan {
    /// What a block may leave behind, by its words.
    static func leftByBlock(
        _ bytes: borrowing Span<UInt8>,
        _ text: Range<Int>,
        hasBackslash: Bool
    ) -> StatementTraits {
        // What EXECUTE is given is put together while it runs, other languages have other words, and all words may be
        // written in escapes.
        let isOpaque = hasBackslash || self.holds("uescape", bytes, text)
            || self.holds("execute", bytes, text, alone: true) || self.holds("language", bytes, text, alone: true)
        if isOpaque { return .leftByBlocks }
        var traits = self.mentions(bytes, text)
        // SET and RESET have no tag of their own there,
        if self.holds("set", bytes, text) { traits.insert(.setConfig) }
        // nor have PREPARE, DEALLOCATE and DECLARE ... WITH HOLD.
        for word: StaticString in ["prepare", "deallocate", "hold"] where self.holds(word, bytes, text, alone: true) {
            traits.insert(.hiddenStatements)
        }
        if self.holds("listen", bytes, text, alone: true) { traits.insert(.hiddenListen) }
        return traits
    }

    /// A statement that begins with DO, as constants end with `standard_conforming_strings` on or off.
    static func hasBlock(_ bytes: borrowing Span<UInt8>, _ text: Range<Int>, hasBackslash: Bool) -> Bool {
        guard self.mayHaveBlock(bytes, text) else { return false }
        if self.hasBlock(bytes, text, isBackslashPlain: true) { return true }
        return hasBackslash && self.hasBlock(bytes, text, isBackslashPlain: false)
    }

    private static func hasBlock(
        _ bytes: borrowing Span<UInt8>,
        _ text: Range<Int>,
        isBackslashPlain: Bool
    ) -> Bool {
        var lexer = SQLLexer(bytes.count, text, isBackslashPlain: isBackslashPlain)
        var begins = true
        while true {
            let token = lexer.next(bytes)
            switch token {
            case .end, .unfinished: return false
            case .semicolon: begins = true
            case .word:
                let word = SQLWord(start: lexer.start, count: lexer.position &- lexer.start)
                if begins, word.equals(bytes, "do") { return true }
                begins = false
            case .string, .dot, .open, .close, .symbol, .quotedName, .unicodeName: begins = false
            }
        }
    }

    /// The word DO, be it within a constant or a comment: without it there is no block.
    static func mayHaveBlock(_ bytes: borrowing Span<UInt8>, _ text: Range<Int>) -> Bool {
        for index in text.dropFirst() where bytes[index] | 0x20 == UInt8(ascii: "o") {
            guard bytes[index &- 1] | 0x20 == UInt8(ascii: "d") else { continue }
            // Blanks, a semicolon and the end of a comment, behind which a statement begins, are the second byte of a
            // letter in no encoding.
            let (before, next) = (index &- 2, index &+ 1)
            if before >= text.lowerBound, ByteClass.continuesName(bytes[before]) { continue }
            if next == text.upperBound || !ByteClass.continuesName(bytes[next]) { return true }
        }
        return false
    }
}
