import CReactor

extension SocketAddress {
    /// The address as numbers in host order.
    package enum Bits: Sendable, Equatable {
        case local
        case v4(UInt32)
        case v6(high: UInt64, low: UInt64)
    }

    /// Without an allocation, unlike `addressBytes`.
    package var bits: Bits {
        switch self.raw.family {
        case 4: .v4(UInt32(truncatingIfNeeded: self.leadingBits >> 32))
        case 6: .v6(high: self.leadingBits, low: self.trailingBits)
        default: .local
        }
    }

    /// The TCP address with these numbers; for `.local`, a unix socket without a path.
    package init(_ bits: Bits, port: UInt16) {
        var raw = cr_address()
        var (leading, trailing): (UInt64, UInt64) = (0, 0)
        switch bits {
        case .local: raw.family = 1
        case .v4(let bits): (raw.family, leading) = (4, UInt64(bits) << 32)
        case .v6(let high, let low): (raw.family, leading, trailing) = (6, high, low)
        }
        if raw.family != 1 { raw.port = port }
        unsafe withUnsafeMutableBytes(of: &raw.address) { bytes in
            unsafe bytes.storeBytes(of: leading.bigEndian, as: UInt64.self)
            unsafe bytes.storeBytes(of: trailing.bigEndian, toByteOffset: 8, as: UInt64.self)
        }
        self.init(raw)
    }

    private var leadingBits: UInt64 {
        unsafe withUnsafeBytes(of: self.raw.address) { unsafe UInt64(bigEndian: $0.loadUnaligned(as: UInt64.self)) }
    }

    private var trailingBits: UInt64 {
        unsafe withUnsafeBytes(of: self.raw.address) { bytes in
            unsafe UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
        }
    }
}
