import Glibc

/// Where a client comes from, in binary: text is made of it late. Immutable.
package enum AuditAddress: Sendable, Equatable {
    /// A unix socket.
    case local
    /// The address in host order.
    case v4(UInt32, port: UInt16)
    /// Both halves of the address in host order.
    case v6(high: UInt64, low: UInt64, port: UInt16)

    /// `[local]`, `192.0.2.1`, `2001:db8::1` (RFC 5952).
    package var text: String {
        switch self {
        case .local:
            return "[local]"
        case .v4(let bits, _):
            return (0..<4).map { String(bits >> UInt32(24 - 8 * $0) & 0xff) }.joined(separator: ".")
        case .v6(let high, let low, _):
            var words = (high.bigEndian, low.bigEndian)
            var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
            let count = socklen_t(text.count)
            guard unsafe inet_ntop(AF_INET6, &words, &text, count) != nil else { return "" }
            return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        }
    }

    /// Nil for a unix socket.
    package var port: UInt16? {
        switch self {
        case .local: nil
        case .v4(_, let port), .v6(_, _, let port): port
        }
    }
}

extension AuditRecord {
    /// The present moment in microseconds since 1970-01-01T00:00:00Z.
    package static func now() -> Int64 {
        var time = timespec()
        unsafe clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) &* 1_000_000 &+ Int64(time.tv_nsec) / 1_000
    }
}
