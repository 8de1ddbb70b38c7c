/// For how long a client keeps a server.
package enum PoolMode: String, Sendable {
    case session
    case transaction
    case statement
}

/// One database that clients may ask for. All values are effective: what the file leaves out is filled in from
/// `general` or by default. Two pools that compare equal need no new connections on reload.
package struct PoolSettings: Sendable, Equatable {
    /// The database name that clients ask for.
    package let name: String
    package let poolMode: PoolMode
    /// A leading `/` names the folder of a unix socket.
    package let serverHost: String
    package let serverPort: UInt16
    package let serverDatabase: String
    package let connectTimeout: Duration
    package let idleTimeout: Duration
    package let serverLifetime: Duration
    package let cleanupServerConnections: Bool
    package let applicationName: String
    package let preparedStatementsCacheSize: Int
    package let serverPreparedStatementsCacheSize: Int
    package let serverTLS: ServerTLSSettings
    /// In lower case, a leading `*.` for one label. ``GatewaySettings/serverNames`` has those of all pools.
    package let tlsServerNames: [String]
    /// Sorted by name.
    package let users: [UserSettings]
    /// nil when nobody but ``users`` is known.
    package let authQuery: AuthQuerySettings?
    /// In order: the first that speaks of a user decides.
    package let serverUsers: [ServerUserSettings]

    init(
        name: String,
        _ values: SectionValues,
        users: [UserSettings],
        authQuery: AuthQuerySettings? = nil,
        serverUsers: [ServerUserSettings] = []
    ) {
        self.name = name
        self.poolMode = PoolMode(values)
        self.serverHost = values.text("server_host") ?? ""
        self.serverPort = UInt16(clamping: values.integer("server_port"))
        self.serverDatabase = values.text("server_database") ?? name
        self.connectTimeout = values.duration("connect_timeout")
        self.idleTimeout = values.duration("idle_timeout")
        self.serverLifetime = values.duration("server_lifetime")
        self.cleanupServerConnections = values.bool("cleanup_server_connections")
        self.applicationName = values.text("application_name") ?? ""
        self.preparedStatementsCacheSize = values.integer("prepared_statements_cache_size")
        self.serverPreparedStatementsCacheSize =
            values.optionalInteger("server_prepared_statements_cache_size")
            ?? values.integer("prepared_statements_cache_size")
        self.serverTLS = ServerTLSSettings(values)
        self.tlsServerNames = values.list("tls_server_names").compactMap(TLSServerNames.pattern)
        self.users = users.sorted { $0.username < $1.username }
        self.authQuery = authQuery
        self.serverUsers = serverUsers
    }

    /// Whether there are users whose servers go back before they leave.
    var sharesServers: Bool {
        if self.users.contains(where: { $0.poolMode != .session }) { return true }
        if self.serverUsers.contains(where: { $0.poolMode != .session }) { return true }
        return self.authQuery != nil && self.poolMode != .session
    }

    /// The user of that name.
    package func user(_ username: String) -> UserSettings? {
        self.users.first { $0.username == username }
    }
}

/// One user of a pool; values are effective as in ``PoolSettings``.
package struct UserSettings: Sendable, Equatable {
    package let username: String
    /// `md5` and 32 hex digits, `SCRAM-SHA-256$...`, `jwt-pkey-fpath:FILE`, or empty: checked at load. Of a user with
    /// ``authPamService`` any text.
    package let password: SecretText
    /// The PAM service that proves this user instead of ``password``.
    package let authPamService: String?
    package let poolSize: Int
    package let minPoolSize: Int
    package let poolMode: PoolMode
    /// `password: jwt-pkey-fpath:FILE`: the file with the public keys that check the user's tokens.
    package var tokenKeyFile: String? { self.password.file(behind: PasswordShape.tokenKeyPrefix) }
    /// `server_password: jwt-priv-key-fpath:FILE`: the file with the private key that signs tokens for servers.
    package var serverTokenKeyFile: String? { self.serverPassword?.file(behind: PasswordShape.serverTokenKeyPrefix) }

    /// nil for a user that is not mapped: the client's own name and proof are passed through.
    package let serverUsername: String?
    /// Plain password for ``serverUsername``, or `jwt-priv-key-fpath:FILE`; nil to log in without one or by
    /// passthrough.
    package let serverPassword: SecretText?
    /// Another name at the server and no password there, of which the settings warn when they are read.
    package var isUnprovenAtServer: Bool {
        guard self.serverPassword == nil, let name = self.serverUsername else { return false }
        return !name.utf8.elementsEqual(self.username.utf8)
    }

    package let serverLifetime: Duration
    /// Of all levels, sorted by name; each name once, whatever its case.
    package let startupParameters: [StartupParameter]

    init(_ values: SectionValues, parameters: [StartupParameter]) {
        self.username = values.text("username") ?? ""
        self.password = values.secret("password") ?? SecretText("")
        self.authPamService = values.text("auth_pam_service")
        self.poolSize = values.integer("pool_size")
        self.minPoolSize = values.integer("min_pool_size")
        self.poolMode = PoolMode(values)
        self.serverUsername = values.text("server_username")
        self.serverPassword = values.secret("server_password")
        self.serverLifetime = values.duration("server_lifetime")
        self.startupParameters = parameters
    }
}

extension PoolMode {
    init(_ values: SectionValues) {
        self = values.text("pool_mode").flatMap(PoolMode.init(rawValue:)) ?? .transaction
    }
}
