/// A host name that clients may ask for (SNI): `db.example.com`, or `*.example.com` for every name with one more label.
/// Compared without regard to the case of ASCII letters.
public struct TLSServerNamePattern: Sendable, Hashable, CustomStringConvertible {
    /// Bytes of a host name (RFC 1035, without the last dot).
    public static let lengthMax = 253
    static let labelLengthMax = 63

    public let isWildcard: Bool
    /// In lower case; behind `*.` where it is a wildcard.
    private let name: [UInt8]

    /// Nil unless `text` is a host name, with or without `*.` before it. Host names are labels of letters, digits,
    /// hyphens and underscores; addresses are none, as clients never send them.
    public init?(_ text: String) {
        var name = text.utf8.map(Self.lowercased)
        guard name.count <= Self.lengthMax else { return nil }
        self.isWildcard = name.starts(with: "*.".utf8)
        if self.isWildcard { name.removeFirst(2) }
        guard Self.isHostName(name) else { return nil }
        self.name = name
    }

    public var description: String { (self.isWildcard ? "*." : "") + String(decoding: self.name, as: UTF8.self) }

    public func matches(_ serverName: String) -> Bool {
        var host = Substring(serverName)
        if self.isWildcard {
            guard let dot = host.utf8.firstIndex(of: UInt8(ascii: ".")), dot > host.startIndex else { return false }
            host = host[host.utf8.index(after: dot)...]
        }
        return host.utf8.count == self.name.count && host.utf8.lazy.map(Self.lowercased).elementsEqual(self.name)
    }

    /// Whether the bytes are labels joined by dots, and no IPv4 address.
    static func isHostName(_ name: [UInt8]) -> Bool {
        guard !name.isEmpty, name.count <= Self.lengthMax else { return false }
        let labels = name.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard labels.allSatisfy({ !$0.isEmpty && $0.count <= Self.labelLengthMax && $0.allSatisfy(Self.isNameByte) })
        else { return false }
        return !(labels.last?.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) } ?? true)
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"):
            true
        default: false
        }
    }

    private static func lowercased(_ byte: UInt8) -> UInt8 {
        (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) ? byte | 0x20 : byte
    }
}
