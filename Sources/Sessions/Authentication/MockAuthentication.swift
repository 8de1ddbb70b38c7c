/// Secrets for users that do not exist, so that their logins run the same exchange as everybody's and fail at its end.
///
/// Owns a key; salts and hashes derived from it are stable for a user name, as a real user's are, whatever the
/// iterations. A new key gives unknown users new salts, which an observer across a restart can notice: pass a key that
/// outlives the process where that matters. Immutable.
public struct MockAuthentication: Sendable {
    private let keyed: KeyedHash
    /// No password leads to its keys, whoever the user is.
    private let unsalted: SCRAMVerifier

    /// Iterations of a PostgreSQL verifier unless an administrator chose others.
    public static let defaultIterations = 4096
    private static let keyBytes = 32
    private static let saltBytes = 16

    /// With a random key.
    public init(iterations: Int = Self.defaultIterations) {
        self.init(key: SecretBytes(RandomBytes.make(count: Self.keyBytes)), iterations: iterations)
    }

    /// - Parameters:
    ///   - key: any length; 32 random bytes are best.
    ///   - iterations: what the real users' verifiers have, for they show it; brought into 1...10 000 000.
    public init(key: SecretBytes, iterations: Int = Self.defaultIterations) {
        let keyed = KeyedHash(key: key)
        self.keyed = keyed
        self.unsalted = SCRAMVerifier(
            iterations: min(max(iterations, 1), SCRAMVerifier.iterationsMax),
            salt: [],
            storedKey: SecretBytes(keyed.code(for: Array("stored key".utf8))),
            serverKey: SecretBytes(keyed.code(for: Array("server key".utf8)))
        )
    }

    /// A verifier that no password fits. Only the salt differs from user to user: it alone is ever shown.
    ///
    /// Made at every login, for known users as well: therefore with one hash, of which the half is shown.
    package func verifier(user: String) -> SCRAMVerifier {
        var subject = Array("salt".utf8)
        subject.reserveCapacity(user.utf8.count + 5)
        subject.append(0)
        subject.append(contentsOf: user.utf8)
        return self.unsalted.salted(self.keyed.shortCode(for: subject, count: Self.saltBytes))
    }

    /// An md5 hash that no password is known for.
    package func md5Hash(user: String) -> SecretBytes {
        SecretBytes(Hexadecimal.encode(self.derive("md5", user).prefix(MD5Password.hashLength / 2)))
    }

    private func derive(_ purpose: String, _ user: String) -> [UInt8] {
        self.keyed.code(for: Array(purpose.utf8) + [0] + Array(user.utf8))
    }
}
