/// The quick look: most queries are one SELECT, INSERT, UPDATE or DELETE that touches no session state, and eight bytes
/// at a time tell that.
extension SQLScan {
    /// The text has none of the traits that matter for a session. False means only that it has to be read.
    ///
    /// True needs one of the four words at the beginning, which rules out all statements that have a trait by what they
    /// are. What is left is looked for by a letter of it: a second statement (`;`), `set_config` and the advisory locks
    /// and `pg_temp` (`_`), `INTO TEMP` (`m`), names that are written in escapes (`&`).
    static func isPlain(_ bytes: borrowing Span<UInt8>, _ range: Range<Int>) -> Bool {
        guard range.upperBound <= bytes.count, self.beginsPlainly(bytes, range) else { return false }
        let raw = unsafe bytes.bytes
        var index = range.lowerBound
        while index &+ 8 <= range.upperBound {
            // Any bits are a number.
            let word = unsafe raw.unsafeLoadUnaligned(fromByteOffset: index, as: UInt64.self)
            // Letters in lower case; `;`, `_` and `&` stay or become no other of the four.
            let hits =
                self.zeros(word ^ 0x3B3B_3B3B_3B3B_3B3B) | self.zeros(word ^ 0x5F5F_5F5F_5F5F_5F5F)
                | self.zeros(word ^ 0x2626_2626_2626_2626)
                | self.zeros((word | 0x2020_2020_2020_2020) ^ 0x6D6D_6D6D_6D6D_6D6D)
            if hits != 0, !self.areHarmless(hits, bytes, range, index) { return false }
            index &+= 8
        }
        while index < range.upperBound {
            guard self.isHarmless(bytes, range, index) else { return false }
            index &+= 1
        }
        return true
    }

    /// - Parameter hits: a bit in each byte, counted from `start`, that is to be looked at.
    private static func areHarmless(
        _ hits: UInt64,
        _ bytes: borrowing Span<UInt8>,
        _ range: Range<Int>,
        _ start: Int
    ) -> Bool {
        var hits = UInt64(littleEndian: hits)
        while hits != 0 {
            guard self.isHarmless(bytes, range, start &+ (hits.trailingZeroBitCount &>> 3)) else { return false }
            hits &= hits &- 1
        }
        return true
    }

    /// Not zero if and only if a byte of the word is.
    @inline(__always)
    private static func zeros(_ word: UInt64) -> UInt64 {
        (word &- 0x0101_0101_0101_0101) & ~word & 0x8080_8080_8080_8080
    }

    private static func beginsPlainly(_ bytes: borrowing Span<UInt8>, _ range: Range<Int>) -> Bool {
        guard range.count > 6, self.endsWord(bytes[range.lowerBound &+ 6]) else { return false }
        let word = SQLWord(start: range.lowerBound, count: 6)
        return word.equals(bytes, "select") || word.equals(bytes, "insert") || word.equals(bytes, "update")
            || word.equals(bytes, "delete")
    }

    private static func endsWord(_ byte: UInt8) -> Bool {
        byte == 0x20 || (0x09...0x0D).contains(byte) || byte == UInt8(ascii: "(") || byte == UInt8(ascii: "*")
    }

    private static func isHarmless(_ bytes: borrowing Span<UInt8>, _ text: Range<Int>, _ index: Int) -> Bool {
        switch bytes[index] {
        case UInt8(ascii: ";"): self.isBlank(bytes, (index &+ 1)..<text.upperBound)
        case UInt8(ascii: "_"): !self.ends(bytes, text, at: index, "pg") && !self.ends(bytes, text, at: index, "set")
        case UInt8(ascii: "m"), UInt8(ascii: "M"): !self.ends(bytes, text, at: index, "te")
        case UInt8(ascii: "&"): !self.ends(bytes, text, at: index, "u")
        default: true
        }
    }

    /// The bytes right before `index` are those of `word`, in any case.
    @inline(__always)
    private static func ends(
        _ bytes: borrowing Span<UInt8>,
        _ text: Range<Int>,
        at index: Int,
        _ word: StaticString
    ) -> Bool {
        let start = index &- word.utf8CodeUnitCount
        return start >= text.lowerBound && SQLWord(start: start, count: word.utf8CodeUnitCount).equals(bytes, word)
    }

    private static func isBlank(_ bytes: borrowing Span<UInt8>, _ range: Range<Int>) -> Bool {
        for index in range where bytes[index] != 0x20 && !(0x09...0x0D).contains(bytes[index]) { return false }
        return true
    }
}
