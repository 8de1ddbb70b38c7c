/// As whom users that are not listed work at the server.
extension SettingsTable {
    static let serverUserKeys: [SettingsKey] = [
        SettingsKey(
            "users", .serverUser, .stringList, default: "[]", .newPool, isOwn: true,
            "Names, or `/expression` as in hba rules, one of which the user has to be; empty is everybody."
        ),
        SettingsKey(
            "roles", .serverUser, .stringList, default: "[]", .newPool, isOwn: true,
            "Roles of which the login has to have one: of a Talos token, or of `roles_claim=`; empty asks for none."
        ),
        SettingsKey(
            "auth_providers", .serverUser, .stringList, default: "[]", .newPool, isOwn: true,
            "Names as in `SHOW AUTH_PROVIDERS`, one of which has to have admitted the user; empty is all."
        ),
        SettingsKey(
            "server_username", .serverUser, .string, unset: "each user works under its own name", .newPool, isOwn: true,
            "Name used at the server, by all users of the entry, who share one pool. One entry per name."
        ),
        SettingsKey(
            "server_password", .serverUser, .secret,
            unset: "what the login has left, where the user keeps its name", .newPool, isOwn: true,
            """
            Plain password of `server_username`; or `jwt-priv-key-fpath:FILE` for tokens of whoever logs in. Without \
            it, and without `server_username`, what the login has left opens the server: the clear password (`pam`, \
            `ldap`, `jwt` with `passthrough=1`) or, of a user whom `auth_query` has found, what its md5 or SCRAM proof \
            leaves.
            """
        ),
        SettingsKey(
            "pool_size", .serverUser, .integer(1...100_000), default: "40", .reload, isOwn: true,
            "Server connections of the shared pool, or of each user's."
        ),
        SettingsKey(
            "min_pool_size", .serverUser, .integer(0...100_000), default: "0", .reload, isOwn: true,
            "Server connections opened in advance and kept; at most `pool_size`, and with `server_username` only."
        ),
        SettingsKey(
            "pool_mode", .serverUser, .choice(Self.poolModes, anyCase: true), fallback: .pool, .newPool, isOwn: true,
            "As in the pool."
        ),
    ]
}
