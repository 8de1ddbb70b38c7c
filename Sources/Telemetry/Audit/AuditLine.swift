/// Makes text of records: a line of JSON, and bounded names. Pure functions, for the writer's thread and the console.
package enum AuditLine {
    /// Longer names are cut, with `…` behind: they come from peers that nobody has admitted.
    package static let nameBytesMax = 256
    /// The same for reasons and statements.
    package static let reasonBytesMax = 1024

    /// One JSON object without a line feed, in UTF-8. Fields that the event does not have are left out.
    package static func json(_ record: AuditRecord) -> [UInt8] {
        var line: [UInt8] = []
        line.reserveCapacity(1024)
        let fields = AuditField.byEvent[record.event] ?? []
        for field in fields {
            line.append(UInt8(ascii: line.isEmpty ? "{" : ","))
            line += field.jsonKey
            switch field.value(record) {
            case .text(let text): Self.append(text, to: &line)
            case .number(let number): line += String(number).utf8
            case .flag(let flag): line += (flag ? "true" : "false").utf8
            case .none: line += "null".utf8
            }
        }
        line.append(UInt8(ascii: "}"))
        return line
    }

    /// A JSON string. Most texts are plain and go in as they are.
    private static func append(_ text: String, to line: inout [UInt8]) {
        let start = line.count
        let quote = UInt8(ascii: "\"")
        line.append(quote)
        for byte in text.utf8 {
            guard byte >= 0x20, byte < 0x7F, byte != quote, byte != UInt8(ascii: "\\") else {
                line.removeSubrange(start...)
                line += LogText.json(text).utf8
                return
            }
            line.append(byte)
        }
        line.append(quote)
    }

    /// The text as it is, or its first bytes up to the border of a character.
    static func cut(_ text: String, to count: Int = AuditLine.nameBytesMax) -> String {
        let bytes = text.utf8
        guard bytes.count > count else { return text }
        var end = bytes.index(bytes.startIndex, offsetBy: count)
        // A continuation byte is not the first of its character.
        while end > bytes.startIndex, bytes[end] & 0xC0 == 0x80 { end = bytes.index(before: end) }
        return String(text[..<end]) + "…"
    }

    /// `2024-01-07T19:19:38.080123Z`
    static func time(_ microseconds: Int64) -> String {
        let rest = microseconds - Self.floor(microseconds, 1_000) * 1_000
        let milliseconds = UTCTimestamp(milliseconds: Self.floor(microseconds, 1_000)).description
        let digits = String(rest)
        return milliseconds.dropLast() + String(repeating: "0", count: max(0, 3 - digits.utf8.count)) + digits + "Z"
    }

    private static func floor(_ value: Int64, _ divisor: Int64) -> Int64 {
        let (quotient, remainder) = value.quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? quotient - 1 : quotient
    }
}
