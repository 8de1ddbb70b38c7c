import AuthProviders
import TLSEngine
import Telemetry

/// What a handshake has agreed on, as policy, console and audit stream need it. Immutable.
final class TLSFacts: Sendable {
    let version: String
    let cipher: String
    /// The other side's certificate, if it showed one and it was verified.
    let peer: TLSPeerCertificate?
    /// The host name that the client asked for (SNI).
    let serverName: String?
    /// tls-server-end-point: what logins are bound to; nil where the certificate's kind has none.
    let endpointBinding: [UInt8]?

    init(_ session: TLSSession) {
        self.version = session.versionText
        self.cipher = session.cipher
        self.peer = session.peerCertificate
        self.serverName = session.serverName
        self.endpointBinding = session.endpointBinding
    }

    /// What rules ask about a client's certificate.
    var clientCertificate: ClientCertificate? {
        self.peer.map { ClientCertificate(commonName: $0.commonName, subject: $0.subject) }
    }

    var audit: AuditTLS {
        AuditTLS(version: self.version, cipher: self.cipher, clientSubject: self.peer?.subject)
    }
}

extension TLSColumns {
    init(_ facts: TLSFacts) {
        self.init(
            version: facts.version,
            cipher: facts.cipher,
            subject: facts.peer?.subject,
            serverName: facts.serverName
        )
    }
}
