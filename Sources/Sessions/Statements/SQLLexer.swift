/// Cuts the text of a Query or Parse into the tokens of PostgreSQL's `scan.l` (15 and 16), as far as it matters where
/// a statement ends and which words it holds. Space and comments are stepped over.
///
/// A value on the stack of one scan; nothing is copied and no byte is looked at twice, but for the space behind an
/// escape string. Bytes beyond ASCII are letters. Where the versions differ (a number that runs into a name), the text
/// is either refused by PostgreSQL or read as here.
///
/// The server lexes after converting to its own encoding. In client encodings whose characters may end in a backslash
/// (SJIS, BIG5, GBK, UHC, GB18030, JOHAB) the end of an `E'...'` can be missed: see `SQLScan.hidden`.
struct SQLLexer {
    enum Token: UInt8 {
        /// Nothing is left.
        case end
        /// The text ended inside of a quote or comment; nothing is left.
        case unfinished
        /// A keyword or a name without quotes.
        case word
        /// `"..."`, quotes included.
        case quotedName
        /// `U&"..."`.
        case unicodeName
        /// A constant in quotes of any form.
        case string
        case open
        case close
        case semicolon
        case dot
        /// A number, a parameter, a character of an operator, or what PostgreSQL does not know.
        case symbol
    }

    /// Where the last token begins; it ends at `position`.
    private(set) var start: Int
    private(set) var position: Int
    private let end: Int
    private let isBackslashPlain: Bool

    /// - Parameters:
    ///   - range: the text within the bytes, without its zero byte; what lies outside of the bytes is cut off.
    ///   - isBackslashPlain: `standard_conforming_strings` is on, as it is unless somebody switched it off. Off, a
    ///     backslash in `'...'` takes the next character along.
    init(_ count: Int, _ range: Range<Int>, isBackslashPlain: Bool) {
        self.end = min(max(range.upperBound, 0), count)
        self.position = min(max(range.lowerBound, 0), self.end)
        self.start = self.position
        self.isBackslashPlain = isBackslashPlain
    }

    @inline(__always)
    mutating func next(_ bytes: borrowing Span<UInt8>) -> Token {
        while self.position < self.end {
            // Locals stay in registers, the cursor does not.
            var index = self.position
            let first = ByteClass.of(bytes[index])
            index &+= 1
            if first == ByteClass.space {
                self.position = index
                continue
            }
            self.start = self.position
            if first == ByteClass.letter {
                while index < self.end, ByteClass.continuesName(bytes[index]) { index &+= 1 }
            }
            self.position = index
            switch first {
            case ByteClass.letter:
                if self.position == self.start &+ 1, self.position < self.end, let token = self.prefixed(bytes) {
                    return token
                }
                return .word
            case ByteClass.digit:
                while self.peek(bytes, 0, ByteClass.digit) { self.position &+= 1 }
                // Not the dot of a qualified name.
                if self.peek(bytes, 0, ByteClass.dot) { self.position &+= 1 }
                return .symbol
            case ByteClass.quote: return self.string(bytes, takesBackslash: !self.isBackslashPlain)
            case ByteClass.doubleQuote: return self.pastQuote(bytes, UInt8(ascii: "\"")) ? .quotedName : .unfinished
            case ByteClass.dollar: return self.dollar(bytes)
            case ByteClass.dash:
                guard self.peek(bytes, 0, ByteClass.dash) else { return .symbol }
                self.skipLine(bytes)
            case ByteClass.slash:
                guard self.position < self.end, bytes[self.position] == UInt8(ascii: "*") else { return .symbol }
                if !self.skipComment(bytes) { return .unfinished }
            case ByteClass.open: return .open
            case ByteClass.close: return .close
            case ByteClass.semicolon: return .semicolon
            case ByteClass.dot: return .dot
            default: return .symbol
            }
        }
        self.start = self.end
        return .end
    }

    /// The class of the byte `distance` behind the position; false at the end.
    @inline(__always)
    private func peek(_ bytes: borrowing Span<UInt8>, _ distance: Int, _ expected: UInt8) -> Bool {
        let index = self.position &+ distance
        return index < self.end && ByteClass.of(bytes[index]) == expected
    }

    /// A quote whose form the letter before it decides: E'', B'', X'', U&'', U&"". Nil for a word of one letter.
    private mutating func prefixed(_ bytes: borrowing Span<UInt8>) -> Token? {
        let letter = bytes[self.start] | 0x20
        if bytes[self.position] == UInt8(ascii: "'") {
            switch letter {
            case UInt8(ascii: "e"):
                self.position &+= 1
                return self.string(bytes, takesBackslash: true)
            case UInt8(ascii: "b"), UInt8(ascii: "x"):
                self.position &+= 1
                return self.string(bytes, takesBackslash: false)
            // N'' is a keyword and a plain constant.
            default: return nil
            }
        }
        guard letter == UInt8(ascii: "u"), bytes[self.position] == UInt8(ascii: "&") else { return nil }
        if self.peek(bytes, 1, ByteClass.quote) {
            self.position &+= 2
            return self.string(bytes, takesBackslash: false)
        }
        guard self.peek(bytes, 1, ByteClass.doubleQuote) else { return nil }
        self.position &+= 2
        return self.pastQuote(bytes, UInt8(ascii: "\"")) ? .unicodeName : .unfinished
    }

