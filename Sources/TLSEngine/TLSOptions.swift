/// How clients are served. Certificates, keys and lists are the bytes of PEM files; the owner of a key's bytes wipes
/// them once the context is built.
public struct TLSServerOptions: Sendable {
    public enum ClientCertificate: Sendable {
        /// Not asked for.
        case ignored
        /// Asked for: a client may come without one, but not with a bad one.
        case optional
        case required
    }

    /// PEM: the own certificate, then those that lead to its authority.
    public var certificateChain: [UInt8]
    /// PEM: of the own certificate; without passphrase.
    public var privateKey: [UInt8]
    /// PEM: who may vouch for clients; their names are told to clients.
    public var clientAuthorities: [UInt8]?
    /// PEM: certificates on them are refused; every authority of a client's chain needs a list then.
    public var revocationLists: [UInt8]?
    public var clientCertificate: ClientCertificate = .ignored
    public var minimumVersion: TLSVersion = .tls12
    /// Nil: the newest.
    public var maximumVersion: TLSVersion?
    /// For TLSv1.2, in OpenSSL's words; nil: OpenSSL's own choice, as below.
    public var cipherList: String?
    /// For TLSv1.3.
    public var cipherSuites: String?
    /// For key exchange, the most wanted first.
    public var curves: String?
    /// Whether clients get tickets to resume with. A resumed session keeps the client's certificate without another
    /// look at its validity.
    public var sessionTickets = false

    public init(certificateChain: [UInt8], privateKey: [UInt8]) {
        self.certificateChain = certificateChain
        self.privateKey = privateKey
    }
}

/// How servers are spoken to. Certificates, keys and lists are the bytes of PEM files; the owner of a key's bytes wipes
/// them once the context is built.
public struct TLSClientOptions: Sendable {
    public enum Verification: Sendable {
        /// Any certificate will do.
        case none
        /// It has to come from one of the authorities.
        case chain
        /// It also has to be for the host.
        case chainAndHost
    }

    /// PEM: who may vouch for servers; needed unless `verification` is `.none`.
    public var authorities: [UInt8]?
    /// PEM: certificates on them are refused; every authority of a server's chain needs a list then.
    public var revocationLists: [UInt8]?
    /// PEM: what is shown to servers that ask for a certificate, the own one first, then those that lead to its
    /// authority.
    public var certificateChain: [UInt8]?
    /// PEM: of the own certificate; without passphrase. Goes with `certificateChain`.
    public var privateKey: [UInt8]?
    public var verification: Verification = .none
    public var minimumVersion: TLSVersion = .tls12
    /// Nil: the newest.
    public var maximumVersion: TLSVersion?
    /// For TLSv1.2, in OpenSSL's words; nil: OpenSSL's own choice, as below.
    public var cipherList: String?
    /// For TLSv1.3.
    public var cipherSuites: String?
    /// For key exchange, the most wanted first.
    public var curves: String?

    public init() {}
}

/// Why options make no context. The reason holds nothing of a file's content.
public struct TLSConfigurationError: Error, Sendable, Equatable, CustomStringConvertible {
    public enum Part: String, Sendable {
        case certificate = "certificate"
        case privateKey = "private key"
        case authorities = "CA certificates"
        case revocationLists = "certificate revocation lists"
        case versions = "TLS versions"
        case ciphers = "ciphers"
        case cipherSuites = "cipher suites"
        case curves = "curves"
        case library = "TLS library"
    }

    public let part: Part
    /// Continues a sentence that begins with the part: "is encrypted, ...".
    public let reason: String

    public var description: String { "\(self.part.rawValue): \(self.reason)" }
}
