/// Why a SCRAM exchange ends without success, on either side. Contains no secret.
package enum SCRAMFailure: Error, Sendable, Equatable, CustomStringConvertible {
    /// The peer's message breaks the grammar of RFC 5802 section 7; the text names the place.
    case malformed(String)
    /// The client binds to the channel (gs2 flag `p`), but has not chosen the mechanism that does.
    case channelBindingRefused
    /// The client has chosen the mechanism that binds to the channel, but its message does not (gs2 flag `n` or `y`).
    case channelBindingMissing
    /// The client binds to the channel in a way that is not known here; the text is cut to printable ASCII.
    case channelBindingUnsupported(String)
    /// The client could bind to the channel and believes that we cannot (gs2 flag `y`), though the mechanism was
    /// offered: somebody in the middle may have taken it off the list.
    case channelBindingDowngraded
    /// The client asks to act as somebody else (`a=`).
    case authorizationIdentityRefused
    /// The peer demands an extension (`m=`).
    case extensionRefused
    /// The nonce is not the one agreed on, or does not begin with ours.
    case nonceMismatch
    /// The `c=` attribute does not repeat the gs2 header, or binds to another certificate than ours.
    case channelBindingMismatch
    /// The client's proof does not fit the verifier: a wrong password, or a user that does not exist.
    case proofInvalid
    /// The server's salt or iteration count is not the one our keys were made with.
    case verifierDiffers
    /// The server asks for more iterations than allowed here.
    case tooManyIterations(Int)
    /// The server reports an error (`e=`); the text is cut to printable ASCII.
    case serverError(String)
    /// The server's signature is wrong: it does not know the user's ServerKey.
    case serverSignatureInvalid
    /// A message arrives that this state does not expect.
    case outOfOrder

    package var description: String {
        switch self {
        case .malformed(let place): "malformed SCRAM message (\(place))"
        case .channelBindingRefused: "SCRAM channel binding data without a mechanism for it"
        case .channelBindingMissing: "SCRAM-SHA-256-PLUS without channel binding data"
        case .channelBindingUnsupported(let type): "unsupported SCRAM channel-binding type \"\(type)\""
        case .channelBindingDowngraded: "SCRAM channel binding negotiation error"
        case .authorizationIdentityRefused: "SCRAM authorization identities are not supported"
        case .extensionRefused: "SCRAM peer requires an unsupported extension"
        case .nonceMismatch: "SCRAM nonce does not match"
        case .channelBindingMismatch: "SCRAM channel binding check failed"
        case .proofInvalid: "SCRAM proof does not fit the stored verifier"
        case .verifierDiffers: "the server's SCRAM verifier has another salt or iteration count than ours"
        case .tooManyIterations(let count): "SCRAM iteration count \(count) is above the limit"
        case .serverError(let text): "the server ended the SCRAM exchange: \(text)"
        case .serverSignatureInvalid: "the server's SCRAM signature is wrong"
        case .outOfOrder: "SCRAM message out of order"
        }
    }
}

/// Limits on what a SCRAM peer may send.
package enum SCRAMLimits {
    /// Bytes of any one SCRAM message.
    package static let messageBytesMax = 8192
    /// Characters of a peer's nonce.
    package static let nonceBytesMax = 1024
}
