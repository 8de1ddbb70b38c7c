/// The address of a peer, or of a rule: IPv4 or IPv6 in binary, compared without text.
///
/// An immutable value; any thread may hold one. Addresses made through the two initialisers are normalised: an
/// IPv4-mapped IPv6 address (`::ffff:10.0.0.1`, what a dual-stack socket reports for an IPv4 client) becomes the IPv4
/// address itself. PostgreSQL never sees mapped addresses because it listens with IPV6_V6ONLY, and its IPv4 rules match
/// IPv4 peers only; normalising gives the same decisions behind a dual-stack listener.
package struct IPAddress: Sendable, Hashable {
    /// The two address families; a rule of one never matches a peer of the other.
    package enum Family: Sendable, Hashable {
        case v4
        case v6

        /// Bits of an address: 32 or 128.
        package var bitCount: Int { self == .v4 ? 32 : 128 }
    }

    package let family: Family
    /// The upper 64 bits of an IPv6 address; zero for IPv4.
    let high: UInt64
    /// The lower 64 bits of an IPv6 address; an IPv4 address in the lower 32 bits.
    let low: UInt64

    init(family: Family, high: UInt64, low: UInt64) {
        self.family = family
        self.high = high
        self.low = low
    }

    /// An address from its text: `10.0.0.1` (four decimal numbers without leading zeros) or `2001:db8::1` (RFC 4291
    /// section 2.2, dotted tail allowed). Zones (`%eth0`), brackets, ports, short and octal IPv4 forms are none.
    package init?(_ text: String) {
        guard let exact = IPAddress(exactly: text) else { return nil }
        self = exact.normalised
    }

    /// An address from the 4 or 16 bytes of a socket address, in network order; any other count is `nil`.
    package init?(bytes: [UInt8]) {
        switch bytes.count {
        case 4:
            let low = UInt64(bytes[0]) << 24 | UInt64(bytes[1]) << 16 | UInt64(bytes[2]) << 8 | UInt64(bytes[3])
            self.init(family: .v4, high: 0, low: low)
        case 16:
            let exact = IPAddress(
                family: .v6,
                high: Self.bigEndian(bytes.prefix(8)),
                low: Self.bigEndian(bytes.dropFirst(8))
            )
            self = exact.normalised
        default:
            return nil
        }
    }

    /// An IPv4 address in host order.
    package init(v4 bits: UInt32) {
        self.init(family: .v4, high: 0, low: UInt64(bits))
    }

    /// An IPv6 address, its halves in host order; a mapped one is the IPv4 address inside.
    package init(v6High high: UInt64, low: UInt64) {
        self = IPAddress(family: .v6, high: high, low: low).normalised
    }

    /// The address in network order: 4 or 16 bytes.
    package var bytes: [UInt8] {
        switch self.family {
        case .v4: Self.bytes(of: self.low, count: 4)
        case .v6: Self.bytes(of: self.high, count: 8) + Self.bytes(of: self.low, count: 8)
        }
    }

    /// Whether this is an IPv6 address of `::ffff:0:0/96`. Never true for a normalised address.
    var isMappedIPv4: Bool {
        self.family == .v6 && self.high == 0 && self.low >> 32 == 0xffff
    }

    /// The IPv4 address inside a mapped one; any other address as it is.
    var normalised: IPAddress {
        self.isMappedIPv4 ? IPAddress(family: .v4, high: 0, low: self.low & 0xffff_ffff) : self
    }

    private static func bigEndian(_ bytes: ArraySlice<UInt8>) -> UInt64 {
        bytes.reduce(0) { $0 << 8 | UInt64($1) }
    }

    private static func bytes(of value: UInt64, count: Int) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: value >> UInt64((count - 1 - $0) * 8)) }
    }
}

extension IPAddress: CustomStringConvertible {
    /// The usual text: dotted decimal, or the canonical IPv6 form of RFC 5952.
    package var description: String {
        switch self.family {
        case .v4:
            return self.dottedQuad
        case .v6 where self.isMappedIPv4:
            return "::ffff:" + self.dottedQuad
        case .v6:
            return self.groupText
        }
    }

    private var dottedQuad: String {
        Self.bytes(of: self.low, count: 4).map { String($0) }.joined(separator: ".")
    }

    /// RFC 5952 section 4: lower case, no leading zeros, the first longest run of two or more zero groups as `::`.
    private var groupText: String {
        let groups: [UInt16] = [self.high, self.low].flatMap { half in
            [48, 32, 16, 0].map { UInt16(truncatingIfNeeded: half >> UInt64($0)) }
        }
        let text = groups.map { String($0, radix: 16) }
        guard let run = Self.longestZeroRun(in: groups) else { return text.joined(separator: ":") }
        return text[..<run.lowerBound].joined(separator: ":") + "::" + text[run.upperBound...].joined(separator: ":")
    }

    private static func longestZeroRun(in groups: [UInt16]) -> Range<Int>? {
        var best: Range<Int>?
        var start: Int?
        for (index, group) in groups.enumerated() {
            guard group == 0 else {
                start = nil
                continue
            }
            let runStart = start ?? index
            start = runStart
            if index + 1 - runStart > max(1, best?.count ?? 0) {
                best = runStart..<index + 1
            }
        }
        return best
    }
}
