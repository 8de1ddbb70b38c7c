/// What is known about a client before it proves anything: values only. Immutable; in one object, which a login hands
/// on many times.
public final class LoginAttempt: Sendable {
    /// The user and database of the startup message, the database after PostgreSQL's default (the user's name).
    public let user: String
    public let database: String
    /// Where the client comes from, for texts: an address, or `[local]` for a unix socket.
    public var peerAddress: String { self.peer.address }
    /// The client's address without its port, in digits; nil for a unix socket.
    public var peerHost: String? { self.peer.host }
    /// Texts are made when they are asked for: most logins need none.
    private let peer: any PeerTexts
    /// The client came through a unix socket.
    public let isLocal: Bool
    /// The client is inside TLS, begun directly or after an SSLRequest.
    public let isTLS: Bool
    /// The operating system's number of the user at the other end of a unix socket.
    public let peerUserID: UInt32?
    /// What a login can be bound to (`tls-server-end-point` of our certificate, RFC 5929); nil without TLS, and for
    /// certificates that have none.
    public let channelBinding: [UInt8]?
    /// The certificate that the client has shown, with the proof that it is its own; nil without one.
    public let certificate: ClientCertificate?
    /// The hba rule that decided.
    public let rule: Rule

    /// An hba rule as far as a login needs it. Immutable; one object for all logins under the rule.
    public final class Rule: Sendable {
        /// The word of its method column.
        public let method: String
        /// What stands behind the method.
        public let options: MethodOptions
        /// Where the rule stands.
        public let file: String
        /// Its line there, from 1.
        public let line: Int

        /// A rule with the method that its options are of.
        public init(options: MethodOptions, file: String, line: Int) {
            self.method = options.method
            self.options = options
            self.file = file
            self.line = line
        }
    }

    /// An attempt whose texts are at hand.
    public convenience init(
        user: String,
        database: String,
        peerAddress: String,
        peerHost: String? = nil,
        isLocal: Bool,
        isTLS: Bool,
        peerUserID: UInt32? = nil,
        channelBinding: [UInt8]? = nil,
        certificate: ClientCertificate? = nil,
        rule: Rule
    ) {
        self.init(
            user: user,
            database: database,
            peer: GivenPeerTexts(address: peerAddress, host: peerHost),
            isLocal: isLocal,
            isTLS: isTLS,
            peerUserID: peerUserID,
            channelBinding: channelBinding,
            certificate: certificate,
            rule: rule
        )
    }

    /// - Parameter peer: says ``peerAddress`` and ``peerHost``.
    package init(
        user: String,
        database: String,
        peer: any PeerTexts,
        isLocal: Bool,
        isTLS: Bool,
        peerUserID: UInt32? = nil,
        channelBinding: [UInt8]? = nil,
        certificate: ClientCertificate? = nil,
        rule: Rule
    ) {
        self.user = user
        self.database = database
        self.peer = peer
        self.isLocal = isLocal
        self.isTLS = isTLS
        self.peerUserID = peerUserID
        self.channelBinding = channelBinding
        self.certificate = certificate
        self.rule = rule
    }
}

/// Where a client comes from, as texts.
package protocol PeerTexts: Sendable {
    /// ``LoginAttempt/peerAddress``
    var address: String { get }
    /// ``LoginAttempt/peerHost``
    var host: String? { get }
}

/// Texts that are at hand.
package struct GivenPeerTexts: PeerTexts {
    package let address: String
    package let host: String?

    package init(address: String, host: String?) {
        self.address = address
        self.host = host
    }
}
