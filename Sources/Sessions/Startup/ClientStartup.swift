package import PGWire

/// The conversation before login: encryption requests, the cancel request, the StartupMessage, and the negotiation of
/// protocol version and options (protocol chapter, "Start-up" and "Protocol Versions").
///
/// Each of SSLRequest and GSSENCRequest is answered once at most, and nothing may follow one before its answer: bytes
/// stuffed behind it could otherwise pass for encrypted ones. TLS begins after SSLRequest, or directly with the first
/// byte (`sslnegotiation=direct`). Belongs to a client connection until login begins.
package struct ClientStartup: Sendable {
    /// Whether this client can have TLS. Unix sockets have none.
    package enum TLSOffer: Sendable {
        case none
        case offered
        /// Nobody logs in without. A CancelRequest in clear text stays allowed.
        case required
    }

    package enum Step: Sendable {
        /// More bytes are needed.
        case wait
        /// Answer with these bytes and go on.
        case reply([UInt8])
        /// Answer with `S` and begin the handshake; ``ClientStartup/tlsStarted()`` when it is done. No byte came behind
        /// the request.
        case startTLS
        /// Begin the handshake with the bytes at hand, of which none was consumed. Afterwards the client must have
        /// chosen the protocol `postgresql` (ALPN).
        case startDirectTLS
        case cancel(CancelRequest)
        /// The session may log in.
        case login(Login)
        /// Send the error and close.
        case refuse(ServerMessageFields)
        /// Close without a word: what came was not PostgreSQL's protocol.
        case hangUp(WireError)
    }

    /// In one object, which is handed on several times. Immutable.
    package final class Login: Sendable {
        package let message: StartupMessage
        /// What both sides speak from now on.
        package let version: ProtocolVersion
        package let user: String
        package let database: String
        /// NegotiateProtocolVersion, to be sent before anything else; empty when there is nothing to say.
        package let negotiation: [UInt8]

        init(
            message: StartupMessage,
            version: ProtocolVersion,
            user: String,
            database: String,
            negotiation: [UInt8]
        ) {
            self.message = message
            self.version = version
            self.user = user
            self.database = database
            self.negotiation = negotiation
        }
    }

    /// The newest minor version of protocol 3 that the gateway speaks.
    package static let newestMinorVersion: UInt16 = 2

    /// Successors: `.clear` -> `.handshaking` -> `.encrypted`.
    private enum Encryption {
        case clear
        /// What comes is the handshake's, and not for this machine.
        case handshaking
        case encrypted
    }

    /// First byte of a TLS record with a handshake message. As that of a length it would be out of all bounds.
    private static let handshakeRecord: UInt8 = 0x16

    private let tls: TLSOffer
    private var encryption = Encryption.clear
    private var reader = StartupPacketReader()
    private var sawSSLRequest = false
    private var sawGSSENCRequest = false

    package init(tls: TLSOffer = .none) {
        self.tls = tls
    }

    /// No byte of a packet was taken that is not dealt with.
    package var isBetweenPackets: Bool { self.reader.collectedCount == 0 && self.encryption != .handshaking }

    /// A StartupMessage that comes now would be understood: between packets, and not in clear text where TLS is
    /// required.
    package var takesStartupMessage: Bool {
        self.isBetweenPackets && (self.tls != .required || self.encryption == .encrypted)
    }

    /// The handshake is done; what is received from now on comes out of TLS.
    package mutating func tlsStarted() {
        guard self.encryption == .handshaking else { return }
        self.encryption = .encrypted
    }

    /// Takes bytes from the client. Returns how many were consumed and what to do; call again while bytes are left
    /// and the step was `.reply`.
    package mutating func receive(_ bytes: borrowing Span<UInt8>) -> (consumed: Int, step: Step) {
        if self.encryption == .handshaking { return (bytes.count, .hangUp(.unexpectedTLS)) }
        if let start = self.directStart(bytes) { return start }
        if self.reader.collectedCount == 0, let request = StartupPacket.encryptionRequest(bytes) {
            let length = StartupPacket.encryptionRequestLength
            return (length, self.step(for: request, hasMore: bytes.count > length))
        }
        do throws(WireError) {
            let consumed = try self.reader.append(bytes)
            guard let packet = try self.reader.next() else { return (consumed, .wait) }
            return (consumed, self.step(for: packet, hasMore: consumed < bytes.count))
        } catch {
            return (bytes.count, self.failure(for: error))
        }
    }

    /// TLS without a request for it, as the very first bytes of a connection.
    private mutating func directStart(_ bytes: borrowing Span<UInt8>) -> (consumed: Int, step: Step)? {
        guard !bytes.isEmpty, bytes[0] == Self.handshakeRecord, self.isBetweenPackets, self.encryption == .clear,
            !self.sawSSLRequest, !self.sawGSSENCRequest
        else { return nil }
        guard self.tls != .none else { return (bytes.count, .hangUp(.unexpectedTLS)) }
        self.encryption = .handshaking
        return (0, .startDirectTLS)
    }

    private mutating func step(for packet: StartupPacket, hasMore: Bool) -> Step {
        switch packet {
        case .sslRequest:
            if self.sawSSLRequest || hasMore || self.encryption == .encrypted {
                return self.unexpectedRequest(hasMore: hasMore, name: "SSL")
            }
            self.sawSSLRequest = true
            guard self.tls != .none else { return .reply([UInt8(ascii: "N")]) }
            self.encryption = .handshaking
            return .startTLS
        case .gssEncRequest:
            if self.sawGSSENCRequest || hasMore || self.encryption == .encrypted {
                return self.unexpectedRequest(hasMore: hasMore, name: "GSSAPI encryption")
            }
            self.sawGSSENCRequest = true
            return .reply([UInt8(ascii: "N")])
        case .cancel(let request):
            return .cancel(request)
        case .startup where self.tls == .required && self.encryption == .clear:
            return .refuse(
                .fatal(.invalidAuthorization, "the server requires TLS: connect with sslmode=require or stronger")
            )
        case .startup(let message):
            return Self.login(message)
        }
    }

    private func unexpectedRequest(hasMore: Bool, name: String) -> Step {
        let text =
            if self.encryption == .encrypted {
                "\(name) request on an encrypted connection"
            } else {
                hasMore ? "received unencrypted data after \(name) request" : "duplicate \(name) request"
            }
        return .refuse(.fatal(.protocolViolation, text))
    }

    /// A length out of bounds is not worth an answer (PostgreSQL gives none either); what fails later is.
    private func failure(for error: WireError) -> Step {
        switch error {
        case .lengthOutOfRange:
            return .hangUp(error)
        case .unsupportedProtocol, .invalidText:
            return .refuse(.fatal(error.sqlState, error.description))
        default:
            let text = "invalid startup packet layout: \(error.description)"
            return .refuse(.fatal(.protocolViolation, text))
        }
    }

    private static func login(_ message: StartupMessage) -> Step {
        guard let user = message.user, !user.isEmpty else {
            return .refuse(.fatal(.invalidAuthorization, "no PostgreSQL user name specified in startup packet"))
        }
        let minor = min(message.minorVersion, self.newestMinorVersion)
        var negotiation = MessageWriter()
        if message.minorVersion > self.newestMinorVersion || !message.extensions.isEmpty {
            negotiation.negotiateProtocolVersion(minor: minor, unrecognized: message.extensions)
        }
        let database = message.database.flatMap { $0.isEmpty ? nil : $0 } ?? user
        return .login(
            Login(
                message: message,
                version: ProtocolVersion(major: 3, minor: minor),
                user: user,
                database: database,
                negotiation: negotiation.bytes
            )
        )
    }
}
