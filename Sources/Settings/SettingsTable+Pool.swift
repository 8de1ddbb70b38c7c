extension SettingsTable {
    static let poolModes = ["session", "transaction", "statement"]

    static let poolKeys: [SettingsKey] = [
        SettingsKey(
            "pool_mode", .pool, .choice(Self.poolModes, anyCase: true), default: "transaction", .newPool,
            "For how long a client keeps a server: session, transaction or statement. pg_doorman has no statement mode."
        ),
        SettingsKey(
            "server_host", .pool, .string, default: "127.0.0.1", .newPool, sample: "127.0.0.1",
            "PostgreSQL's address or host name; a leading `/` names the folder of its unix socket. Where a name has "
                + "several addresses, each connection begins with the next of them and goes on to the others as long "
                + "as nobody takes it. What a name leads to is remembered for 15 seconds. While that cannot "
                + "be looked up, its last known addresses are used, for an hour at most. Servers at an address that "
                + "the name has no more are replaced as they become free: at once when it has none of its addresses "
                + "of the last 5 minutes, else when 5 minutes have passed."
        ),
        SettingsKey(
            "server_port", .pool, .integer(1...65_535), default: "5432", .newPool, sample: "5432",
            "PostgreSQL's port; also names its unix socket."
        ),
        SettingsKey(
            "server_database", .pool, .string, unset: "the name of the pool", .newPool,
            "Database at the server."
        ),
        SettingsKey(
            "connect_timeout", .pool, .positiveDuration, fallback: .general, .newPool,
            "As in `general`; pg_doorman does not use it."
        ),
        SettingsKey("idle_timeout", .pool, .duration, fallback: .general, .reload, "As in `general`."),
        SettingsKey("server_lifetime", .pool, .duration, fallback: .general, .reload, "As in `general`."),
        SettingsKey(
            "cleanup_server_connections", .pool, .bool, default: "true", .newPool,
            "Resets the session state of a server that was touched before the next client gets it."
        ),
        SettingsKey(
            "application_name", .pool, .string, default: "pggateway", .newPool,
            """
            Name that server connections start with, and the `application_name` of clients that give none. \
            pg_doorman's default is `pg_doorman`.
            """
        ),
        SettingsKey(
            "startup_parameters", .pool, .stringMap, default: "{}", .newPool, "As in `general`; wins name by name."
        ),
        SettingsKey(
            "users", .pool, .tableList(.user), default: "[]", .reload,
            "Users of this pool: a list, or a map with numbers as keys."
        ),
        SettingsKey(
            "auth_query", .pool, .table(.authQuery), .reload,
            "Finds users that are not listed by a query; see [auth_query](auth_query.md)."
        ),
        SettingsKey(
            "server_users", .pool, .tableList(.serverUser), default: "[]", .newPool, isOwn: true,
            "As whom users that are not listed work at the server; see [server users](server_users.md)."
        ),
    ]

    static let poolAcceptedKeys: [SettingsKey] =
        [
            Self.accepted("log_client_parameter_status_changes", .bool, default: "false", "Logs parameter changes."),
            Self.accepted("scaling_warm_pool_ratio", .integer(0...100), "As in `general`."),
            Self.accepted("scaling_fast_retries", .count, "As in `general`."),
            Self.accepted("scaling_cooldown_sleep", .duration, "Removed in pg_doorman; without effect."),
            Self.accepted(
                "max_db_connections", .count, default: "0",
                "Servers of all pools of the database; 0 is no limit."
            ),
            Self.accepted(
                "min_connection_lifetime", .duration, default: "30s",
                "Age before a server may be taken for another pool."
            ),
            Self.accepted("reserve_pool_size", .count, default: "0", "Servers beyond the limit for long waits."),
            Self.accepted("reserve_pool_timeout", .duration, default: "3s", "Wait after which the reserve is used."),
            Self.accepted("min_guaranteed_pool_size", .count, default: "0", "Servers that other pools may not take."),
        ] + Self.patroniKeys(of: .pool)

    private static func accepted(
        _ name: String,
        _ kind: SettingsKind,
        default defaultText: String? = nil,
        _ summary: String
    ) -> SettingsKey {
        SettingsKey(name, .pool, kind, default: defaultText, .newPool, status: .accepted, summary)
    }

    static let userKeys: [SettingsKey] = [
        SettingsKey(
            "username", .user, .string, isRequired: true, .newPool, sample: "app",
            "Name that clients log in with; once per pool."
        ),
        SettingsKey(
            "password", .user, .secret, isRequired: true, .newPool, sample: "\"${PGGATEWAY_APP_PASSWORD}\"",
            """
            What `SELECT rolpassword FROM pg_authid` shows: `md5` and 32 hex digits, or `SCRAM-SHA-256$...`; or empty \
            for a user that logs in by an hba rule with `trust` only. Plain text is refused.
            """
        ),
        SettingsKey(
            "pool_size", .user, .integer(1...100_000), default: "40", .reload, sample: "20",
            "Server connections of this user and database. Required in pg_doorman."
        ),
        SettingsKey(
            "min_pool_size", .user, .integer(0...100_000), default: "0", .reload,
            "Server connections opened in advance and kept; at most `pool_size`."
        ),
        SettingsKey(
            "pool_mode", .user, .choice(Self.poolModes, anyCase: true), fallback: .pool, .newPool, "As in the pool."
        ),
        SettingsKey(
            "server_username", .user, .string, unset: "`username`", .newPool, "Name used at the server."
        ),
        SettingsKey(
            "server_password", .user, .secret,
            unset: "the client's proof is passed through, where the name is the user's own", .newPool,
            "Plain password used at the server; needs `server_username`."
        ),
        SettingsKey(
            "server_lifetime", .user, .duration, fallback: .pool, .reload,
            "As in `general`; pg_doorman does not use it."
        ),
        SettingsKey(
            "startup_parameters", .user, .stringMap, default: "{}", .newPool, isOwn: true,
            "As in `general`; wins name by name."
        ),
        SettingsKey(
            "auth_pam_service", .user, .string, unset: "`password` proves the user", .reload,
            """
            PAM service that checks what the client sends as its password. Takes the place of `password`, which may \
            be empty then or any text, under hba rules with the methods `password`, `md5` and `scram-sha-256`; the \
            client is asked for the password in clear text.
            """
        ),
    ]

    static let webKeys: [SettingsKey] = {
        func key(
            _ name: String, _ kind: SettingsKind, default defaultText: String? = nil, _ summary: String
        ) -> SettingsKey {
            SettingsKey(name, .web, kind, default: defaultText, .restart, status: .accepted, summary)
        }
        return [
            key("enabled", .bool, default: "false", "Switches the listener on."),
            key("host", .string, default: "0.0.0.0", "Listen address."),
            key("port", .integer(1...65_535), default: "9127", "Listen port."),
            key("ui", .bool, default: "false", "Web console."),
            key("ui_anonymous", .bool, default: "false", "Web console without login."),
            key(
                "log_tap_max_entries", .count, default: "8192",
                "Log lines kept for the web console; 0 switches it off."
            ),
            key("sso_enabled", .bool, default: "false", "Single sign-on."),
            key("sso_proxy_url", .string, "Address of the sign-on proxy."),
            key("sso_public_key_file", .path, "RSA public key, PEM."),
            key("sso_audience", .stringList, default: "[]", "Accepted audiences."),
            key("sso_allowed_users", .stringList, default: "[\"*\"]", "Users that may sign in."),
            key("sso_groups_claim", .string, default: "groups", "Claim that lists groups."),
            key("sso_admin_groups", .stringList, default: "[]", "Groups with admin rights."),
            key("sso_require_https", .bool, default: "false", "Refuses plain HTTP."),
            key("trusted_proxies", .cidrList, default: "[]", "Proxies whose forwarded headers count."),
        ]
    }()
}
