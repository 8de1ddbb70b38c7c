/// Checks the shape of `address/bits` for IPv4 and IPv6. The rules themselves are applied elsewhere.
enum AddressRangeText {
    /// - Throws: what is no range. An address alone is none either: whether it means itself or its network is not
    ///   guessed.
    static func check(_ text: String) throws(ValueProblem) {
        let quoted = "`\(text.prefix(60))`"
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        let address = parts.first ?? ""
        let isIPv6 = address.contains(":")
        guard isIPv6 ? Self.isIPv6(address) : Self.isIPv4(address) else {
            throw ValueProblem("\(quoted) is not an address range", hint: "such as 10.0.0.0/8 or fd00::/8")
        }
        let longest = isIPv6 ? 128 : 32
        guard parts.count == 2 else {
            throw ValueProblem("\(quoted) has no prefix length", hint: "\(address)/\(longest) is this address alone")
        }
        guard let bits = Self.number(parts[1], maximumDigits: 3), bits <= longest else {
            throw ValueProblem("the prefix length of \(quoted) is not a number of 0 to \(longest)")
        }
    }

    private static func isIPv4(_ text: Substring) -> Bool {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts.allSatisfy(Self.isOctet)
    }

    /// A leading zero is refused: some read `010` as eight.
    private static func isOctet(_ text: Substring) -> Bool {
        guard text.count == 1 || text.first != "0" else { return false }
        return (Self.number(text, maximumDigits: 3) ?? 256) <= 255
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
