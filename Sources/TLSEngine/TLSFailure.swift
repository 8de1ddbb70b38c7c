import COpenSSL

/// Why a session failed.
public struct TLSFailure: Error, Sendable, Equatable, CustomStringConvertible {
    /// The words are stable: counters are named by them.
    public enum Reason: String, Sendable, CaseIterable {
        case protocolError = "protocol_error"
        case noSharedCipher = "no_shared_cipher"
        case unsupportedVersion = "unsupported_version"
        case certificateRequired = "certificate_required"
        case certificateExpired = "certificate_expired"
        case certificateRevoked = "certificate_revoked"
        case certificateUnknownAuthority = "certificate_unknown_authority"
        case certificateInvalid = "certificate_invalid"
        case hostMismatch = "host_mismatch"
        case noApplicationProtocol = "no_application_protocol"
        case peerAlert = "peer_alert"
        case closed = "closed"
        case deadlinePassed = "deadline_passed"
        case `internal` = "internal"
    }

    public let reason: Reason
    /// For logs: printable ASCII, less than 200 characters, mostly OpenSSL's words.
    public let text: String

    public init(reason: Reason, text: String) {
        self.reason = reason
        self.text = text
    }

    public var description: String { "\(self.reason.rawValue): \(self.text)" }
}

extension TLSFailure.Reason {
    init(code: Int32) {
        switch Int(code) {
        case CT_PROTOCOL_ERROR: self = .protocolError
        case CT_NO_SHARED_CIPHER: self = .noSharedCipher
        case CT_UNSUPPORTED_VERSION: self = .unsupportedVersion
        case CT_CERTIFICATE_REQUIRED: self = .certificateRequired
        case CT_CERTIFICATE_EXPIRED: self = .certificateExpired
        case CT_CERTIFICATE_REVOKED: self = .certificateRevoked
        case CT_CERTIFICATE_UNKNOWN_AUTHORITY: self = .certificateUnknownAuthority
        case CT_CERTIFICATE_INVALID: self = .certificateInvalid
        case CT_HOST_MISMATCH: self = .hostMismatch
        case CT_NO_APPLICATION_PROTOCOL: self = .noApplicationProtocol
        case CT_PEER_ALERT: self = .peerAlert
        case CT_CLOSED: self = .closed
        default: self = .internal
        }
    }
}
