/// What normalisation form KC (Unicode 3.2) makes of single characters that stand on keyboards or come out of word
/// processors. Each form begins with a character that joins none before it, and changes no further.
enum SASLprepForms {
    /// Nil for characters that are left alone, and for those that are not known here.
    static func form(of code: UInt32) -> String? {
        switch code {
        case 0x80...0x24f: self.latin(code)
        // Superscripts and subscripts, of which 1, 2 and 3 stand with the Latin letters.
        case 0x2070, 0x2074...0x2079, 0x2080...0x2089: self.text((code & 0xf) + 0x30)
        case 0x2000...0x22ff: self.symbol(code)
        // Digits in circles.
        case 0x2460...0x2468: self.text(code - 0x2460 + 0x31)
        case 0xfb00...0xfb06: self.ligature(code)
        // Full-width ASCII.
        case 0xff01...0xff5e: self.text(code - 0xff01 + 0x21)
        default: nil
        }
    }

    private static func latin(_ code: UInt32) -> String? {
        switch code {
        case 0xa8: " \u{308}"
        case 0xaa: "a"
        case 0xaf: " \u{304}"
        case 0xb2: "2"
        case 0xb3: "3"
        case 0xb4: " \u{301}"
        case 0xb5: "\u{3bc}"
        case 0xb8: " \u{327}"
        case 0xb9: "1"
        case 0xba: "o"
        case 0xbc: "1\u{2044}4"
        case 0xbd: "1\u{2044}2"
        case 0xbe: "3\u{2044}4"
        case 0x132: "IJ"
        case 0x133: "ij"
        case 0x149: "\u{2bc}n"
        case 0x17f: "s"
        default: nil
        }
    }

    private static func symbol(_ code: UInt32) -> String? {
        switch code {
        case 0x2026: "..."
        case 0x2033: "\u{2032}\u{2032}"
        case 0x2103: "\u{b0}C"
        case 0x2109: "\u{b0}F"
        case 0x2116: "No"
        case 0x2122: "TM"
        case 0x2126: "\u{3a9}"
        case 0x212a: "K"
        case 0x212b: "\u{c5}"
        default: nil
        }
    }

    private static func ligature(_ code: UInt32) -> String? {
        switch code {
        case 0xfb00: "ff"
        case 0xfb01: "fi"
        case 0xfb02: "fl"
        case 0xfb03: "ffi"
        case 0xfb04: "ffl"
        case 0xfb05, 0xfb06: "st"
        default: nil
        }
    }

    private static func text(_ code: UInt32) -> String? {
        Unicode.Scalar(code).map { String($0) }
    }
}
