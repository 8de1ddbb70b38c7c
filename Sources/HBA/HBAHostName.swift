/// Host names in the address column, and how they compare.
enum HBAHostName {
    static let keywords = ["all", "samehost", "samenet"]

    /// Whether a reverse look-up can give such a name: letters, digits, `-` and `_` in labels divided by dots. A dot in
    /// front makes it a suffix.
    static func isPossible(_ text: String) -> Bool {
        let name = text.utf8.first == UInt8(ascii: ".") ? text.utf8.dropFirst() : text.utf8[...]
        let labels = name.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        return labels.allSatisfy { !$0.isEmpty && $0.allSatisfy(Self.isLabelByte) }
    }

    /// Whether the name needs no quotes: it is no near miss of a keyword or of an address.
    static func isPlain(_ text: String) -> Bool {
        let last = text.utf8.split(separator: UInt8(ascii: ".")).last
        let looksNumeric = last?.first.map { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) } ?? true
        return Self.isPossible(text) && !looksNumeric && NearestWord.of(text, among: Self.keywords, within: 1) == nil
    }

    /// Whether the name of a client is the one of a rule; letters compare without case, ASCII only.
    static func isSame(_ name: String, _ rule: String) -> Bool {
        name.utf8.elementsEqual(rule.utf8) { Self.lower($0) == Self.lower($1) }
    }

    /// Whether the name of a client ends in the suffix of a rule, which begins with a dot.
    static func hasSuffix(_ name: String, _ suffix: String) -> Bool {
        name.utf8.count >= suffix.utf8.count
            && name.utf8.suffix(suffix.utf8.count).elementsEqual(suffix.utf8) { Self.lower($0) == Self.lower($1) }
    }

    private static func isLabelByte(_ byte: UInt8) -> Bool {
        switch Self.lower(byte) {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"): true
        case UInt8(ascii: "-"), UInt8(ascii: "_"): true
        default: false
        }
    }

    private static func lower(_ byte: UInt8) -> UInt8 {
        (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) ? byte | 0x20 : byte
    }
}
