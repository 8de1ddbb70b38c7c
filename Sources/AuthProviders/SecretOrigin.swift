public import Sessions

/// Where a secret comes from, and what came with it. Immutable; in one object, which a login hands on many times.
public final class SecretOrigin: Sendable {
    /// How old what the source said may be.
    public enum Freshness: Sendable {
        /// It stands in the settings.
        case configured
        /// The source remembers it from an earlier login.
        case cached
        /// Asked for by this login.
        case fetched
    }

    /// The source's name: `settings`, `auth_query`.
    public let name: String
    /// Whether the source remembers it or has just been told.
    public let freshness: Freshness
    /// Startup parameters that came with the secret, by lower-case name; nil when the source has none.
    public let startupParameters: [String: String]?
    /// The secret itself, where the source has it from a server that has logins of its own; nil elsewhere. Another one
    /// than before says that the password was changed, or that the name is another role's now.
    public let copy: StoredSecret?

    /// - Parameters:
    ///   - name: the source's name.
    ///   - freshness: whether the source remembers it or has just been told.
    ///   - startupParameters: by lower-case name; nil when the source has none.
    ///   - copy: the secret, where it is a copy of a server's.
    public init(
        name: String,
        freshness: Freshness,
        startupParameters: [String: String]? = nil,
        copy: StoredSecret? = nil
    ) {
        self.name = name
        self.freshness = freshness
        self.startupParameters = startupParameters
        self.copy = copy
    }
}

extension SecretOrigin: Equatable {
    public static func == (left: SecretOrigin, right: SecretOrigin) -> Bool {
        left === right
            || left.name == right.name && left.freshness == right.freshness
                && left.startupParameters == right.startupParameters && left.copy == right.copy
    }
}
