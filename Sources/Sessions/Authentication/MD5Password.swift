import CDigest

/// The md5 password method of PostgreSQL (protocol chapter 55.2.1, AuthenticationMD5Password).
///
/// The stored hash is `md5(password || user)`, the answer to a challenge is `"md5" || md5(hash || salt)`, both in
/// lower-case hexadecimal digits. Who knows the stored hash can log in: treat it like the password.
package enum MD5Password {
    /// Hexadecimal digits of a hash.
    package static let hashLength = 32
    /// Bytes of the salt in AuthenticationMD5Password.
    package static let saltLength = 4
    private static let prefix = Array("md5".utf8)

    /// The 32 digits stored for `user`, without the `md5` prefix.
    package static func hash(password: SecretBytes, user: String) -> SecretBytes {
        var digits = self.digits(of: password, Array(user.utf8))
        return SecretBytes(wiping: &digits)
    }

    /// The text a client sends for `salt`: `md5` and 32 digits.
    package static func response(hash: SecretBytes, salt: [UInt8]) -> [UInt8] {
        self.prefix + self.digits(of: hash, salt)
    }

    /// Whether `response` (without its final NUL) proves knowledge of `hash`. Constant time for responses of the right
    /// length.
    package static func verify(response: SecretBytes, hash: SecretBytes, salt: [UInt8]) -> Bool {
        response.matches(self.response(hash: hash, salt: salt))
    }

    /// Room is made first: an array that grows leaves its bytes behind.
    private static func digits(of secret: SecretBytes, _ rest: [UInt8]) -> [UInt8] {
        var input: [UInt8] = []
        input.reserveCapacity(secret.count + rest.count)
        unsafe secret.withUnsafeBytes { unsafe input.append(contentsOf: $0) }
        input.append(contentsOf: rest)
        defer { input.wipe() }
        var digest = [UInt8](repeating: 0, count: Self.hashLength / 2)
        defer { digest.wipe() }
        unsafe input.withUnsafeBytes { unsafe cd_md5($0.baseAddress, $0.count, &digest) }
        return Hexadecimal.encode(digest)
    }
}

/// Lower-case hexadecimal digits.
enum Hexadecimal {
    private static let digits = Array("0123456789abcdef".utf8)

    static func encode(_ bytes: some Collection<UInt8>) -> [UInt8] {
        var text: [UInt8] = []
        text.reserveCapacity(2 * bytes.count)
        for byte in bytes {
            text.append(self.digits[Int(byte >> 4)])
            text.append(self.digits[Int(byte & 15)])
        }
        return text
    }

    static func isDigit(_ character: UInt8) -> Bool {
        self.digits.contains(character)
    }
}
