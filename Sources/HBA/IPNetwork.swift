/// The addresses a rule covers: the peers that share the first bits of a base address.
///
/// An immutable value. Host bits of the base do not take part (`10.1.2.3/8` is `10.0.0.0/8`), as in PostgreSQL.
package struct IPNetwork: Sendable, Hashable {
    /// The base address, bits behind the prefix cleared.
    package let base: IPAddress
    /// How many leading bits count: 0...32 or 0...128.
    package let prefixLength: Int

    /// `nil` when the prefix is negative or longer than the address.
    package init?(address: IPAddress, prefixLength: Int) {
        guard let mask = Self.mask(family: address.family, prefixLength: prefixLength) else { return nil }
        self.base = IPAddress(family: address.family, high: address.high & mask.high, low: address.low & mask.low)
        self.prefixLength = prefixLength
    }

    /// Whether the peer is inside. Never across families: `::/0` covers no IPv4 peer.
    package func contains(_ peer: IPAddress) -> Bool {
        guard peer.family == self.base.family,
            let mask = Self.mask(family: peer.family, prefixLength: self.prefixLength)
        else { return false }
        return peer.high & mask.high == self.base.high && peer.low & mask.low == self.base.low
    }

    /// The length of the prefix that a mask such as `255.255.0.0` stands for; `nil` for a mask with holes.
    static func prefixLength(ofMask mask: IPAddress) -> Int? {
        let length =
            switch mask.family {
            case .v4: (~(mask.low << 32)).leadingZeroBitCount
            case .v6 where mask.high == .max: 64 + (~mask.low).leadingZeroBitCount
            case .v6: (~mask.high).leadingZeroBitCount
            }
        return Self.mask(family: mask.family, prefixLength: length) == mask ? length : nil
    }

    /// Whether every address inside is an IPv4-mapped IPv6 address, which no peer ever has (see ``IPAddress``).
    var coversOnlyMappedIPv4: Bool {
        self.base.isMappedIPv4 && self.prefixLength >= 96
    }

    private static func mask(family: IPAddress.Family, prefixLength: Int) -> IPAddress? {
        guard (0...family.bitCount).contains(prefixLength) else { return nil }
        // `<<` gives zero when it shifts by the full width.
        switch family {
        case .v4:
            return IPAddress(family: .v4, high: 0, low: (UInt64.max << (32 - prefixLength)) & 0xffff_ffff)
        case .v6:
            let highBits = min(prefixLength, 64)
            let lowBits = prefixLength - highBits
            return IPAddress(family: .v6, high: UInt64.max << (64 - highBits), low: UInt64.max << (64 - lowBits))
        }
    }
}

extension IPNetwork: CustomStringConvertible {
    /// CIDR notation: `10.0.0.0/8`.
    package var description: String {
        "\(self.base)/\(self.prefixLength)"
    }
}
