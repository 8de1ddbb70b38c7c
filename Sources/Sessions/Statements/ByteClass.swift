/// What a byte can begin or go on with in the text of a statement, read from a table.
enum ByteClass {
    static var space: UInt8 { UInt8(ascii: "s") }
    /// A letter, an underscore, any byte beyond ASCII.
    static var letter: UInt8 { UInt8(ascii: "x") }
    static var digit: UInt8 { UInt8(ascii: "y") }
    static var dollar: UInt8 { UInt8(ascii: "z") }
    static var quote: UInt8 { UInt8(ascii: "q") }
    static var doubleQuote: UInt8 { UInt8(ascii: "i") }
    static var dash: UInt8 { UInt8(ascii: "-") }
    static var slash: UInt8 { UInt8(ascii: "/") }
    static var open: UInt8 { UInt8(ascii: "(") }
    static var close: UInt8 { UInt8(ascii: ")") }
    static var semicolon: UInt8 { UInt8(ascii: ";") }
    static var dot: UInt8 { UInt8(ascii: ".") }

    /// One row for sixteen bytes.
    private static var table: StaticString {
        """
        ooooooooosssssoo\
        oooooooooooooooo\
        soiozooq()ooo-./\
        yyyyyyyyyyo;oooo\
        oxxxxxxxxxxxxxxx\
        xxxxxxxxxxxoooox\
        oxxxxxxxxxxxxxxx\
        xxxxxxxxxxxooooo\
        xxxxxxxxxxxxxxxx\
        xxxxxxxxxxxxxxxx\
        xxxxxxxxxxxxxxxx\
        xxxxxxxxxxxxxxxx\
        xxxxxxxxxxxxxxxx\
        xxxxxxxxxxxxxxxx\
        xxxxxxxxxxxxxxxx\
        xxxxxxxxxxxxxxxx
        """
    }

    @inline(__always)
    static func of(_ byte: UInt8) -> UInt8 {
        // The table has an entry for every byte.
        unsafe self.table.utf8Start[Int(byte)]
    }

    @inline(__always)
    static func continuesName(_ byte: UInt8) -> Bool { self.of(byte) >= self.letter }

    /// Goes on with the tag of a dollar quote, where no digit can be the first: `$1` has been taken by then.
    @inline(__always)
    static func isTag(_ byte: UInt8) -> Bool {
        let kind = self.of(byte)
        return kind == self.letter || kind == self.digit
    }
}
