/// What a verified certificate says of its owner.
public struct TLSPeerCertificate: Sendable, Equatable {
    /// Nil without one. One that is not UTF-8 or has a NUL within fails the handshake of a client (CVE-2009-4034).
    public let commonName: String?
    /// The distinguished name as PostgreSQL compares it for `clientname=DN` (RFC 2253): `CN=app,O=Example`.
    public let subject: String
    public let issuer: String
    /// Decimal, as in `pg_stat_ssl`.
    public let serial: String

    public init(commonName: String?, subject: String, issuer: String, serial: String) {
        self.commonName = commonName
        self.subject = subject
        self.issuer = issuer
        self.serial = serial
    }
}
