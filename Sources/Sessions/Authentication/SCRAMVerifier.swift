/// What a server keeps to check SCRAM-SHA-256 proofs: salt, iterations, StoredKey and ServerKey (RFC 5802 section 3).
///
/// Immutable. The StoredKey alone cannot log in anywhere; the ServerKey can pose as the server.
public struct SCRAMVerifier: Sendable {
    package let iterations: Int
    package let salt: [UInt8]
    package var storedKey: SecretBytes { self.keys.storedKey }
    package var serverKey: SecretBytes { self.keys.serverKey }
    /// In one object: a login hands its verifier on several times.
    let keys: Keys

    /// What proofs are checked with. Immutable.
    final class Keys: Sendable {
        let storedKey: SecretBytes
        let serverKey: SecretBytes
        /// The two keys as every proof is checked with them: absorbed once, not at every login.
        let storedHash: KeyedHash
        let serverHash: KeyedHash
        /// How the server's first message ends: `,i=<iterations>`.
        let iterationsText: [UInt8]

        init(storedKey: SecretBytes, serverKey: SecretBytes, iterations: Int) {
            self.iterationsText = Array(",i=\(iterations)".utf8)
            self.storedKey = storedKey
            self.serverKey = serverKey
            self.storedHash = KeyedHash(key: storedKey)
            self.serverHash = KeyedHash(key: serverKey)
        }
    }

    static let prefix = Array("SCRAM-SHA-256$".utf8)
    /// Most iterations accepted anywhere: some ten seconds of one core for a password check.
    package static let iterationsMax = 10_000_000
    /// Longest accepted salt; PostgreSQL makes 16 bytes.
    package static let saltBytesMax = 1024

    /// Callers vouch for ranges and lengths.
    init(iterations: Int, salt: [UInt8], storedKey: SecretBytes, serverKey: SecretBytes) {
        self.iterations = iterations
        self.salt = salt
        self.keys = Keys(storedKey: storedKey, serverKey: serverKey, iterations: iterations)
    }

    /// With another salt, which `MockAuthentication` shows in place of its own.
    func salted(_ salt: [UInt8]) -> SCRAMVerifier {
        SCRAMVerifier(self, salt: salt)
    }

    private init(_ other: SCRAMVerifier, salt: [UInt8]) {
        self.iterations = other.iterations
        self.salt = salt
        self.keys = other.keys
    }

    /// Makes the verifier of a password, as `CREATE ROLE ... PASSWORD` does. Costs `iterations` rounds of PBKDF2.
    package init(password: SecretBytes, salt: [UInt8], iterations: Int) {
        let keys = SCRAMKeys(password: password, salt: salt, iterations: iterations)
        self.init(
            iterations: iterations,
            salt: salt,
            storedKey: SCRAMMath.storedKey(clientKey: keys.clientKey),
            serverKey: keys.serverKey ?? SecretBytes([])
        )
    }

    /// Parses `SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>`.
    init(parsing text: [UInt8]) throws(StoredSecretError) {
        let fields = text.split(separator: UInt8(ascii: "$"), omittingEmptySubsequences: false)
        guard fields.count == 3 else { throw .scramMalformed(part: .structure) }
        let head = fields[1].split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
        let keys = fields[2].split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
        guard head.count == 2, keys.count == 2 else { throw .scramMalformed(part: .structure) }
        guard let iterations = Self.iterations(parsing: head[0]) else { throw .scramMalformed(part: .iterations) }
        guard let salt = Base64.decode(head[1]), (1...Self.saltBytesMax).contains(salt.count) else {
            throw .scramMalformed(part: .salt)
        }
        guard let storedKey = Base64.decode(keys[0]), storedKey.count == SCRAMMath.keyLength else {
            throw .scramMalformed(part: .storedKey)
        }
        guard let serverKey = Base64.decode(keys[1]), serverKey.count == SCRAMMath.keyLength else {
            throw .scramMalformed(part: .serverKey)
        }
        self.init(
            iterations: iterations,
            salt: salt,
            storedKey: SecretBytes(storedKey),
            serverKey: SecretBytes(serverKey)
        )
    }

    /// Whether this is the verifier of `password`. Costs `iterations` rounds of PBKDF2 whatever the answer.
    package func accepts(password: SecretBytes) -> Bool {
        let keys = SCRAMKeys(password: password, salt: self.salt, iterations: self.iterations)
        return self.storedKey.matches(SCRAMMath.digest(keys.clientKey))
    }

    /// A decimal count in 1...`iterationsMax` without sign or leading zero (`posit-number` of RFC 5802).
    static func iterations(parsing text: ArraySlice<UInt8>) -> Int? {
        guard (1...8).contains(text.count), text.first != UInt8(ascii: "0") else { return nil }
        var number = 0
        for character in text {
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(character) else { return nil }
            number = number * 10 + Int(character - UInt8(ascii: "0"))
        }
        return number <= self.iterationsMax ? number : nil
    }
}

extension SCRAMVerifier: Equatable {
    public static func == (left: SCRAMVerifier, right: SCRAMVerifier) -> Bool {
        left.iterations == right.iterations && left.salt == right.salt && left.storedKey == right.storedKey
            && left.serverKey == right.serverKey
    }
}

extension SCRAMVerifier.Keys: CustomReflectable {
    /// Shows nothing of what is inside.
    var customMirror: Mirror { Mirror(self, children: [:]) }
}
