public import Sessions

/// Somewhere the secrets of users are kept: the settings, a query at a server, a directory.
///
/// Shared by all workers. A lookup bounds its own time and memory; it takes as long for unknown users as for known ones
/// as far as it can.
public protocol SecretSource: Sendable {
    /// For logs and for `AuthenticatedIdentity.secretSource`.
    var name: String { get }

    func secret(user: String, database: String) async -> SecretLookup

    /// The same answer without waiting; nil when the source has to be waited for. May be left out.
    func secretAtHand(user: String, database: String) -> SecretLookup?
}

extension SecretSource {
    public func secretAtHand(user: String, database: String) -> SecretLookup? { nil }
}

/// The answer of a secret source.
public enum SecretLookup: Sendable {
    /// - Parameter source: the name of the source that knew the user.
    case found(StoredSecret, source: String)
    case notFound
    /// The source cannot answer now; the text is for the log.
    case unavailable(String)
}

/// Users written down in the settings: per database, a secret for each user. Immutable.
public struct StaticSecrets: SecretSource {
    public let name: String
    private let secrets: [String: [String: StoredSecret]]

    /// - Parameter secrets: by database, then by user.
    public init(name: String = "settings", _ secrets: [String: [String: StoredSecret]]) {
        self.name = name
        self.secrets = secrets
    }

    public func secret(user: String, database: String) async -> SecretLookup {
        self.find(user: user, database: database)
    }

    public func secretAtHand(user: String, database: String) -> SecretLookup? {
        self.find(user: user, database: database)
    }

    private func find(user: String, database: String) -> SecretLookup {
        guard let secret = self.secrets[database]?[user] else { return .notFound }
        return .found(secret, source: self.name)
    }
}

/// Several sources in order: the first that knows the user answers, and one that cannot answer ends the search, for a
/// later source must not overrule it. Immutable.
public struct SecretSourceChain: SecretSource {
    private let sources: [any SecretSource]

    public init(_ sources: [any SecretSource]) {
        self.sources = sources
    }

    public var name: String {
        self.sources.map(\.name).joined(separator: ", ")
    }

    public func secret(user: String, database: String) async -> SecretLookup {
        for source in self.sources {
            switch await source.secret(user: user, database: database) {
            case .notFound: continue
            case .found(let secret, let name): return .found(secret, source: name)
            case .unavailable(let reason): return .unavailable(reason)
            }
        }
        return .notFound
    }

    public func secretAtHand(user: String, database: String) -> SecretLookup? {
        for source in self.sources {
            switch source.secretAtHand(user: user, database: database) {
            case .notFound?: continue
            case .found(let secret, let name)?: return .found(secret, source: name)
            case .unavailable(let reason)?: return .unavailable(reason)
            case nil: return nil
            }
        }
        return .notFound
    }
}
