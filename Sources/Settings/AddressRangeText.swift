/// Checks the shape of `address` or `address/bits` for IPv4 and IPv6. The rules themselves are applied elsewhere.
enum AddressRangeText {
    static func isValid(_ text: String) -> Bool {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard let address = parts.first, parts.count <= 2 else { return false }
        let isIPv6 = address.contains(":")
        guard isIPv6 ? Self.isIPv6(address) : Self.isIPv4(address) else { return false }
        guard parts.count == 2 else { return true }
        guard let bits = Self.number(parts[1], maximumDigits: 3) else { return false }
        return bits <= (isIPv6 ? 128 : 32)
    }

    private static func isIPv4(_ text: Substring) -> Bool {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts.allSatisfy { (Self.number($0, maximumDigits: 3) ?? 256) <= 255 }
    }

    private static func isIPv6(_ text: Substring) -> Bool {
        var halves: [Substring] = [text]
        if let gap = text.firstRange(of: "::") {
            halves = [text[..<gap.lowerBound], text[gap.upperBound...]]
        }
        var groups = 0
        for (index, half) in halves.enumerated() where !half.isEmpty {
            let parts = half.split(separator: ":", omittingEmptySubsequences: false)
            for (position, part) in parts.enumerated() {
                let isLast = index == halves.count - 1 && position == parts.count - 1
                if isLast, part.contains("."), Self.isIPv4(part) {
                    groups += 2
                } else {
                    guard (1...4).contains(part.count), part.allSatisfy({ $0.isASCII && $0.isHexDigit }) else {
                        return false
                    }
                    groups += 1
                }
            }
        }
        return halves.count == 2 ? groups < 8 : groups == 8
    }

    private static func number(_ text: Substring, maximumDigits: Int) -> Int? {
        guard (1...maximumDigits).contains(text.count), text.allSatisfy({ $0.isASCII && $0.isNumber }) else {
            return nil
        }
        return Int(text)
    }
}
