/// A user's secret as PostgreSQL keeps it in `pg_authid.rolpassword`, parsed.
///
/// Immutable; compared in constant time for equal forms and lengths. What is inside redacts itself; errors name the
/// part that is wrong and never repeat the text.
public struct StoredSecret: Sendable, Equatable {
    /// The forms of a secret, and what each lets a user do. In one box: a login hands secrets on many times.
    public indirect enum Kind: Sendable, Equatable {
        /// No password: usable only where no password is asked for.
        case empty
        /// `md5` and 32 digits; the digits are kept, without the prefix.
        case md5(SecretBytes)
        /// `SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>`.
        case scram(SCRAMVerifier)
    }

    /// Which form this secret has, with its contents.
    public let kind: Kind

    /// The secret of a user who has none.
    public static let none = StoredSecret(kind: .empty)

    /// Longest accepted text; a SCRAM verifier of PostgreSQL has 133 bytes.
    private static let textBytesMax = 2048

    package init(kind: Kind) {
        self.kind = kind
    }

    /// Parses `md5...`, `SCRAM-SHA-256$...` or the empty text.
    public init(parsing text: String) throws(StoredSecretError) {
        let bytes = Array(text.utf8)
        guard bytes.count <= Self.textBytesMax else { throw .tooLong }
        if bytes.isEmpty {
            self.kind = .empty
        } else if bytes.starts(with: SCRAMVerifier.prefix) {
            self.kind = .scram(try SCRAMVerifier(parsing: bytes))
        } else if bytes.starts(with: Array("md5".utf8)) {
            let digits = Array(bytes.dropFirst(3))
            guard digits.count == MD5Password.hashLength, digits.allSatisfy(Hexadecimal.isDigit) else {
                throw .md5Malformed
            }
            self.kind = .md5(SecretBytes(digits))
        } else {
            throw .unknownForm
        }
    }

    /// A word for logs: `empty`, `md5` or `scram-sha-256`.
    public var kindName: String {
        switch self.kind {
        case .empty: "empty"
        case .md5: "md5"
        case .scram: "scram-sha-256"
        }
    }
}

/// Why a stored secret cannot be used. Safe to log: never contains any part of the secret.
public enum StoredSecretError: Error, Sendable, Equatable, CustomStringConvertible {
    /// Neither `md5...` nor `SCRAM-SHA-256$...`; plain text passwords are not kept.
    case unknownForm
    case tooLong
    /// Not exactly 32 lower-case hexadecimal digits behind `md5`.
    case md5Malformed
    /// The named part of the SCRAM verifier is missing or wrong.
    case scramMalformed(part: SCRAMPart)

    /// The parts of a SCRAM verifier in their order.
    public enum SCRAMPart: String, Sendable {
        case structure
        case iterations
        case salt
        case storedKey = "StoredKey"
        case serverKey = "ServerKey"
    }

    public var description: String {
        switch self {
        case .unknownForm: "secret is neither an md5 hash nor a SCRAM-SHA-256 verifier (plain text is not supported)"
        case .tooLong: "secret is too long"
        case .md5Malformed: "md5 secret does not have 32 lower-case hexadecimal digits"
        case .scramMalformed(let part): "SCRAM-SHA-256 verifier has an invalid part: \(part.rawValue)"
        }
    }
}
