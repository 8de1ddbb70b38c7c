package import PGWire

/// Why a login at a PostgreSQL server did not succeed. Contains no secret.
package enum ServerLoginFailure: Error, Sendable, Equatable {
    /// The server's own ErrorResponse.
    case serverError(ServerMessageFields)
    /// The server breaks the protocol; the text says how.
    case protocolViolation(String)
    /// The server asks for an authentication method that is not spoken here.
    case methodUnsupported(String)
    /// Nothing at hand answers the method the server asks for.
    case credentialMissing(method: String)
    /// The server's SCRAM verifier has another salt or iteration count than the one our keys belong to.
    case verifierDiffers
    /// The server does not know the user's ServerKey: it is not the server, or its verifier is another one.
    case serverSignatureInvalid
    /// TLS is demanded, or was tried, and the server has none for us.
    case tlsUnavailable(String)
    /// The TLS handshake with the server failed; the text says how.
    case handshakeFailed(String)
    /// The login is to be bound to the server's certificate, and the server's method does not do that.
    case channelBindingMissing(String)

    /// One line for the log.
    package var logText: String {
        switch self {
        case .serverError(let fields):
            "server refused the login: \(fields.description)"
        case .protocolViolation(let text):
            "server broke the protocol during login: \(text)"
        case .methodUnsupported(let method):
            "server asks for an unsupported authentication method: \(method)"
        case .credentialMissing(let method):
            "server asks for \(method) authentication, but there is no credential that answers it"
        case .verifierDiffers:
            "the server's SCRAM-SHA-256 secret for this user differs from ours (salt or iteration count); "
                + "both sides have to store the same text"
        case .serverSignatureInvalid:
            "the server's SCRAM-SHA-256 signature is wrong: its secret for this user differs from ours, "
                + "or it is not the right server"
        case .tlsUnavailable(let text):
            text
        case .handshakeFailed(let text):
            "TLS handshake with the server failed: \(text)"
        case .channelBindingMissing(let text):
            "server_channel_binding is require, but \(text)"
        }
    }

    /// The server has another secret of the user than the one our proof was made of, or does not let the user in at
    /// all: where that secret is a copy, it may be out of date.
    package var doubtsSecret: Bool {
        switch self {
        case .verifierDiffers, .serverSignatureInvalid, .credentialMissing: true
        case .serverError(let fields):
            fields.sqlState == .invalidPassword || fields.sqlState == .invalidAuthorization
        case .protocolViolation, .methodUnsupported, .tlsUnavailable, .handshakeFailed, .channelBindingMissing: false
        }
    }

    /// The failure that ends a login when its SCRAM exchange fails.
    init(_ failure: SCRAMFailure) {
        switch failure {
        case .verifierDiffers: self = .verifierDiffers
        case .serverSignatureInvalid: self = .serverSignatureInvalid
        default: self = .protocolViolation(failure.description)
        }
    }
}
