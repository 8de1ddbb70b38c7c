import CJWT

/// One key for signatures, public or private. Immutable, so any thread may hold it.
@safe
final class TokenKey: @unchecked Sendable {
    let kind: TokenAlgorithm.KeyKind
    let bits: Int
    /// What tokens call it (`kid`); nil when it has no name.
    let id: String?
    /// The only algorithm it is for; nil for all of its kind.
    private let only: TokenAlgorithm?
    private let handle: OpaquePointer

    /// RSA keys below are within reach of those who factor.
    static let rsaBitsMin = 2048
    /// A longer signature takes too long to check.
    static let rsaBitsMax = 8192

    /// Takes `handle` over. Nil without one, and for RSA keys outside of the bounds.
    private init?(_ handle: OpaquePointer?, id: String?, only: TokenAlgorithm? = nil) {
        guard let handle = unsafe handle else { return nil }
        let bits = unsafe Int(cjwt_key_bits(handle))
        guard let kind = unsafe TokenAlgorithm.KeyKind(rawValue: cjwt_key_kind(handle)),
            kind != .rsa || (Self.rsaBitsMin...Self.rsaBitsMax).contains(bits), only.map({ $0.keyKind == kind }) ?? true
        else {
            unsafe cjwt_key_free(handle)
            return nil
        }
        self.kind = kind
        self.bits = bits
        self.id = id
        self.only = only
        unsafe self.handle = handle
    }

    deinit { unsafe cjwt_key_free(self.handle) }

    /// A public key, or a certificate, from one PEM block.
    convenience init?(publicPEM block: [UInt8], id: String? = nil) {
        let handle = unsafe block.withUnsafeBufferPointer { unsafe cjwt_public_key($0.baseAddress, $0.count) }
        unsafe self.init(handle, id: id)
    }

    /// A private key without passphrase, from PEM.
    convenience init?(privatePEM text: [UInt8]) {
        let handle = unsafe text.withUnsafeBufferPointer { unsafe cjwt_private_key($0.baseAddress, $0.count) }
        unsafe self.init(handle, id: nil)
    }

    convenience init?(modulus n: [UInt8], exponent e: [UInt8], id: String?, only: TokenAlgorithm?) {
        let handle = unsafe n.withUnsafeBufferPointer { n in
            unsafe e.withUnsafeBufferPointer { e in
                unsafe cjwt_rsa_key(n.baseAddress, n.count, e.baseAddress, e.count)
            }
        }
        unsafe self.init(handle, id: id, only: only)
    }

    convenience init?(curve: TokenAlgorithm.KeyKind, x: [UInt8], y: [UInt8], id: String?, only: TokenAlgorithm?) {
        let handle = unsafe x.withUnsafeBufferPointer { x in
            unsafe y.withUnsafeBufferPointer { y in
                unsafe cjwt_ec_key(curve.rawValue, x.baseAddress, x.count, y.baseAddress, y.count)
            }
        }
        unsafe self.init(handle, id: id, only: only)
    }

    convenience init?(ed25519 x: [UInt8], id: String?, only: TokenAlgorithm?) {
        let handle = unsafe x.withUnsafeBufferPointer { unsafe cjwt_ed25519_key($0.baseAddress, $0.count) }
        unsafe self.init(handle, id: id, only: only)
    }

    func admits(_ algorithm: TokenAlgorithm) -> Bool {
        algorithm.keyKind == self.kind && (self.only ?? algorithm) == algorithm
    }

    /// - Parameters:
    ///   - token: the whole token and a NUL.
    ///   - signedLength: the bytes of it that are signed.
    func verifies(_ token: [UInt8], signedLength: Int, signature: [UInt8], _ algorithm: TokenAlgorithm) -> Bool {
        guard self.admits(algorithm), token.last == 0, (0..<token.count).contains(signedLength) else { return false }
        return unsafe token.withUnsafeBytes { token in
            unsafe signature.withUnsafeBufferPointer { signature in
                let text = unsafe token.bindMemory(to: CChar.self).baseAddress
                return unsafe cjwt_verify(
                    self.handle, algorithm.code, text, signedLength, signature.baseAddress, signature.count) == 1
            }
        }
    }

    /// Bytes of a minted token at most.
    private static let mintedMax = 8192

    /// A token that names `user`, signed by this private key: RS256, ES256 or ES384 by its kind. Nil when it cannot be
    /// made.
    ///
    /// - Parameter issued: seconds since 1970, as is `expires`.
    func mint(user: String, issued: Int64, expires: Int64) -> [UInt8]? {
        var token = [UInt8](repeating: 0, count: Self.mintedMax)
        let length = unsafe token.withUnsafeMutableBytes { token in
            let text = unsafe token.bindMemory(to: CChar.self).baseAddress
            return unsafe cjwt_mint(self.handle, user, issued, expires, text, token.count)
        }
        guard length > 0, length <= token.count else { return nil }
        token.removeLast(token.count - length)
        return token
    }
}
