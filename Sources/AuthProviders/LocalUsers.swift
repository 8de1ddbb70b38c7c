/// What the gateway knows about people outside of PostgreSQL: their names in the operating system, and the maps from
/// their names to database users (pg_ident). Shared by all workers; answers are bounded in time.
public protocol LocalUsers: Sendable {
    /// The name of a user of the operating system.
    func name(ofUser user: UInt32) async -> SystemUserLookup

    /// Whether a map lets `systemUser` (a system user, the name in a certificate or a token) be the user of `attempt`.
    func admits(_ systemUser: String, as attempt: LoginAttempt, map: String) async -> UserMapAnswer
}

/// What the operating system says of a user's number.
public enum SystemUserLookup: Sendable, Equatable {
    /// The user's name.
    case name(String)
    /// There is no such user.
    case unknown
    /// Cannot be told now; the text is for the log.
    case unavailable(String)
}

/// What a map of pg_ident says.
public enum UserMapAnswer: Sendable, Equatable {
    /// The one may be the other.
    case admitted
    /// Also when there is no such map.
    case refused
    /// Cannot be told now; the text is for the log.
    case unavailable(String)
}

/// Knows nobody.
public struct NoLocalUsers: LocalUsers {
    /// For tests.
    public init() {}

    public func name(ofUser user: UInt32) async -> SystemUserLookup { .unknown }

    public func admits(_ systemUser: String, as attempt: LoginAttempt, map: String) async -> UserMapAnswer { .refused }
}
