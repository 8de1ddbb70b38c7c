/// Durations as text: an integer is milliseconds, anything else names its unit. The finest step is a microsecond.
enum DurationText {
    static let maximum = Duration.seconds(3650 * 86_400)

    private static let units: [(name: String, nanoseconds: Int128)] = [
        ("us", 1_000), ("ms", 1_000_000), ("s", 1_000_000_000), ("m", 60_000_000_000), ("h", 3_600_000_000_000),
        ("d", 86_400_000_000_000),
    ]

    static let hint =
        "write an integer (milliseconds) or a string such as 500ms, 3s, 1.5m, 100us; units: us, ms, s, m, h, d"

    /// A number without a unit is milliseconds, in quotes, too: pg_doorman reads it so.
    static func parse(_ text: String) throws(ValueProblem) -> Duration {
        let trimmed = text.trimmedBlanks.lowercased()
        let digits = trimmed.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
        if trimmed.hasPrefix("-") { throw ValueProblem("a duration cannot be negative") }
        guard !digits.isEmpty else { throw ValueProblem("is not a duration", hint: Self.hint) }
        let suffix = String(trimmed[digits.endIndex...]).trimmedBlanks
        if suffix.isEmpty, digits.contains(".") {
            throw ValueProblem("a duration with decimals needs a unit", hint: Self.hint)
        }
        let name = suffix.isEmpty ? "ms" : suffix
        guard let unit = Self.units.first(where: { $0.name == name }) else {
            throw ValueProblem("unknown duration unit `\(suffix.prefix(20))`", hint: Self.hint)
        }
        return try Self.duration(digits, unit: unit.nanoseconds)
    }

    private static func duration(_ digits: Substring, unit: Int128) throws(ValueProblem) -> Duration {
        let parts = digits.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count <= 2, parts.allSatisfy({ !$0.isEmpty }) else {
            throw ValueProblem("is not a number with a unit", hint: Self.hint)
        }
        guard let whole = Int64(parts[0]) else { throw ValueProblem("is too large; at most 3650d") }
        var nanoseconds = Int128(whole) * unit
        if parts.count == 2 {
            guard parts[1].count <= 9, let fraction = Int64(parts[1]) else {
                throw ValueProblem("has more than nine decimals")
            }
            let scale = (0..<parts[1].count).reduce(into: Int128(1)) { scale, _ in scale *= 10 }
            nanoseconds += Int128(fraction) * unit / scale
        }
        guard nanoseconds % 1_000 == 0 else { throw ValueProblem("is finer than a microsecond") }
        let (seconds, rest) = nanoseconds.quotientAndRemainder(dividingBy: 1_000_000_000)
        guard seconds <= Int128(Self.maximum.components.seconds) else {
            throw ValueProblem("is too large; at most 3650d")
        }
        return .seconds(Int64(seconds)) + .nanoseconds(Int64(rest))
    }

    /// The shortest exact form, in the largest unit that divides it: `20m`, `1500ms`, `100us`, `0`.
    static func text(_ duration: Duration) -> String {
        let parts = duration.components
        let nanoseconds = Int128(parts.seconds) * 1_000_000_000 + Int128(parts.attoseconds / 1_000_000_000)
        guard nanoseconds != 0 else { return "0" }
        for unit in Self.units.reversed() where nanoseconds % unit.nanoseconds == 0 {
            return "\(nanoseconds / unit.nanoseconds)\(unit.name)"
        }
        return "\(nanoseconds / 1_000)us"
    }
}

/// Sizes as text: an integer is bytes, units are powers of 1024.
enum SizeText {
    private static let units: [(name: String, bytes: Int)] = [
        ("b", 1), ("k", 1 << 10), ("kb", 1 << 10), ("m", 1 << 20), ("mb", 1 << 20), ("g", 1 << 30), ("gb", 1 << 30),
    ]

    static let hint = "write an integer (bytes) or a string such as 64KB, 256MB, 1GB; units: B, K, KB, M, MB, G, GB"

    /// A number without a unit is bytes, in quotes, too.
    static func parse(_ text: String) throws(ValueProblem) -> Int {
        let trimmed = text.trimmedBlanks.lowercased()
        if trimmed.hasPrefix("-") { throw ValueProblem("a size cannot be negative") }
        let digits = trimmed.prefix { $0.isASCII && $0.isNumber }
        guard !digits.isEmpty else { throw ValueProblem("is not a size", hint: Self.hint) }
        let suffix = String(trimmed[digits.endIndex...]).trimmedBlanks
        let name = suffix.isEmpty ? "b" : suffix
        guard let unit = Self.units.first(where: { $0.name == name }) else {
            throw ValueProblem("unknown size unit `\(suffix.prefix(20))`", hint: Self.hint)
        }
        guard let count = Int(digits) else { throw ValueProblem("is too large") }
        let (bytes, overflow) = count.multipliedReportingOverflow(by: unit.bytes)
        guard !overflow else { throw ValueProblem("is too large") }
        return bytes
    }

    /// The shortest exact form: `256MB`, `1000`, `0`.
    static func text(_ bytes: Int) -> String {
        guard bytes != 0 else { return "0" }
        for (name, unit) in [("GB", 1 << 30), ("MB", 1 << 20), ("KB", 1 << 10)] where bytes % unit == 0 {
            return "\(bytes / unit)\(name)"
        }
        return "\(bytes)"
    }
}

/// Permission bits as octal text: `0600`, `600`, `0o660`.
enum OctalModeText {
    static func parse(_ text: String) throws(ValueProblem) -> UInt32 {
        let hint = "write permission bits as an octal string such as \"0600\", at most 0777"
        var digits = text.trimmedBlanks
        if digits.hasPrefix("0o") || digits.hasPrefix("0O") { digits.removeFirst(2) }
        guard !digits.isEmpty, digits.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "7")).contains($0) }),
            let mode = UInt32(digits, radix: 8)
        else { throw ValueProblem("is not an octal mode", hint: hint) }
        guard mode <= 0o777 else { throw ValueProblem("has bits outside 0777", hint: hint) }
        return mode
    }

    static func text(_ mode: UInt32) -> String {
        let digits = String(mode, radix: 8)
        return String(repeating: "0", count: max(0, 4 - digits.count)) + digits
    }
}

extension String {
    /// Without blanks and line ends at both ends.
    var trimmedBlanks: String {
        let isBlank: (Character) -> Bool = { $0 == " " || $0 == "\t" || $0 == "\n" || $0 == "\r" || $0 == "\r\n" }
        let head = self.drop(while: isBlank)
        guard let last = head.lastIndex(where: { !isBlank($0) }) else { return "" }
        return String(head[...last])
    }
}
