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

    private var leadingBits: UInt64 {
        unsafe withUnsafeBytes(of: self.raw.address) { unsafe UInt64(bigEndian: $0.loadUnaligned(as: UInt64.self)) }
    }

    private var trailingBits: UInt64 {
        unsafe withUnsafeBytes(of: self.raw.address) { bytes in
            unsafe UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
        }
    }
}
