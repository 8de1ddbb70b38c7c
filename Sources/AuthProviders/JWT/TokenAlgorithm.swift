import CJWT

/// How a token can be signed: public-key algorithms of RFC 7518 and RFC 8037, and no others. There is no `none` and no
/// HMAC, so a public key can never be taken for a shared secret.
enum TokenAlgorithm: String, Sendable, CaseIterable {
    case rs256 = "RS256"
    case rs384 = "RS384"
    case rs512 = "RS512"
    case ps256 = "PS256"
    case ps384 = "PS384"
    case ps512 = "PS512"
    case es256 = "ES256"
    case es384 = "ES384"
    case edDSA = "EdDSA"

    /// What a key is made of. It decides which algorithms its signatures may have.
    enum KeyKind: Int32, Sendable {
        case rsa = 1
        case p256
        case p384
        case ed25519
    }

    var keyKind: KeyKind {
        switch self {
        case .rs256, .rs384, .rs512, .ps256, .ps384, .ps512: .rsa
        case .es256: .p256
        case .es384: .p384
        case .edDSA: .ed25519
        }
    }

    /// The number by which the library knows it.
    var code: Int32 {
        switch self {
        case .rs256: Int32(CJWT_RS256)
        case .rs384: Int32(CJWT_RS384)
        case .rs512: Int32(CJWT_RS512)
        case .ps256: Int32(CJWT_PS256)
        case .ps384: Int32(CJWT_PS384)
        case .ps512: Int32(CJWT_PS512)
        case .es256: Int32(CJWT_ES256)
        case .es384: Int32(CJWT_ES384)
        case .edDSA: Int32(CJWT_EDDSA)
        }
    }
}
