/// Unpredictable bytes from the operating system, for salts, nonces and keys.
package enum RandomBytes {
    /// Characters of a SCRAM nonce: 18 random bytes in base64, as PostgreSQL and libpq send.
    private static let nonceBytes = 18

    package static func make(count: Int) -> [UInt8] {
        var generator = SystemRandomNumberGenerator()
        var bytes: [UInt8] = []
        bytes.reserveCapacity(max(count, 0))
        // Eight bytes for each call into the system.
        while bytes.count < count {
            var word: UInt64 = generator.next()
            for _ in 0..<min(8, count - bytes.count) {
                bytes.append(UInt8(truncatingIfNeeded: word))
                word >>= 8
            }
        }
        return bytes
    }

    /// A fresh SCRAM nonce of 24 printable characters without a comma.
    package static func nonce() -> [UInt8] {
        Base64.encode(self.make(count: self.nonceBytes))
    }
}
