import PGWire
public import Sessions

/// Somewhere the secrets of users are kept: the settings, a query at a server, a directory.
///
/// Shared by all workers. A lookup bounds its own time and memory; it takes as long for unknown users as for known ones
/// as far as it can. A source that remembers what it was told also learns of proofs that failed, for the reason may be
/// that what it remembers is out of date.
public protocol SecretSource: Sendable {
    /// For logs and for `SecretOrigin.name`.
    var name: String { get }

    /// The secret of a user of a database.
    func secret(user: String, database: String) async -> SecretLookup

    /// The same answer without waiting; nil when the source has to be waited for. May be left out.
    func secretAtHand(user: String, database: String) -> SecretLookup?

    /// A proof against `secret` failed: the secret as its keeper has it now. May be left out.
    ///
    /// - Parameters:
    ///   - user: whose proof it was.
    ///   - database: the database that the user asked for.
    ///   - secret: what this source has said; nil when it did not know the user.
    /// - Returns: nil when the source has no copy that could be out of date, or was asked for the user too recently.
    func secretAfresh(user: String, database: String, insteadOf secret: StoredSecret?) async -> SecretLookup?

    /// A proof failed that cannot be repeated within its login: the next one should not rely on a copy. Never waits.
    /// May be left out.
    func distrust(user: String, database: String)
}

extension SecretSource {
    public func secretAtHand(user: String, database: String) -> SecretLookup? { nil }

    public func secretAfresh(
        user: String,
        database: String,
        insteadOf secret: StoredSecret?
    ) async -> SecretLookup? { nil }

    public func distrust(user: String, database: String) {}
}

/// The answer of a secret source.
public enum SecretLookup: Sendable {
    /// The user's secret, and where it comes from.
    case found(StoredSecret, origin: SecretOrigin)
    /// The source does not know the user.
    case notFound
    /// The source cannot answer now; the text is for the log.
    case unavailable(String)
}

/// Users written down in the settings: per database, a secret for each user. Immutable.
public struct StaticSecrets: SecretSource {
    public let name: String
    private let origin: SecretOrigin
    private let secrets: [ExactName: [ExactName: StoredSecret]]

    /// - Parameters:
    ///   - name: the source's name.
    ///   - secrets: by database, then by user.
    public init(name: String = "settings", _ secrets: [String: [String: StoredSecret]]) {
        self.name = name
        self.origin = SecretOrigin(name: name, freshness: .configured)
        self.secrets = Self.exact(secrets.mapValues(Self.exact))
    }

    private static func exact<Value>(_ table: [String: Value]) -> [ExactName: Value] {
        Dictionary(table.map { (ExactName($0.key), $0.value) }) { first, _ in first }
    }

    public func secret(user: String, database: String) async -> SecretLookup {
        self.find(user: user, database: database)
    }

    public func secretAtHand(user: String, database: String) -> SecretLookup? {
        self.find(user: user, database: database)
    }

    private func find(user: String, database: String) -> SecretLookup {
        guard let secret = self.secrets[ExactName(database)]?[ExactName(user)] else { return .notFound }
        return .found(secret, origin: self.origin)
    }
}
