/// The arithmetic of SCRAM-SHA-256 (RFC 5802 section 3, RFC 7677), with byte strings in and out.
enum SCRAMMath {
    /// Bytes of every key, signature and proof.
    static let keyLength = 32

    static func hmac(key: SecretBytes, message: [UInt8]) -> [UInt8] {
        KeyedHash(key: key).code(for: message)
    }

    static func hash(_ secret: SecretBytes) -> [UInt8] {
        self.digest(secret).bytes
    }

    static func digest(_ secret: SecretBytes) -> Digest {
        unsafe secret.withUnsafeBytes { unsafe Digest(hashing: $0) }
    }

    /// Byte by byte; the shorter input decides the length.
    static func xor(_ left: [UInt8], _ right: [UInt8]) -> [UInt8] {
        zip(left, right).map { a, b in a ^ b }
    }

    /// The client's key, won from its proof. Leaves zeros behind in `proof`.
    ///
    /// - Parameter proof: `keyLength` bytes.
    static func clientKey(proof: inout [UInt8], signature: Digest) -> SecretBytes {
        unsafe signature.withUnsafeBytes { bytes in
            unsafe proof.withUnsafeMutableBytes { proof in
                for index in 0..<min(proof.count, bytes.count) { unsafe proof[index] ^= bytes[index] }
            }
        }
        return SecretBytes(wiping: &proof)
    }

    static func clientKey(saltedPassword: SecretBytes) -> SecretBytes {
        SecretBytes(self.hmac(key: saltedPassword, message: Array("Client Key".utf8)))
    }

    static func serverKey(saltedPassword: SecretBytes) -> SecretBytes {
        SecretBytes(self.hmac(key: saltedPassword, message: Array("Server Key".utf8)))
    }

    /// `Hi(password, salt, iterations)`: PBKDF2 with HMAC-SHA-256 and one output block (RFC 8018 section 5.2).
    ///
    /// Costs two hash rounds per iteration: about five milliseconds for PostgreSQL's 4096. The two HMAC states are
    /// prepared once and copied, which halves the work of keying anew in every round.
    static func saltedPassword(_ password: SecretBytes, salt: [UInt8], iterations: Int) -> SecretBytes {
        let states = KeyedHash(key: password)
        var block = states.authenticate(salt + [0, 0, 0, 1])
        var result = block.bytes
        var round = 1
        while round < iterations {
            block = states.authenticate(block)
            unsafe block.withUnsafeBytes { bytes in
                for index in 0..<min(result.count, bytes.count) {
                    result[index] ^= unsafe bytes[index]
                }
            }
            round += 1
        }
        return SecretBytes(wiping: &result)
    }
}