    /// Steps past a constant whose opening quote has been taken.
    private mutating func string(_ bytes: borrowing Span<UInt8>, takesBackslash: Bool) -> Token {
        guard takesBackslash else { return self.pastQuote(bytes, UInt8(ascii: "'")) ? .string : .unfinished }
        repeat {
            guard self.pastEscapedQuote(bytes) else { return .unfinished }
        } while self.continues(bytes)
        return .string
    }

    /// Steps past the closing quote. A doubled one closes and opens at once, which comes to the same.
    private mutating func pastQuote(_ bytes: borrowing Span<UInt8>, _ quote: UInt8) -> Bool {
        var index = self.position
        while index < self.end {
            let byte = bytes[index]
            index &+= 1
            guard byte == quote else { continue }
            if index < self.end, bytes[index] == quote {
                index &+= 1
            } else {
                self.position = index
                return true
            }
        }
        self.position = self.end
        return false
    }

    /// The same where a backslash takes the next byte along.
    private mutating func pastEscapedQuote(_ bytes: borrowing Span<UInt8>) -> Bool {
        var index = self.position
        while index < self.end {
            let byte = bytes[index]
            index &+= 1
            if byte == UInt8(ascii: "\\") {
                if index < self.end { index &+= 1 }
            } else if byte == UInt8(ascii: "'") {
                if index < self.end, bytes[index] == UInt8(ascii: "'") {
                    index &+= 1
                } else {
                    self.position = index
                    return true
                }
            }
        }
        self.position = self.end
        return false
    }

    /// A constant goes on, in its own form, behind space and `--` comments with a line end among them. Takes its next
    /// opening quote. For forms without a backslash that is the same as one more constant.
    private mutating func continues(_ bytes: borrowing Span<UInt8>) -> Bool {
        var index = self.position
        var hasLineEnd = false
        while index < self.end {
            switch bytes[index] {
            case 0x0A, 0x0D:
                hasLineEnd = true
                index &+= 1
            case 0x09, 0x0B, 0x0C, 0x20: index &+= 1
            case UInt8(ascii: "-"):
                guard index &+ 1 < self.end, bytes[index &+ 1] == UInt8(ascii: "-") else { return false }
                while index < self.end, bytes[index] != 0x0A, bytes[index] != 0x0D { index &+= 1 }
            case UInt8(ascii: "'"):
                if hasLineEnd { self.position = index &+ 1 }
                return hasLineEnd
            default: return false
            }
        }
        return false
    }

    /// A parameter (`$1`), a constant in dollar quotes, or the character alone.
    private mutating func dollar(_ bytes: borrowing Span<UInt8>) -> Token {
        if self.peek(bytes, 0, ByteClass.digit) {
            while self.peek(bytes, 0, ByteClass.digit) { self.position &+= 1 }
            return .symbol
        }
        var tagEnd = self.position
        while tagEnd < self.end, ByteClass.isTag(bytes[tagEnd]) { tagEnd &+= 1 }
        guard tagEnd < self.end, bytes[tagEnd] == UInt8(ascii: "$") else { return .symbol }
        // The tag with both dollars, which closes the constant wherever it stands.
        let length = tagEnd &+ 1 &- self.start
        var index = tagEnd &+ 1
        while index &+ length <= self.end {
            if bytes[index] == UInt8(ascii: "$") {
                var matched = 1
                while matched < length, bytes[index &+ matched] == bytes[self.start &+ matched] { matched &+= 1 }
                if matched == length {
                    self.position = index &+ length
                    return .string
                }
                // The tag holds no dollar but its ends: what matched cannot hide the beginning of another.
                index &+= matched
            } else {
                index &+= 1
            }
        }
        self.position = self.end
        return .unfinished
    }

    private mutating func skipLine(_ bytes: borrowing Span<UInt8>) {
        var index = self.position
        while index < self.end, bytes[index] != 0x0A, bytes[index] != 0x0D { index &+= 1 }
        self.position = index
    }

    /// Comments nest. False when one is open at the end.
    private mutating func skipComment(_ bytes: borrowing Span<UInt8>) -> Bool {
        var depth = 1
        var index = self.position &+ 1
        while index &+ 1 < self.end {
            let byte = bytes[index]
            index &+= 1
            if byte == UInt8(ascii: "*"), bytes[index] == UInt8(ascii: "/") {
                index &+= 1
                depth &-= 1
                if depth == 0 {
                    self.position = index
                    return true
                }
            } else if byte == UInt8(ascii: "/"), bytes[index] == UInt8(ascii: "*") {
                index &+= 1
                depth &+= 1
            }
        }
        self.position = self.end
        return false
    }
}
