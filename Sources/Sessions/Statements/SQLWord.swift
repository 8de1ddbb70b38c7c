/// Where a word or name without quotes stands in a text.
struct SQLWord {
    let start: Int
    let count: Int

    /// The word is `text`, which is in lower case, whatever case its own ASCII letters have.
    @inline(__always)
    func equals(_ bytes: borrowing Span<UInt8>, _ text: StaticString) -> Bool {
        guard self.count == text.utf8CodeUnitCount else { return false }
        for index in 0..<self.count {
            // A static string in the binary's own memory, read within its own count.
            guard unsafe SQLName.fold(bytes[self.start &+ index]) == text.utf8Start[index] else { return false }
        }
        return true
    }

    /// `pg_temp_3` and the like: what `pg_temp` stands for in a session.
    @inline(__always)
    func isNumberedTemporarySchema(_ bytes: borrowing Span<UInt8>) -> Bool {
        self.count > 8 && SQLWord(start: self.start, count: 8).equals(bytes, "pg_temp_")
    }
}

/// Reads names as PostgreSQL does (`downcase_truncate_identifier` and the `<xd>` rules of `scan.l`).
///
/// Letters beyond ASCII stay as they are: only servers with a single-byte encoding fold those. Names are cut after at
/// most 63 bytes, in front of a UTF-8 character that would not fit.
enum SQLName {
    /// `NAMEDATALEN - 1`.
    static let maximumLength = 63

    /// A name without quotes, in lower case.
    static func folded(_ bytes: borrowing Span<UInt8>, _ range: Range<Int>) -> [UInt8] {
        var name: [UInt8] = []
        name.reserveCapacity(min(range.count, self.maximumLength + 1))
        for index in range {
            name.append(self.fold(bytes[index]))
            if name.count > self.maximumLength { break }
        }
        return self.cut(name)
    }

    /// A name with its quotes: nothing is folded, a doubled quote is one.
    static func quoted(_ bytes: borrowing Span<UInt8>, _ range: Range<Int>) -> [UInt8] {
        var name: [UInt8] = []
        var index = range.lowerBound + 1
        while index < range.upperBound - 1, name.count <= self.maximumLength {
            name.append(bytes[index])
            index += bytes[index] == UInt8(ascii: "\"") ? 2 : 1
        }
        return self.cut(name)
    }

    @inline(__always)
    static func fold(_ byte: UInt8) -> UInt8 {
        byte &- UInt8(ascii: "A") < 26 ? byte | 0x20 : byte
    }

    /// Takes a name of which at least one byte more than fits has been kept.
    private static func cut(_ name: [UInt8]) -> [UInt8] {
        guard name.count > self.maximumLength else { return name }
        // The longest character has three bytes behind its first; what is longer is no UTF-8 and is cut anywhere.
        for end in (self.maximumLength - 3...self.maximumLength).reversed() where name[end] & 0xC0 != 0x80 {
            return Array(name[..<end])
        }
        return Array(name[..<self.maximumLength])
    }
}
