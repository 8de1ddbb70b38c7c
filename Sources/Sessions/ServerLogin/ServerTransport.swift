import PGWire

/// What a connection to a server goes through between connect and login: whether it is encrypted, and how that is
/// agreed on (protocol chapter, "SSL Session Encryption"; libpq's `sslmode` and `sslnegotiation`).
///
/// A value of one attempt on one socket. The driver carries out the steps; where the attempt fails, ``retry(after:)``
/// says whether another one follows, on a new socket.
package struct ServerTransport: Sendable {
    /// The words of `sslmode`. Each one demands more than the one before.
    package enum Mode: String, Sendable, CaseIterable {
        case disable
        case allow
        case prefer
        case require
        case verifyCA = "verify-ca"
        case verifyFull = "verify-full"

        /// A session in clear text is out of the question.
        package var demandsTLS: Bool {
            switch self {
            case .disable, .allow, .prefer: false
            case .require, .verifyCA, .verifyFull: true
            }
        }
    }

    /// The words of `sslnegotiation`.
    package enum Negotiation: String, Sendable, CaseIterable {
        /// The server is asked first.
        case postgres
        /// TLS from the first byte, for modes that demand TLS; others ask first.
        case direct
    }

    package enum Step: Sendable {
        /// Read on.
        case wait
        /// Write these bytes and read on; whatever comes is for `receive`.
        case send([UInt8])
        /// Begin the handshake as its client; ``tlsStarted()`` when it is done.
        case beginTLS
        /// Begin the login, in clear text or inside TLS as ``isEncrypted`` says; the machine is finished.
        case beginLogin
        /// Close; the machine is finished.
        case failed(ServerLoginFailure)
    }

    /// Successors: `.created` -> (`.asked` ->) `.handshaking` -> `.settled`, or straight to `.settled`.
    private enum State {
        case created
        /// SSLRequest is out.
        case asked
        case handshaking
        case settled
    }

    private let mode: Mode
    private let negotiation: Negotiation
    private let isUnixSocket: Bool
    /// Begins with TLS; the second attempt of `allow` does, that of `prefer` does not.
    private let triesTLS: Bool
    private var state = State.created

    /// Why the first attempt failed; nil in a first attempt.
    package let firstFailure: ServerLoginFailure?
    /// The session is, or will be, inside TLS.
    package private(set) var isEncrypted = false

    /// The first attempt.
    ///
    /// - Parameter isUnixSocket: such connections never use TLS, whatever the mode says (as in libpq).
    package init(mode: Mode, negotiation: Negotiation = .postgres, isUnixSocket: Bool) {
        self.mode = mode
        self.negotiation = negotiation
        self.isUnixSocket = isUnixSocket
        self.triesTLS = !isUnixSocket && mode != .disable && mode != .allow
        self.firstFailure = nil
    }

    private init(second first: ServerTransport, after failure: ServerLoginFailure) {
        self.mode = first.mode
        self.negotiation = first.negotiation
        self.isUnixSocket = first.isUnixSocket
        self.triesTLS = !first.triesTLS
        self.firstFailure = failure
    }

    package mutating func start() -> Step {
        guard case .created = self.state else { return self.fail(.protocolViolation("start of a used transport")) }
        guard self.triesTLS else {
            self.state = .settled
            return .beginLogin
        }
        if self.negotiation == .direct, self.mode.demandsTLS {
            self.state = .handshaking
            return .beginTLS
        }
        self.state = .asked
        var writer = MessageWriter()
        writer.sslRequest()
        return .send(writer.bytes)
    }

    /// Takes all that has come from the server after SSLRequest.
    ///
    /// The answer is one byte, and the server has nothing more to say before we go on: what is stuffed behind it would
    /// otherwise pass for bytes of the encrypted session (CVE-2021-23222). An ErrorResponse is not read: anybody on the
    /// way could have written it (CVE-2024-10977).
    package mutating func receive(_ bytes: borrowing Span<UInt8>) -> Step {
        guard case .asked = self.state else {
            return self.fail(.protocolViolation("server sent data before it was asked"))
        }
        guard !bytes.isEmpty else { return .wait }
        let answer = bytes[0]
        guard bytes.count == 1 || answer == UInt8(ascii: "E") else {
            return self.fail(.protocolViolation("received unencrypted data behind the answer to the request for TLS"))
        }
        switch answer {
        case UInt8(ascii: "S"):
            self.state = .handshaking
            return .beginTLS
        case UInt8(ascii: "N"):
            return self.refused()
        case UInt8(ascii: "E"):
            return self.fail(
                self.firstFailure ?? .tlsUnavailable("server answered the request for TLS with an error"))
        default:
            return self.fail(.protocolViolation("server answered the request for TLS with byte \(answer)"))
        }
    }

    /// The server has no TLS. What comes of a second attempt then is what came of the first.
    private mutating func refused() -> Step {
        if let firstFailure { return self.fail(firstFailure) }
        guard !self.mode.demandsTLS else {
            return self.fail(
                .tlsUnavailable("server does not support TLS, but server_tls_mode \(self.mode.rawValue) requires it"))
        }
        self.state = .settled
        return .beginLogin
    }

    /// The handshake is done, and the server's certificate is what the mode demands.
    package mutating func tlsStarted() -> Step {
        guard case .handshaking = self.state else { return self.fail(.protocolViolation("TLS out of order")) }
        self.state = .settled
        self.isEncrypted = true
        return .beginLogin
    }

    private mutating func fail(_ failure: ServerLoginFailure) -> Step {
        self.state = .settled
        return .failed(failure)
    }

    /// The next attempt, on a new socket; nil when the failure is final. Failures to connect, lost connections and
    /// passed deadlines are no business of this machine: they are final.
    ///
    /// - Parameter failure: of this machine, of the handshake (`.handshakeFailed`), or of the login.
    package func retry(after failure: ServerLoginFailure) -> ServerTransport? {
        guard self.firstFailure == nil, !self.isUnixSocket else { return nil }
        let follows =
            switch (self.mode, failure) {
            case (.allow, .serverError(let fields)): Self.mayDifferByTLS(fields.sqlState)
            // A server without TLS at all says `N`; these two are the ways of one that has it and fails.
            case (.prefer, .handshakeFailed), (.prefer, .tlsUnavailable): true
            // No rule for TLS connections: `hostnossl`.
            case (.prefer, .serverError(let fields)): self.isEncrypted && fields.sqlState == .invalidAuthorization
            default: false
            }
        return follows ? ServerTransport(second: self, after: failure) : nil
    }

    /// Whether a server that refuses a login in clear text might take the same one inside TLS: not when it has no room
    /// (class 53), stops or starts (57P), does not like a parameter (22, 42), or has proven the user and lacks the
    /// database (3D).
    private static func mayDifferByTLS(_ state: SQLState?) -> Bool {
        guard let text = state?.text else { return true }
        return !["53", "57P", "22", "42", "3D"].contains { text.hasPrefix($0) }
    }
}
