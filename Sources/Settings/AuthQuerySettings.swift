/// How users that are not listed are found; values are effective as in ``PoolSettings``.
package struct AuthQuerySettings: Sendable, Equatable {
    /// One parameter, `$1`, the name of the user.
    package let query: String
    package let user: String
    /// Plain text; empty for none.
    package let password: SecretText
    package let database: String
    package let workers: Int
    package let queryTimeout: Duration
    /// nil when every user has a pool of its own and its proof is passed through.
    package let serverUser: String?
    package let serverPassword: SecretText?
    package let poolSize: Int
    package let minPoolSize: Int
    package let cacheTTL: Duration
    package let cacheFailureTTL: Duration
    package let minInterval: Duration
    package let cacheMaxEntries: Int
    package let roleTTL: Duration
    /// Of `general` and the pool, for the servers of the users that are found; sorted by name, each name once.
    package let startupParameters: [StartupParameter]

    init(_ values: SectionValues, pool: SectionValues, poolName: String, parameters: [StartupParameter]) {
        self.query = values.text("query") ?? ""
        self.user = values.text("user") ?? ""
        self.password = values.secret("password") ?? SecretText("")
        self.database = values.text("database") ?? pool.text("server_database") ?? poolName
        self.workers = values.integer("workers")
        self.queryTimeout = values.duration("query_timeout")
        self.serverUser = values.text("server_user")
        self.serverPassword = values.secret("server_password")
        self.poolSize = values.integer("pool_size")
        self.minPoolSize = values.integer("min_pool_size")
        self.cacheTTL = values.duration("cache_ttl")
        self.cacheFailureTTL = values.duration("cache_failure_ttl")
        self.minInterval = values.duration("min_interval")
        self.cacheMaxEntries = values.integer("cache_max_entries")
        self.roleTTL = values.duration("role_cache_ttl")
        self.startupParameters = parameters
    }

    /// One user logs in at the server for all.
    package var isDedicated: Bool { self.serverUser != nil }
}

extension SettingsValidation {
    static func check(authQuery values: SectionValues, into diagnostics: inout Diagnostics) {
        for key in ["query", "user", "database", "server_user"] {
            guard values.isWritten(key), let text = values.text(key) else { continue }
            if text.isEmpty {
                diagnostics.report(values.location(of: key), values.path(of: key), "is empty")
            } else if text.utf8.contains(0) {
                diagnostics.report(values.location(of: key), values.path(of: key), "holds a zero byte")
            }
        }
        if values.isWritten("query"), let query = values.text("query"), !query.isEmpty, !query.contains("$1") {
            diagnostics.report(
                values.location(of: "query"), values.path(of: "query"), "has no parameter `$1` for the user's name"
            )
        }
        if values.isWritten("server_password"), !values.isWritten("server_user") {
            diagnostics.report(
                values.location(of: "server_password"), values.path(of: "server_password"),
                "server_password needs server_user"
            )
        }
        if values.secret("server_password") == nil {
            Self.warnOfNoServerPassword(for: "server_user", values, &diagnostics)
        }
        let (minimum, size) = (values.integer("min_pool_size"), values.integer("pool_size"))
        if minimum > size {
            diagnostics.report(
                values.location(of: "min_pool_size"), values.path(of: "min_pool_size"),
                "min_pool_size (\(minimum)) is above pool_size (\(size))"
            )
        }
        if minimum > 0, values.isWritten("server_user") {
            diagnostics.warn(
                values.location(of: "min_pool_size"), values.path(of: "min_pool_size"),
                "has no effect together with server_user"
            )
        }
    }
}
