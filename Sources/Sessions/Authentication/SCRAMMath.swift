import Crypto

/// The arithmetic of SCRAM-SHA-256 (RFC 5802 section 3, RFC 7677), with byte strings in and out.
enum SCRAMMath {
    /// Bytes of every key, signature and proof.
    static let keyLength = 32

    static func hmac(key: SecretBytes, message: [UInt8]) -> [UInt8] {
        Array(HMAC<SHA256>.authenticationCode(for: message, using: key.key))
    }

    static func hash(_ secret: SecretBytes) -> [UInt8] {
        Array(SHA256.hash(data: secret.exposed()))
    }

    /// Byte by byte; the shorter input decides the length.
    static func xor(_ left: [UInt8], _ right: [UInt8]) -> [UInt8] {
        zip(left, right).map { a, b in a ^ b }
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
        let states = KeyedStates(key: password)
        var block = states.authenticate(salt + [0, 0, 0, 1])
        var result = Array(block)
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

/// HMAC-SHA-256 (RFC 2104) with the key already absorbed into the inner and the outer hash.
private struct KeyedStates {
    private let inner: SHA256
    private let outer: SHA256

    init(key: SecretBytes) {
        var block = key.count > SHA256.blockByteCount ? SCRAMMath.hash(key) : key.exposed()
        block.append(contentsOf: repeatElement(0, count: SHA256.blockByteCount - block.count))
        var inner = SHA256()
        inner.update(data: block.map { byte in byte ^ 0x36 })
        var outer = SHA256()
        outer.update(data: block.map { byte in byte ^ 0x5c })
        self.inner = inner
        self.outer = outer
        for index in block.indices {
            block[index] = 0
        }
    }

    func authenticate(_ message: [UInt8]) -> SHA256.Digest {
        var inner = self.inner
        inner.update(data: message)
        return self.finish(inner)
    }

    func authenticate(_ digest: SHA256.Digest) -> SHA256.Digest {
        var inner = self.inner
        unsafe digest.withUnsafeBytes { bytes in unsafe inner.update(bufferPointer: bytes) }
        return self.finish(inner)
    }

    private func finish(_ inner: SHA256) -> SHA256.Digest {
        let digest = inner.finalize()
        var outer = self.outer
        unsafe digest.withUnsafeBytes { bytes in unsafe outer.update(bufferPointer: bytes) }
        return outer.finalize()
    }
}
