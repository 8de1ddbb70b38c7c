import Crypto

/// The arithmetic of SCRAM-SHA-256 (RFC 5802 section 3, RFC 7677), with byte strings in and out.
enum SCRAMMath {
    /// Bytes of every key, signature and proof.
    static let keyLength = 32

    static func hmac(key: SecretBytes, message: [UInt8]) -> [UInt8] {
        KeyedHash(key: key).code(for: message)
    }

    static func hash(_ secret: SecretBytes) -> [UInt8] {
        self.bytes(of: self.digest(secret))
    }

    static func digest(_ secret: SecretBytes) -> SHA256.Digest {
        var hash = SHA256()
        unsafe secret.key.withUnsafeBytes { bytes in unsafe hash.update(bufferPointer: bytes) }
        return hash.finalize()
    }

    static func bytes(of digest: SHA256.Digest) -> [UInt8] {
        unsafe digest.withUnsafeBytes { bytes in unsafe Array(bytes) }
    }

    /// Byte by byte; the shorter input decides the length.
    static func xor(_ left: [UInt8], _ right: [UInt8]) -> [UInt8] {
        zip(left, right).map { a, b in a ^ b }
    }

    /// The client's key, won from its proof. Leaves zeros behind in `proof`.
    ///
    /// - Parameter proof: `keyLength` bytes.
    static func clientKey(proof: inout [UInt8], signature: SHA256.Digest) -> SecretBytes {
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

/// HMAC-SHA-256 (RFC 2104) with the key already absorbed into the inner and the outer hash: one key, many messages.
///
/// Made from the library's hash rather than its HMAC, whose generic way through the key costs ten times the hashing.
struct KeyedHash: Sendable {
    private let inner: SHA256
    private let outer: SHA256

    init(key: SecretBytes) {
        var block = key.count > SHA256.blockByteCount ? SCRAMMath.hash(key) : key.exposed()
        block.append(contentsOf: repeatElement(0, count: SHA256.blockByteCount - block.count))
        for index in block.indices { block[index] ^= 0x36 }
        self.inner = Self.state(absorbing: block)
        for index in block.indices { block[index] ^= 0x36 ^ 0x5c }
        self.outer = Self.state(absorbing: block)
        for index in block.indices { block[index] = 0 }
    }

    private static func state(absorbing block: [UInt8]) -> SHA256 {
        var state = SHA256()
        unsafe block.withUnsafeBytes { bytes in unsafe state.update(bufferPointer: bytes) }
        return state
    }

    func code(for message: [UInt8]) -> [UInt8] {
        SCRAMMath.bytes(of: self.authenticate(message))
    }

    func authenticate(_ message: [UInt8]) -> SHA256.Digest {
        var inner = self.inner
        unsafe message.withUnsafeBytes { bytes in unsafe inner.update(bufferPointer: bytes) }
        return self.finish(inner)
    }

    /// Half a code at most, for one hash instead of two: the half that is held back keeps anybody from going on where
    /// the message ends.
    ///
    /// - Parameter count: of the bytes wanted, up to 16.
    func shortCode(for message: [UInt8], count: Int) -> [UInt8] {
        var inner = self.inner
        unsafe message.withUnsafeBytes { bytes in unsafe inner.update(bufferPointer: bytes) }
        return unsafe inner.finalize().withUnsafeBytes { bytes in unsafe Array(bytes.prefix(min(count, 16))) }
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

/// The states have absorbed the key: they are as secret as it is.
extension KeyedHash: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    var description: String { "<keyed hash>" }
    var debugDescription: String { self.description }
    var customMirror: Mirror { Mirror(self, children: [:]) }
}
