/// Searches and comparisons over borrowed bytes, eight at a time. Ranges are checked by the caller and by every load.
enum SpanBytes {
    /// The first zero byte in `range`.
    static func firstZero(_ bytes: borrowing Span<UInt8>, _ range: Range<Int>) -> Int? {
        let raw = unsafe bytes.bytes
        var index = range.lowerBound
        while index &+ 8 <= range.upperBound {
            // Any bits are a number.
            let word = unsafe raw.unsafeLoadUnaligned(fromByteOffset: index, as: UInt64.self)
            // Not zero if and only if a byte of the word is.
            if (word &- 0x0101_0101_0101_0101) & ~word & 0x8080_8080_8080_8080 != 0 { break }
            index &+= 8
        }
        while index < range.upperBound {
            if bytes[index] == 0 { return index }
            index &+= 1
        }
        return nil
    }

    /// The bytes at `range` are those of `other`.
    static func equal(_ bytes: borrowing Span<UInt8>, _ range: Range<Int>, _ other: [UInt8]) -> Bool {
        let count = range.count
        guard count == other.count else { return false }
        let left = unsafe bytes.bytes
        let right = unsafe other.span.bytes
        var index = 0
        while index &+ 8 <= count {
            // Any bits are a number.
            let one = unsafe left.unsafeLoadUnaligned(fromByteOffset: range.lowerBound &+ index, as: UInt64.self)
            let two = unsafe right.unsafeLoadUnaligned(fromByteOffset: index, as: UInt64.self)
            if one != two { return false }
            index &+= 8
        }
        while index < count {
            if bytes[range.lowerBound &+ index] != other[index] { return false }
            index &+= 1
        }
        return true
    }

    static func copy(_ bytes: borrowing Span<UInt8>, _ range: Range<Int>) -> [UInt8] {
        // The buffer does not leave the closure.
        unsafe bytes.extracting(range).withUnsafeBufferPointer { unsafe Array($0) }
    }
}
