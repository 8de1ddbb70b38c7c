/// What logs in at a PostgreSQL server in the name of a user.
///
/// Immutable; its parts redact themselves, so that printing a credential shows its kind only.
public enum ServerCredential: Sendable {
    /// Nothing is known: only a server that trusts the gateway can be entered.
    case none
    /// The password itself: answers every method.
    case cleartext(SecretBytes)
    /// `md5(password || user)` as 32 hexadecimal digits without the `md5` prefix: answers the md5 method.
    case md5Hash(SecretBytes)
    /// The keys won from a client's SCRAM proof: answer SCRAM as long as the server keeps the same salt and iterations.
    case scramKeys(SCRAMKeys)
    /// A password for one use, made when a server asks for a clear-text password: answers that method alone. Nil when
    /// it cannot be made.
    case made(@Sendable () -> SecretBytes?)
}

/// SCRAM-SHA-256 keys of one user for one salt and iteration count (RFC 5802 section 3).
///
/// The client key stands in for the password wherever a server stores the same verifier.
public struct SCRAMKeys: Sendable, Equatable {
    /// 32 bytes; its hash is the StoredKey.
    public let clientKey: SecretBytes
    /// 32 bytes; checks the server's signature. Nil when unknown, and then the server stays unproven.
    public let serverKey: SecretBytes?
    /// Raw bytes, not Base64.
    public let salt: [UInt8]
    /// Rounds of PBKDF2, at least 1.
    public let iterations: Int

    /// Refuses (nil) keys that are not 32 bytes long, an empty salt, and iterations below 1.
    public init?(clientKey: SecretBytes, serverKey: SecretBytes?, salt: [UInt8], iterations: Int) {
        guard clientKey.count == SCRAMMath.keyLength, (serverKey?.count ?? SCRAMMath.keyLength) == SCRAMMath.keyLength,
            !salt.isEmpty, iterations >= 1
        else { return nil }
        self.init(unchecked: clientKey, serverKey: serverKey, salt: salt, iterations: iterations)
    }

    /// For keys whose lengths follow from how they were made.
    init(unchecked clientKey: SecretBytes, serverKey: SecretBytes?, salt: [UInt8], iterations: Int) {
        self.clientKey = clientKey
        self.serverKey = serverKey
        self.salt = salt
        self.iterations = iterations
    }

    /// Derives the keys from a password. Costs `iterations` rounds of PBKDF2.
    package init(password: SecretBytes, salt: [UInt8], iterations: Int) {
        let salted = SCRAMMath.saltedPassword(SASLprep.prepare(password), salt: salt, iterations: iterations)
        self.init(
            unchecked: SCRAMMath.clientKey(saltedPassword: salted),
            serverKey: SCRAMMath.serverKey(saltedPassword: salted),
            salt: salt,
            iterations: iterations
        )
    }

    /// Whether a verifier with this salt and count accepts these keys, as far as that can be seen without a login.
    package func fits(salt: [UInt8], iterations: Int) -> Bool {
        self.salt == salt && self.iterations == iterations
    }
}
