import AuthProviders
import Sessions
import Settings

/// What the settings say about one database's query: who asks which server what, and how long answers are good.
/// Immutable; a reload makes new plans, and where they are equal everything stays.
struct AuthQueryPlan: Sendable, Equatable {
    let host: String
    let port: UInt16
    let database: String
    /// As the pools of the database have it; nil is clear text.
    let tls: ServerTLS?
    let user: String
    let password: SecretText
    let connections: Int
    /// Microseconds.
    let connectTimeout: Int64
    let queryTimeout: Int64
    let options: AuthQueryService.Options

    init?(_ pool: PoolSettings, tls: ServerTLS?) {
        guard let settings = pool.authQuery else { return nil }
        self.host = pool.serverHost
        self.port = pool.serverPort
        self.database = settings.database
        self.tls = tls
        self.user = settings.user
        self.password = settings.password
        self.connections = settings.workers
        self.connectTimeout = pool.connectTimeout.microseconds
        self.queryTimeout = settings.queryTimeout.microseconds
        self.options = AuthQueryService.Options(
            query: settings.query,
            lifetime: settings.cacheTTL.microseconds,
            unknownLifetime: settings.cacheFailureTTL.microseconds,
            minInterval: settings.minInterval.microseconds,
            roleLifetime: settings.roleTTL.microseconds,
            entriesMax: settings.cacheMaxEntries,
            ignoresStartupParameters: settings.isDedicated
        )
    }

    var credential: ServerCredential {
        self.password.isEmpty ? .none : .cleartext(SecretBytes(self.password.bytes))
    }

    /// What the session starts with. Nothing of it comes from a client, and only the search path's own schema is
    /// searched, so that nobody can put a function or table of a known name in the way. Writing stays allowed:
    /// functions may keep records.
    var startupParameters: [(name: String, value: String)] {
        [
            ("application_name", "pggateway auth_query"),
            ("client_encoding", "UTF8"),
            ("search_path", "pg_catalog"),
            ("statement_timeout", "\(min(max(self.queryTimeout / 1000, 1), Int64(Int32.max)))"),
        ]
    }
}

extension AuthQueryDispatcher.Ageing {
    /// Much less than for servers of pools: a probe would be another query like the one that is to be run.
    private static var doubtAfterMax: Int64 { 5_000_000 }

    init(_ pool: PoolSettings, _ general: GeneralSettings) {
        self.init()
        self.lifetime = pool.serverLifetime.microseconds
        self.doubtAfter = min(general.serverIdleCheckTimeout.microseconds, Self.doubtAfterMax)
    }
}
