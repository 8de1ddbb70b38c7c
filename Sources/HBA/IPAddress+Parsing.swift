extension IPAddress {
    /// The longest text that can be an address: eight groups, the last two of them as a dotted quad.
    static let longestText = 45

    /// The address exactly as written, without turning a mapped one into IPv4: rules need to see the difference.
    init?(exactly text: String) {
        let bytes = Array(text.utf8.prefix(Self.longestText + 1))
        guard bytes.count <= Self.longestText else { return nil }
        if bytes.contains(UInt8(ascii: ":")) {
            guard let address = Self.parseV6(bytes) else { return nil }
            self = address
        } else {
            guard let quad = Self.parseQuad(bytes[...]) else { return nil }
            self.init(family: .v4, high: 0, low: UInt64(quad))
        }
    }

    /// Four decimal numbers of 0...255. A leading zero is refused: the C library reads `010` as eight.
    private static func parseQuad(_ bytes: ArraySlice<UInt8>) -> UInt32? {
        let parts = bytes.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.count == 4 else { return nil }
        var result: UInt32 = 0
        for part in parts {
            guard let octet = Self.parseOctet(part) else { return nil }
            result = result << 8 | UInt32(octet)
        }
        return result
    }

    private static func parseOctet(_ digits: ArraySlice<UInt8>) -> UInt8? {
        guard (1...3).contains(digits.count), let first = digits.first else { return nil }
        guard digits.count == 1 || first != UInt8(ascii: "0") else { return nil }
        var value = 0
        for digit in digits {
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(digit) else { return nil }
            value = value * 10 + Int(digit - UInt8(ascii: "0"))
        }
        return UInt8(exactly: value)
    }

    /// RFC 4291 section 2.2: up to eight groups, one `::` for one or more zero groups, a dotted tail for the last two.
    private static func parseV6(_ bytes: [UInt8]) -> IPAddress? {
        guard let gap = Self.firstGap(in: bytes) else {
            guard let groups = Self.parseGroups(bytes[...], allowsQuad: true), groups.count == 8 else { return nil }
            return Self.address(of: groups)
        }
        guard let head = Self.parseGroups(bytes[..<gap], allowsQuad: false),
            let tail = Self.parseGroups(bytes[(gap + 2)...], allowsQuad: true),
            head.count + tail.count < 8
        else { return nil }
        let zeros = [UInt16](repeating: 0, count: 8 - head.count - tail.count)
        return Self.address(of: head + zeros + tail)
    }

    private static func firstGap(in bytes: [UInt8]) -> Int? {
        let colon = UInt8(ascii: ":")
        return zip(bytes, bytes.dropFirst()).enumerated().first { $0.element == (colon, colon) }?.offset
    }

    /// Groups between single colons; an empty text is no group at all. A second `::` shows as an empty group: refused.
    private static func parseGroups(_ bytes: ArraySlice<UInt8>, allowsQuad: Bool) -> [UInt16]? {
        guard !bytes.isEmpty else { return [] }
        let parts = bytes.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
        var groups: [UInt16] = []
        for (index, part) in parts.enumerated() {
            if allowsQuad, index == parts.count - 1, part.contains(UInt8(ascii: ".")) {
                guard let quad = Self.parseQuad(part) else { return nil }
                groups.append(UInt16(truncatingIfNeeded: quad >> 16))
                groups.append(UInt16(truncatingIfNeeded: quad))
            } else {
                guard let group = Self.parseGroup(part) else { return nil }
                groups.append(group)
            }
        }
        return groups
    }

    private static func parseGroup(_ digits: ArraySlice<UInt8>) -> UInt16? {
        guard (1...4).contains(digits.count) else { return nil }
        var value: UInt16 = 0
        for digit in digits {
            switch digit {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): value = value << 4 | UInt16(digit - UInt8(ascii: "0"))
            case UInt8(ascii: "a")...UInt8(ascii: "f"): value = value << 4 | UInt16(digit - UInt8(ascii: "a") + 10)
            case UInt8(ascii: "A")...UInt8(ascii: "F"): value = value << 4 | UInt16(digit - UInt8(ascii: "A") + 10)
            default: return nil
            }
        }
        return value
    }

    private static func address(of groups: [UInt16]) -> IPAddress {
        IPAddress(
            family: .v6,
            high: groups.prefix(4).reduce(0) { $0 << 16 | UInt64($1) },
            low: groups.dropFirst(4).reduce(0) { $0 << 16 | UInt64($1) }
        )
    }
}
