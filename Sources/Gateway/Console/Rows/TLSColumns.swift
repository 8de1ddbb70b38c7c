/// What the rows of connections say about TLS.
package struct TLSColumns: Sendable, Equatable {
    package let version: String
    package let cipher: String
    /// Of the other side's certificate; nil without one.
    package let subject: String?
    package let serverName: String?

    package init(version: String, cipher: String, subject: String? = nil, serverName: String? = nil) {
        self.version = version
        self.cipher = cipher
        self.subject = subject
        self.serverName = serverName
    }
}
