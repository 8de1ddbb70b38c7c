/// What the gateway knows about people outside of PostgreSQL: their names in the operating system, and the maps from
/// their names to database users (pg_ident). Shared by all workers; answers are bounded in time.
public protocol LocalUsers: Sendable {
    /// The name of a user of the operating system.
    func name(ofUser user: UInt32) async -> SystemUserLookup

    /// Whether a map lets `systemUser` (a system user, the name in a certificate or a token) be the user of `attempt`.
    func admits(_ systemUser: String, as attempt: LoginAttempt, map: String) async -> UserMapAnswer
}

public enum SystemUserLookup: Sendable, Equatable {
    case name(String)
    case unknown
    /// Cannot be told now; the text is for the log.
    case unavailable(String)
}

public enum UserMapAnswer: Sendable, Equatable {
    case admitted
    /// Also when there is no such map.
    case refused
    /// Cannot be told now; the text is for the log.
    case unavailable(String)
}

/// Knows nobody.
public struct NoLocalUsers: LocalUsers {
    public init() {}

    public func name(ofUser user: UInt32) async -> SystemUserLookup { .unknown }

    public func admits(_ systemUser: String, as attempt: LoginAttempt, map: String) async -> UserMapAnswer { .refused }
}
