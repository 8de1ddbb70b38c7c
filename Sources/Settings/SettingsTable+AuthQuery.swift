/// Users that are not listed and are found by a query.
extension SettingsTable {
    /// Tells of roles that may log in at PostgreSQL itself: a role without LOGIN or past its VALID UNTIL is unknown.
    private static let defaultQuery = """
        SELECT rolpassword AS passwd FROM pg_catalog.pg_authid
        WHERE rolname = $1 AND rolcanlogin
        AND (rolvaliduntil IS NULL OR rolvaliduntil > pg_catalog.now())
        """

    static let authQueryKeys: [SettingsKey] = Self.authQueryExecutorKeys + Self.authQueryPoolKeys + Self.authQueryAges

    private static let authQueryExecutorKeys: [SettingsKey] = [
        SettingsKey(
            "query", .authQuery, .string, default: Self.defaultQuery, .newPool,
            """
            Query with the parameter `$1`, the user's name. At most one row; its password is in the column `passwd`, \
            else `password`, else the only one. Runs with `search_path = pg_catalog`: name the schemas of everything \
            else. Required in pg_doorman.
            """
        ),
        SettingsKey(
            "user", .authQuery, .string, isRequired: true, .newPool, sample: "pooler", "User that runs the query."
        ),
        SettingsKey(
            "password", .authQuery, .secret, default: "\"\"", .newPool,
            "Plain password of that user; empty where the server asks for none."
        ),
        SettingsKey(
            "database", .authQuery, .string, unset: "`server_database` of the pool", .newPool,
            "Database of the query. pg_doorman's default is the name of the pool."
        ),
        SettingsKey(
            "workers", .authQuery, .integer(1...1_000), default: "2", .newPool,
            "Connections for the query; opened when it is first needed."
        ),
        SettingsKey(
            "query_timeout", .authQuery, .positiveDuration, default: "5s", .newPool, isOwn: true,
            "How long a login waits for the query, with everything that this takes."
        ),
    ]

    private static let authQueryPoolKeys: [SettingsKey] = [
        SettingsKey(
            "server_user", .authQuery, .string, unset: "each user has a pool of its own", .newPool,
            "One user for the server connections of all users that the query finds, who then share one pool."
        ),
        SettingsKey(
            "server_password", .authQuery, .secret, unset: "no password", .newPool,
            "Plain password of `server_user`; needs it."
        ),
        SettingsKey(
            "pool_size", .authQuery, .integer(1...100_000), default: "40", .reload,
            "Server connections of each user's pool, or of the shared one."
        ),
        SettingsKey(
            "min_pool_size", .authQuery, .integer(0...100_000), default: "0", .reload,
            """
            Server connections opened at a user's first login and kept for as long as the server admits the user, \
            whether the user is there or not; at most `pool_size`. Without effect with `server_user`.
            """
        ),
    ]

    private static let authQueryAges: [SettingsKey] = [
        SettingsKey(
            "cache_ttl", .authQuery, .duration, default: "1h", .newPool,
            "How long a found user is remembered: a role that was dropped may log in for so long."
        ),
        SettingsKey(
            "cache_failure_ttl", .authQuery, .duration, default: "30s", .newPool,
            "How long an unknown user is remembered."
        ),
        SettingsKey(
            "min_interval", .authQuery, .duration, default: "1s", .newPool,
            "After a wrong password a remembered user is looked up again, but not within this time of the last query."
        ),
        SettingsKey(
            "cache_max_entries", .authQuery, .integer(2...1_000_000), default: "10000", .newPool, isOwn: true,
            "Users remembered; a quarter of it is for unknown ones. Beyond that the least recently used is forgotten."
        ),
        SettingsKey(
            "role_cache_ttl", .authQuery, .duration, default: "60s", .newPool, isOwn: true,
            "How long a user's membership in roles is remembered."
        ),
    ]
}
