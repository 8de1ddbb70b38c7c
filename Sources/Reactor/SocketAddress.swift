import CReactor

/// Where a socket is or connects to: IPv4, IPv6 (IPv4-mapped ones are IPv4) or a unix socket path.
public struct SocketAddress: Sendable, CustomStringConvertible {
    var raw: cr_address

    init(_ raw: cr_address) { self.raw = raw }

    /// A numeric IP address; nil when `host` is a name.
    package init?(numericHost host: String, port: UInt16) {
        var raw = cr_address()
        guard unsafe cr_parse_numeric(host, port, &raw) == 1 else { return nil }
        self.raw = raw
    }

    /// A unix socket; nil when the path does not fit (107 bytes).
    package init?(unixPath: String) {
        var raw = cr_address()
        raw.family = 1
        let bytes = Array(unixPath.utf8)
        guard bytes.count < 108, !bytes.contains(0) else { return nil }
        unsafe withUnsafeMutableBytes(of: &raw.path) { unsafe $0.copyBytes(from: bytes) }
        self.raw = raw
    }

    /// What a look-up of a host name tells.
    package enum Resolution: Sendable {
        /// One address at least.
        case found([SocketAddress])
        /// There is none. The system's own words, such as `Name or service not known`.
        case failed(String)
        /// Cannot be told now. The system's own words, such as `Temporary failure in name resolution`.
        case unavailable(String)
    }

    /// Looks a host name up. Blocks: call on a helper thread, never on a worker.
    package static func resolve(host: String, port: UInt16) -> Resolution {
        var found = [cr_address](repeating: cr_address(), count: 8)
        let count = unsafe cr_resolve(host, port, &found, 8)
        if count > 0 { return .found(found.prefix(Int(count)).map { SocketAddress($0) }) }
        guard count < 0, let text = unsafe cr_resolve_error_text(count) else { return .failed("it has no address") }
        let words = unsafe String(cString: text)
        return count == CR_NAME_UNKNOWN ? .failed(words) : .unavailable(words)
    }

    /// What a reverse look-up tells.
    package enum HostName: Sendable, Equatable {
        case name(String)
        case none
        /// Cannot be told now.
        case unavailable
    }

    /// The name of this address. Blocks: call on a helper thread, never on a worker.
    package func hostName() -> HostName {
        var raw = self.raw
        // NI_MAXHOST
        var name = [CChar](repeating: 0, count: 1025)
        let result = unsafe cr_host_name(&raw, &name, name.count)
        guard result == 0 else { return result > 0 ? .none : .unavailable }
        return .name(String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self))
    }

    package enum ForwardLookup: Sendable {
        /// None when the name does not exist.
        case found([SocketAddress])
        /// Cannot be told now.
        case unavailable
    }

    /// All addresses of a name, up to 64. Blocks: call on a helper thread, never on a worker.
    package static func lookUp(host: String, port: UInt16) -> ForwardLookup {
        var found = [cr_address](repeating: cr_address(), count: 64)
        let count = unsafe cr_resolve(host, port, &found, 64)
        if count < 0 { return count == CR_NAME_UNKNOWN ? .found([]) : .unavailable }
        return .found(found.prefix(Int(count)).map { SocketAddress($0) })
    }

    package var isTCP: Bool { self.raw.family != 1 }
    package var port: UInt16 { self.raw.port }

    /// 4 or 16 bytes in network order; empty for a unix socket.
    package var addressBytes: [UInt8] {
        let count = self.raw.family == 4 ? 4 : (self.raw.family == 6 ? 16 : 0)
        return unsafe withUnsafeBytes(of: self.raw.address) { unsafe Array($0.prefix(count)) }
    }

    public var description: String {
        switch self.raw.family {
        case 4:
            return self.dottedQuadAndPort
        case 6:
            return "[\(Self.text(ofIPv6: self.addressBytes))]:\(self.raw.port)"
        default:
            let path = unsafe withUnsafeBytes(of: self.raw.path) { unsafe Array($0.prefix { $0 != 0 }) }
            return path.isEmpty ? "unix" : "unix:" + String(decoding: path, as: UTF8.self)
        }
    }

    /// Written digit by digit: every login asks for it.
    private var dottedQuadAndPort: String {
        let octets = [self.raw.address.0, self.raw.address.1, self.raw.address.2, self.raw.address.3]
        return unsafe String(unsafeUninitializedCapacity: 21) { text in
            var count = 0
            for (index, octet) in octets.enumerated() {
                unsafe Self.append(UInt16(octet), to: text, at: &count)
                unsafe text[count] = index < 3 ? UInt8(ascii: ".") : UInt8(ascii: ":")
                count += 1
            }
            unsafe Self.append(self.raw.port, to: text, at: &count)
            return count
        }
    }

    /// Up to five digits.
    private static func append(_ number: UInt16, to text: UnsafeMutableBufferPointer<UInt8>, at count: inout Int) {
        var scale: UInt16 = 10_000
        while scale > 1, number < scale { scale /= 10 }
        while scale > 0 {
            unsafe text[count] = UInt8(ascii: "0") + UInt8(number / scale % 10)
            count += 1
            scale /= 10
        }
    }

    /// RFC 5952: lower case, the longest run of zero groups shortened.
    private static func text(ofIPv6 bytes: [UInt8]) -> String {
        let groups = stride(from: 0, to: 16, by: 2).map { UInt16(bytes[$0]) << 8 | UInt16(bytes[$0 + 1]) }
        var best = 0..<0
        var start = 0
        while start < 8 {
            var end = start
            while end < 8, groups[end] == 0 { end += 1 }
            if end - start > max(best.count, 1) { best = start..<end }
            start = max(end, start + 1)
        }
        func text(_ part: ArraySlice<UInt16>) -> String {
            part.map { String($0, radix: 16) }.joined(separator: ":")
        }
        if best.isEmpty { return text(groups[...]) }
        return text(groups[..<best.lowerBound]) + "::" + text(groups[best.upperBound...])
    }
}
