/// What a login needs of a client's certificate that was verified in the TLS handshake: values only. Immutable.
public struct ClientCertificate: Sendable, Equatable {
    /// The common name of the subject; nil when it has none.
    public let commonName: String?
    /// The whole subject as RFC 2253 writes it, the last part first: `CN=ann,OU=people,O=Example`.
    public let subject: String

    /// What was read of a certificate that was verified.
    public init(commonName: String?, subject: String) {
        self.commonName = commonName
        self.subject = subject
    }
}
