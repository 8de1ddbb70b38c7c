/// What the gateway does for a console command: the work that needs its live state. Answered with a `ConsoleOutcome`.
package enum ConsoleRequest: String, CaseIterable, Sendable {
    /// `[PoolRow]`
    case pools
    /// `[ClientRow]`
    case clients
    /// `[ServerRow]`
    case servers
    /// `[StatsRow]`
    case stats
    /// `[DatabaseRow]`
    case databases
    /// `[UserRow]`
    case users
    /// `ListCounts.rows`
    case lists
    /// `[ConfigRow]`
    case config
    /// `[HBARow]`
    case hba
    /// `[AuthProviderRow]`
    case authProviders
    /// One `TLSRow` for each side
    case tls
    /// `[StartupParameterRow]`
    case startupParameters
    /// `[AuthQueryRow]`
    case authQuery
    /// `[StatementRow]`
    case preparedStatements
    /// `[InternerRow]`
    case interner
    /// `[InternedTextRow]`, longest first, at most `InternedTextRow.rowsMax`
    case internedTexts
    /// `[AuditRow]`, newest first, at most `AuditRow.rowsMax`
    case audit
    case lastAudit
    /// The same, of refused logins and failed commands only
    case auditFailures
    case lastAuditFailures
    /// One `ConnectionsRow`
    case connections
    /// No rows
    case reload
    /// One `ShutdownRow`
    case shutdown
    /// No rows; arguments: nothing, or a database
    case reconnect
    /// One `KillRow`; arguments: the user
    case killUser
    /// One `InvalidationRow`; arguments: nothing, a database, or a database and a user
    case invalidateAuth
}

extension ConsoleRequest {
    /// The words of a command that changes the state: worth a line in the log. Nil for what only shows.
    package var changingCommand: String? {
        switch self {
        case .reload: "RELOAD"
        case .shutdown: "SHUTDOWN"
        case .reconnect: "RECONNECT"
        case .killUser: "KILL USER"
        case .invalidateAuth: "INVALIDATE AUTH"
        default: nil
        }
    }
}
