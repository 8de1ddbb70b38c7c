/// As whom some of the users that are not listed work at the server; values are effective as in ``PoolSettings``.
package struct ServerUserSettings: Sendable, Equatable {
    /// Names, or `/expression`; empty is everybody.
    package let users: [String]
    /// Empty asks for none.
    package let roles: [String]
    /// Empty is all.
    package let authProviders: [String]
    /// nil when each user works under its own name, in a pool of its own.
    package let serverUsername: String?
    /// nil for the clear password of the login, or for none.
    package let serverPassword: SecretText?
    package let poolMode: PoolMode
    package let poolSize: Int
    package let minPoolSize: Int
    package let serverLifetime: Duration
    /// Of `general` and the pool, sorted by name, each name once.
    package let startupParameters: [StartupParameter]

    init(_ values: SectionValues, pool: SectionValues, parameters: [StartupParameter]) {
        self.users = values.list("users")
        self.roles = values.list("roles")
        self.authProviders = values.list("auth_providers")
        self.serverUsername = values.text("server_username")
        self.serverPassword = values.secret("server_password")
        self.poolMode = PoolMode(values)
        self.poolSize = values.integer("pool_size")
        self.minPoolSize = values.integer("min_pool_size")
        self.serverLifetime = pool.duration("server_lifetime")
        self.startupParameters = parameters
    }

    /// `server_password: jwt-priv-key-fpath:FILE`: the file with the private key that signs tokens for servers.
    package var serverTokenKeyFile: String? { self.serverPassword?.file(behind: PasswordShape.serverTokenKeyPrefix) }

    /// Whoever comes, the entry speaks of it.
    package var isForEverybody: Bool { self.users.isEmpty && self.roles.isEmpty && self.authProviders.isEmpty }
}

extension SecretText {
    /// The path behind a prefix that makes a file of a secret; nil for other secrets.
    func file(behind prefix: String) -> String? {
        let text = self.revealed
        return text.hasPrefix(prefix) ? String(text.dropFirst(prefix.count)) : nil
    }
}

extension SettingsValidation {
    static func check(serverUser values: SectionValues, into diagnostics: inout Diagnostics) {
        for key in ["users", "roles", "auth_providers"] where values.list(key).contains(where: \.isEmpty) {
            diagnostics.report(values.location(of: key), values.path(of: key), "holds an empty name")
        }
        let name = values.text("server_username")
        if let name, name.isEmpty || name.utf8.contains(0) {
            let reason = name.isEmpty ? "is empty" : "holds a zero byte"
            diagnostics.report(values.location(of: "server_username"), values.path(of: "server_username"), reason)
        }
        self.checkServerPassword(of: values, into: &diagnostics)
        let (minimum, size) = (values.integer("min_pool_size"), values.integer("pool_size"))
        let place = (values.location(of: "min_pool_size"), values.path(of: "min_pool_size"))
        if minimum > size {
            diagnostics.report(place.0, place.1, "min_pool_size (\(minimum)) is above pool_size (\(size))")
        } else if minimum > 0, name == nil {
            diagnostics.report(place.0, place.1, "min_pool_size needs server_username")
        }
    }

    private static func checkServerPassword(of values: SectionValues, into diagnostics: inout Diagnostics) {
        let place = (values.location(of: "server_password"), values.path(of: "server_password"))
        guard let password = values.secret("server_password") else {
            return Self.warnOfNoServerPassword(for: "server_username", values, &diagnostics)
        }
        if password.revealed == PasswordShape.serverTokenKeyPrefix {
            diagnostics.report(place.0, place.1, "no file is named behind `\(password.revealed)`")
        } else if values.text("server_username") == nil,
            password.file(behind: PasswordShape.serverTokenKeyPrefix) == nil
        {
            let reason = "one password for users of all names: server_password needs server_username"
            diagnostics.report(place.0, place.1, reason)
        }
    }
}
