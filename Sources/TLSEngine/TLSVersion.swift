import COpenSSL

/// Versions that are spoken; older ones are broken (RFC 8996).
public enum TLSVersion: String, Sendable, CaseIterable, Comparable {
    case tls12 = "TLSv1.2"
    case tls13 = "TLSv1.3"

    public static func < (one: Self, other: Self) -> Bool { one.code < other.code }

    var code: Int32 {
        switch self {
        case .tls12: Int32(CT_TLS12)
        case .tls13: Int32(CT_TLS13)
        }
    }

    init?(code: Int32) {
        guard let version = Self.allCases.first(where: { $0.code == code }) else { return nil }
        self = version
    }
}
