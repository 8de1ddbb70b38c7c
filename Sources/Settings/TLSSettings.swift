/// Whether a connection uses TLS: the words of libpq's `sslmode`. Each one demands more than the one before.
package enum TLSMode: String, Sendable, CaseIterable, Comparable {
    case disable
    case allow
    case prefer
    case require
    case verifyCA = "verify-ca"
    case verifyFull = "verify-full"

    private var strength: Int { Self.allCases.firstIndex(of: self) ?? 0 }

    package static func < (left: TLSMode, right: TLSMode) -> Bool { left.strength < right.strength }
}

/// Written as PostgreSQL's `ssl_min_protocol_version` takes it.
package enum TLSProtocolVersion: String, Sendable, CaseIterable {
    case tls12 = "TLSv1.2"
    case tls13 = "TLSv1.3"
}

/// TLS for clients, from `general`. Paths are absolute; whether the files can be read and fit together is not known
/// here. Immutable; two that compare equal differ at most in what the files hold.
package struct ClientTLSSettings: Sendable, Equatable {
    /// What becomes of certificates of clients.
    package enum ClientCertificates: Sendable, Equatable {
        /// Clients are not asked for one.
        case ignored
        /// Clients are asked; a certificate that does not chain ends the handshake, none does not.
        case optional
        /// The handshake ends without one.
        case required
    }

    /// nil when it is not written: TLS is offered if there is a certificate.
    package let mode: TLSMode?
    package let certificate: String?
    package let privateKey: String?
    package let caCert: String?
    package let crlFile: String?
    package let minVersion: TLSProtocolVersion
    package let maxVersion: TLSProtocolVersion?
    package let ciphers: String?
    package let cipherSuites: String?
    package let curves: String?
    package let sessionTickets: Bool
    /// Handshakes begun per second; 0 is no limit.
    package let rateLimitPerSecond: Int

    init(_ values: SectionValues) {
        self.mode = values.text("tls_mode").flatMap(TLSMode.init(rawValue:))
        self.certificate = values.text("tls_certificate")
        self.privateKey = values.text("tls_private_key")
        self.caCert = values.text("tls_ca_cert")
        self.crlFile = values.text("tls_crl_file")
        self.minVersion = values.version("tls_min_version") ?? .tls12
        self.maxVersion = values.version("tls_max_version")
        self.ciphers = values.text("tls_ciphers")
        self.cipherSuites = values.text("tls_ciphersuites")
        self.curves = values.text("tls_curves")
        self.sessionTickets = values.bool("tls_session_tickets")
        self.rateLimitPerSecond = values.integer("tls_rate_limit_per_second")
    }

    package var isOffered: Bool { self.certificate != nil && self.mode != .disable }

    /// Clients by TCP are served by TLS only.
    package var isRequired: Bool { self.mode.map { $0 >= .require } ?? false }

    package var clientCertificates: ClientCertificates {
        if let mode = self.mode, mode >= .verifyCA { return .required }
        return self.caCert == nil ? .ignored : .optional
    }
}

/// TLS towards the servers of one pool; what the pool leaves out comes from `general`, key by key. Immutable; otherwise
/// as ``ClientTLSSettings``.
package struct ServerTLSSettings: Sendable, Equatable {
    /// As libpq's `sslnegotiation`.
    package enum Negotiation: String, Sendable, CaseIterable {
        case postgres
        case direct
    }

    /// As libpq's `channel_binding`.
    package enum ChannelBinding: String, Sendable, CaseIterable {
        case disable
        case prefer
        case require
    }

    package let mode: TLSMode
    package let caCert: String?
    package let certificate: String?
    package let privateKey: String?
    package let crlFile: String?
    package let minVersion: TLSProtocolVersion
    package let maxVersion: TLSProtocolVersion?
    package let ciphers: String?
    package let negotiation: Negotiation
    package let channelBinding: ChannelBinding

    /// What of a server's certificate is checked.
    package enum Verification: Sendable, Equatable {
        case none
        case chain
        case chainAndHost
    }

    /// As libpq: `require` with authorities checks the chain, too.
    package var verification: Verification {
        switch self.mode {
        case .disable, .allow, .prefer: .none
        case .require: self.caCert == nil ? .none : .chain
        case .verifyCA: .chain
        case .verifyFull: .chainAndHost
        }
    }

    init(_ values: SectionValues) {
        self.mode = values.text("server_tls_mode").flatMap(TLSMode.init(rawValue:)) ?? .allow
        self.caCert = values.text("server_tls_ca_cert")
        self.certificate = values.text("server_tls_certificate")
        self.privateKey = values.text("server_tls_private_key")
        self.crlFile = values.text("server_tls_crl_file")
        self.minVersion = values.version("server_tls_min_version") ?? .tls12
        self.maxVersion = values.version("server_tls_max_version")
        self.ciphers = values.text("server_tls_ciphers")
        self.negotiation = values.text("server_tls_negotiation").flatMap(Negotiation.init(rawValue:)) ?? .postgres
        self.channelBinding =
            values.text("server_channel_binding").flatMap(ChannelBinding.init(rawValue:)) ?? .prefer
    }
}

extension SectionValues {
    fileprivate func version(_ name: String) -> TLSProtocolVersion? {
        self.text(name).flatMap(TLSProtocolVersion.init(rawValue:))
    }
}
