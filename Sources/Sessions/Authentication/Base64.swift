/// Strict base64 of RFC 4648 section 4: the one spelling of every byte string, with padding and without white space.
package enum Base64 {
    private static let alphabet: StaticString = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    private static let padding = UInt8(ascii: "=")

    /// Encodes with padding.
    package static func encode(_ bytes: [UInt8]) -> [UInt8] {
        unsafe bytes.withUnsafeBytes { unsafe self.encode($0) }
    }

    /// Encodes with padding. Written in place: every login encodes a nonce, a salt and a signature.
    static func encode(_ bytes: UnsafeRawBufferPointer) -> [UInt8] {
        let count = (bytes.count + 2) / 3 * 4
        // Beside the array, which otherwise would have to be filled before it is written, or to grow with every letter.
        return unsafe withUnsafeTemporaryAllocation(of: UInt8.self, capacity: count) { text in
            unsafe text.initialize(repeating: self.padding)
            unsafe self.encode(bytes, into: text)
            return unsafe Array(text)
        }
    }

    /// - Parameter text: as long as the encoded text, all of it padding.
    private static func encode(_ bytes: UnsafeRawBufferPointer, into text: UnsafeMutableBufferPointer<UInt8>) {
        var (index, place) = (0, 0)
        while bytes.count - index >= 3 {
            let (first, second, third) = unsafe (bytes[index], bytes[index + 1], bytes[index + 2])
            let group = UInt32(first) << 16 | UInt32(second) << 8 | UInt32(third)
            unsafe text[place] = self.letter(group >> 18)
            unsafe text[place + 1] = self.letter(group >> 12)
            unsafe text[place + 2] = self.letter(group >> 6)
            unsafe text[place + 3] = self.letter(group)
            index += 3
            place += 4
        }
        guard index < bytes.count else { return }
        let second = unsafe bytes.count - index > 1 ? bytes[index + 1] : 0
        let group = unsafe UInt32(bytes[index]) << 16 | UInt32(second) << 8
        unsafe text[place] = self.letter(group >> 18)
        unsafe text[place + 1] = self.letter(group >> 12)
        if bytes.count - index > 1 { unsafe text[place + 2] = self.letter(group >> 6) }
    }

    /// - Parameter bits: the lowest six count.
    private static func letter(_ bits: UInt32) -> UInt8 {
        unsafe self.alphabet.utf8Start[Int(bits & 63)]
    }

    /// Decodes, or returns nil for anything but the canonical spelling: wrong length, foreign characters, padding in
    /// the middle, or unused bits that are not zero.
    package static func decode(_ text: some Collection<UInt8>) -> [UInt8]? {
        let decoded = text.withContiguousStorageIfAvailable { unsafe self.decode($0) }
        if let decoded { return decoded }
        return unsafe Array(text).withUnsafeBufferPointer { unsafe self.decode($0) }
    }

    private static func decode(_ text: UnsafeBufferPointer<UInt8>) -> [UInt8]? {
        guard text.count.isMultiple(of: 4) else { return nil }
        var letters = text.count
        while unsafe letters > 0 && letters > text.count - 2 && text[letters - 1] == self.padding { letters -= 1 }
        let count = text.count / 4 * 3
        return unsafe withUnsafeTemporaryAllocation(of: UInt8.self, capacity: count) { bytes -> [UInt8]? in
            unsafe bytes.initialize(repeating: 0)
            let isRight = unsafe self.decode(UnsafeBufferPointer(rebasing: text[..<letters]), into: bytes)
            let decoded = unsafe isRight ? Array(bytes[..<(count - (text.count - letters))]) : nil
            // It may be a key or a proof.
            unsafe bytes.update(repeating: 0)
            return decoded
        }
    }

    /// - Parameters:
    ///   - letters: the text without its padding; one less or two less than a multiple of four at most.
    ///   - bytes: room for what the padded text would give.
    /// - Returns: false for foreign characters and for bits left over that are not zero.
    private static func decode(_ letters: UnsafeBufferPointer<UInt8>, into bytes: UnsafeMutableBufferPointer<UInt8>)
        -> Bool
    {
        // What is foreign and what is left over leaves a bit here.
        var wrong: UInt32 = 0
        var group: UInt32 = 0
        var place = 0
        for index in 0..<letters.count {
            let value = unsafe self.value(of: letters[index])
            wrong |= value & self.foreign
            group = group << 6 | value & 63
            guard index & 3 == 3 else { continue }
            unsafe bytes[place] = UInt8(truncatingIfNeeded: group >> 16)
            unsafe bytes[place + 1] = UInt8(truncatingIfNeeded: group >> 8)
            unsafe bytes[place + 2] = UInt8(truncatingIfNeeded: group)
            place += 3
            group = 0
        }
        switch letters.count & 3 {
        case 3:
            unsafe bytes[place] = UInt8(truncatingIfNeeded: group >> 10)
            unsafe bytes[place + 1] = UInt8(truncatingIfNeeded: group >> 2)
            wrong |= group & 0x3
        case 2:
            unsafe bytes[place] = UInt8(truncatingIfNeeded: group >> 4)
            wrong |= group & 0xf
        default: break
        }
        return wrong == 0
    }

    /// What `value(of:)` says of a character outside of the alphabet.
    private static let foreign: UInt32 = 64

    private static func value(of character: UInt8) -> UInt32 {
        switch character {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): UInt32(character - UInt8(ascii: "A"))
        case UInt8(ascii: "a")...UInt8(ascii: "z"): UInt32(character - UInt8(ascii: "a") + 26)
        case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt32(character - UInt8(ascii: "0") + 52)
        case UInt8(ascii: "+"): 62
        case UInt8(ascii: "/"): 63
        default: self.foreign
        }
    }
}
