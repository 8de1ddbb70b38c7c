/// Cursor over the comma-separated `x=value` attributes of one SCRAM message (RFC 5802 section 7).
///
/// Every read is checked; nothing is skipped silently. Owned by the machine that parses the message.
struct SCRAMAttributes {
    private let bytes: [UInt8]
    /// Index of the next unread byte.
    private(set) var offset: Int

    private static let comma = UInt8(ascii: ",")
    private static let equals = UInt8(ascii: "=")

    /// Refuses messages above the limit and NUL bytes, which no SCRAM message may contain.
    init(_ bytes: [UInt8]) throws(SCRAMFailure) {
        guard bytes.count <= SCRAMLimits.messageBytesMax else { throw .malformed("too long") }
        guard !bytes.contains(0) else { throw .malformed("NUL byte") }
        self.bytes = bytes
        self.offset = 0
    }

    var isAtEnd: Bool {
        self.offset >= self.bytes.count
    }

    var next: UInt8? {
        self.isAtEnd ? nil : self.bytes[self.offset]
    }

    /// Takes one byte that has to be `expected`.
    mutating func take(_ expected: UInt8, _ place: String) throws(SCRAMFailure) {
        guard self.next == expected else { throw .malformed(place) }
        self.offset += 1
    }

    /// Takes any one byte.
    mutating func takeByte(_ place: String) throws(SCRAMFailure) -> UInt8 {
        guard let byte = self.next else { throw .malformed(place) }
        self.offset += 1
        return byte
    }

    /// Takes the attribute `name=value`, with the comma before it unless it is `first`.
    mutating func take(attribute name: UInt8, first: Bool = false) throws(SCRAMFailure) -> ArraySlice<UInt8> {
        let (found, value) = try self.takeAttribute(first: first)
        guard found == name else { throw .malformed("attribute \(Self.printable([name])) expected") }
        return value
    }

    /// Takes whatever attribute comes next; its name is a letter.
    mutating func takeAttribute(
        first: Bool = false
    ) throws(SCRAMFailure) -> (name: UInt8, value: ArraySlice<UInt8>) {
        if !first {
            try self.take(Self.comma, "comma expected")
        }
        let name = try self.takeByte("attribute name")
        guard Self.isLetter(name) else { throw .malformed("attribute name") }
        try self.take(Self.equals, "attribute without =")
        return (name, self.takeValue())
    }

    /// Everything up to the next comma or the end; may be empty.
    mutating func takeValue() -> ArraySlice<UInt8> {
        let rest = self.bytes[self.offset...]
        let end = rest.firstIndex(of: Self.comma) ?? rest.endIndex
        self.offset = end
        return rest[..<end]
    }

    private static func isLetter(_ byte: UInt8) -> Bool {
        let lower = byte | 0x20
        return lower >= UInt8(ascii: "a") && lower <= UInt8(ascii: "z")
    }

    /// Whether `nonce` has one to `SCRAMLimits.nonceBytesMax` printable characters (commas cannot occur in a value).
    static func isNonce(_ nonce: some Collection<UInt8>) -> Bool {
        (1...SCRAMLimits.nonceBytesMax).contains(nonce.count) && nonce.allSatisfy { byte in byte > 0x20 && byte < 0x7f }
    }

    /// Peer text made safe for a log line: at most 64 characters, everything but printable ASCII as `?`.
    static func printable(_ bytes: some Collection<UInt8>) -> String {
        let safe = bytes.prefix(64).map { byte in byte >= 0x20 && byte < 0x7f ? byte : UInt8(ascii: "?") }
        return String(decoding: safe, as: UTF8.self)
    }
}
