package import PGWire

/// The conversation before login: encryption requests, the cancel request, the StartupMessage, and the negotiation of
/// protocol version and options (protocol chapter, "Start-up" and "Protocol Versions").
///
/// Each of SSLRequest and GSSENCRequest is answered once at most, and nothing may follow one before its answer: bytes
/// stuffed behind it could otherwise pass for encrypted ones. Belongs to a client connection until login begins.
package struct ClientStartup: Sendable {
    package enum Step: Sendable {
        /// More bytes are needed.
        case wait
        /// Answer with these bytes and go on.
        case reply([UInt8])
        case cancel(CancelRequest)
        /// The session may log in.
        case login(Login)
        /// Send the error and close.
        case refuse(ServerMessageFields)
        /// Close without a word: what came was not PostgreSQL's protocol.
        case hangUp(WireError)
    }

    package struct Login: Sendable {
        package let message: StartupMessage
        /// What both sides speak from now on.
        package let version: ProtocolVersion
        package let user: String
        package let database: String
        /// NegotiateProtocolVersion, to be sent before anything else; empty when there is nothing to say.
        package let negotiation: [UInt8]
    }

    /// The newest minor version of protocol 3 that the gateway speaks.
    package static let newestMinorVersion: UInt16 = 2

    private var reader = StartupPacketReader()
    private var sawSSLRequest = false
    private var sawGSSENCRequest = false

    package init() {}

    /// No byte of a packet was taken that is not dealt with.
    package var isBetweenPackets: Bool { self.reader.collectedCount == 0 }

    /// Takes bytes from the client. Returns how many were consumed and what to do; call again while bytes are left
    /// and the step was `.reply`.
    package mutating func receive(_ bytes: borrowing Span<UInt8>) -> (consumed: Int, step: Step) {
        do throws(WireError) {
            let consumed = try self.reader.append(bytes)
            guard let packet = try self.reader.next() else { return (consumed, .wait) }
            return (consumed, self.step(for: packet, hasMore: consumed < bytes.count))
        } catch {
            return (bytes.count, self.failure(for: error))
        }
    }

    private mutating func step(for packet: StartupPacket, hasMore: Bool) -> Step {
        switch packet {
        case .sslRequest:
            if self.sawSSLRequest || hasMore { return self.unexpectedRequest(hasMore: hasMore, name: "SSL") }
            self.sawSSLRequest = true
            return .reply([UInt8(ascii: "N")])
        case .gssEncRequest:
            if self.sawGSSENCRequest || hasMore {
                return self.unexpectedRequest(hasMore: hasMore, name: "GSSAPI encryption")
            }
            self.sawGSSENCRequest = true
            return .reply([UInt8(ascii: "N")])
        case .cancel(let request):
            return .cancel(request)
        case .startup(let message):
            return Self.login(message)
        }
    }

    private func unexpectedRequest(hasMore: Bool, name: String) -> Step {
        let text = hasMore ? "received unencrypted data after \(name) request" : "duplicate \(name) request"
        return .refuse(ServerMessageFields(severity: .fatal, sqlState: .protocolViolation, message: text))
    }

    /// A length out of bounds is not worth an answer (PostgreSQL gives none either); what fails later is.
    private func failure(for error: WireError) -> Step {
        switch error {
        case .lengthOutOfRange:
            return .hangUp(error)
        case .unsupportedProtocol, .invalidText:
            return .refuse(
                ServerMessageFields(severity: .fatal, sqlState: error.sqlState, message: error.description)
            )
        default:
            let text = "invalid startup packet layout: \(error.description)"
            return .refuse(ServerMessageFields(severity: .fatal, sqlState: .protocolViolation, message: text))
        }
    }

    private static func login(_ message: StartupMessage) -> Step {
        guard let user = message.user, !user.isEmpty else {
            return .refuse(
                ServerMessageFields(
                    severity: .fatal,
                    sqlState: .invalidAuthorization,
                    message: "no PostgreSQL user name specified in startup packet"
                )
            )
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
