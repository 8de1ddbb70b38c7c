/// Strict base64 of RFC 4648 section 4: the one spelling of every byte string, with padding and without white space.
package enum Base64 {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    private static let padding = UInt8(ascii: "=")

    /// Encodes with padding.
    package static func encode(_ bytes: [UInt8]) -> [UInt8] {
        let alphabet = self.alphabet
        var text: [UInt8] = []
        text.reserveCapacity((bytes.count / 3 + 1) * 4)
        var index = 0
        while index < bytes.count {
            let available = min(3, bytes.count - index)
            let first = UInt32(bytes[index])
            let second = available > 1 ? UInt32(bytes[index + 1]) : 0
            let third = available > 2 ? UInt32(bytes[index + 2]) : 0
            let group = first << 16 | second << 8 | third
            text.append(alphabet[Int(group >> 18 & 63)])
            text.append(alphabet[Int(group >> 12 & 63)])
            text.append(available > 1 ? alphabet[Int(group >> 6 & 63)] : self.padding)
            text.append(available > 2 ? alphabet[Int(group & 63)] : self.padding)
            index += 3
        }
        return text
    }

    /// Decodes, or returns nil for anything but the canonical spelling: wrong length, foreign characters, padding in
    /// the middle, or unused bits that are not zero.
    package static func decode(_ text: some Collection<UInt8>) -> [UInt8]? {
        guard text.count.isMultiple(of: 4) else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.count / 4 * 3)
        var group: UInt32 = 0
        var inGroup = 0
        var paddings = 0
        for character in text {
            if character == self.padding {
                guard inGroup >= 2 else { return nil }
                paddings += 1
                group <<= 6
            } else {
                guard paddings == 0, let value = self.value(of: character) else { return nil }
                group = group << 6 | UInt32(value)
            }
            inGroup += 1
            guard inGroup == 4 else { continue }
            guard self.append(group, paddings: paddings, to: &bytes) else { return nil }
            group = 0
            inGroup = 0
        }
        return bytes
    }

    /// Adds the one to three bytes of a finished group; false when bits beyond them are set.
    private static func append(_ group: UInt32, paddings: Int, to bytes: inout [UInt8]) -> Bool {
        bytes.append(UInt8(truncatingIfNeeded: group >> 16))
        switch paddings {
        case 0:
            bytes.append(UInt8(truncatingIfNeeded: group >> 8))
            bytes.append(UInt8(truncatingIfNeeded: group))
            return true
        case 1:
            bytes.append(UInt8(truncatingIfNeeded: group >> 8))
            return group & 0xff == 0
        default:
            return group & 0xffff == 0
        }
    }

    private static func value(of character: UInt8) -> UInt8? {
        switch character {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): character - UInt8(ascii: "A")
        case UInt8(ascii: "a")...UInt8(ascii: "z"): character - UInt8(ascii: "a") + 26
        case UInt8(ascii: "0")...UInt8(ascii: "9"): character - UInt8(ascii: "0") + 52
        case UInt8(ascii: "+"): 62
        case UInt8(ascii: "/"): 63
        default: nil
        }
    }
}
