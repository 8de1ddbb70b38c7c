import CTokenForge

/// A P-256 key pair that tests sign tokens with.
@safe
final class SigningKey {
    private let key: OpaquePointer

    init() {
        guard let key = unsafe ctf_key_make() else { fatalError("OpenSSL makes no key") }
        unsafe self.key = key
    }

    deinit { unsafe ctf_key_free(self.key) }

    /// PKCS #8.
    var privatePEM: String { String(decoding: self.write(CTF_PRIVATE_PEM), as: UTF8.self) }
    var publicPEM: String { String(decoding: self.write(CTF_PUBLIC_PEM), as: UTF8.self) }
    var publicDER: [UInt8] { self.write(CTF_PUBLIC_DER) }
    var publicPoint: [UInt8] { self.write(CTF_PUBLIC_POINT) }

    /// ES256 (RFC 7518 section 3.4).
    func signature(for bytes: [UInt8]) -> [UInt8] {
        var signature = [UInt8](repeating: 0, count: 64)
        let isMade = unsafe ctf_key_sign(self.key, bytes, bytes.count, &signature)
        precondition(isMade == 1)
        return signature
    }

    private func write(_ form: Int) -> [UInt8] {
        var text = [UInt8](repeating: 0, count: 4096)
        let length = unsafe ctf_key_write(self.key, Int32(form), &text, text.count)
        precondition(length > 0)
        return Array(text.prefix(length))
    }

    /// HS256 or HS512, by `bits`.
    static func authenticationCode(bits: Int32, for bytes: [UInt8], secret: [UInt8]) -> [UInt8] {
        var code = [UInt8](repeating: 0, count: 64)
        let length = unsafe ctf_hmac(bits, secret, secret.count, bytes, bytes.count, &code)
        precondition(length == Int(bits) / 8)
        return Array(code.prefix(length))
    }
}
