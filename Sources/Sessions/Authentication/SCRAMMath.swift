/// The arithmetic of SCRAM-SHA-256 (RFC 5802 section 3, RFC 7677), with byte strings in and out.
enum SCRAMMath {
    /// Bytes of every key, signature and proof.
    static let keyLength = 32

    static func hmac(key: SecretBytes, message: [UInt8]) -> [UInt8] {
        KeyedHash(key: key).code(for: message)
    }

    static func digest(_ secret: SecretBytes) -> Digest {
        unsafe secret.withUnsafeBytes { unsafe Digest(hashing: $0) }
    }

    /// The client's proof: its key, of which no other copy is made.
    static func proof(clientKey: SecretBytes, signature: Digest) -> [UInt8] {
        var proof = clientKey.exposed()
        self.combine(&proof, signature)
        return proof
    }

    /// The client's key, won from its proof. Leaves zeros behind in `proof`.
    ///
    /// - Parameter proof: `keyLength` bytes.
    static func clientKey(proof: inout [UInt8], signature: Digest) -> SecretBytes {
        self.combine(&proof, signature)
        return SecretBytes(wiping: &proof)
    }

    private static func combine(_ key: inout [UInt8], _ signature: Digest) {
        unsafe signature.withUnsafeBytes { bytes in
            unsafe key.withUnsafeMutableBytes { key in
                for index in 0..<min(key.count, bytes.count) { unsafe key[index] ^= bytes[index] }
            }
        }
    }

    static func storedKey(clientKey: SecretBytes) -> SecretBytes {
        var key = self.digest(clientKey).bytes
        return SecretBytes(wiping: &key)
    }

    static func clientKey(saltedPassword: SecretBytes) -> SecretBytes {
        var key = self.hmac(key: saltedPassword, message: Array("Client Key".utf8))
        return SecretBytes(wiping: &key)
    }

    static func serverKey(saltedPassword: SecretBytes) -> SecretBytes {
        var key = self.hmac(key: saltedPassword, message: Array("Server Key".utf8))
        return SecretBytes(wiping: &key)
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
