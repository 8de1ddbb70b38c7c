/// Unpredictable bytes from the operating system, for salts, nonces and keys.
package enum RandomBytes {
    /// Characters of a SCRAM nonce: 18 random bytes in base64, as PostgreSQL and libpq send.
    private static let nonceBytes = 18

    package static func make(count: Int) -> [UInt8] {
        var generator = SystemRandomNumberGenerator()
        return (0..<max(count, 0)).map { _ in generator.next() }
    }

    /// A fresh SCRAM nonce of 24 printable characters without a comma.
    package static func nonce() -> [UInt8] {
        Base64.encode(self.make(count: self.nonceBytes))
    }
}
