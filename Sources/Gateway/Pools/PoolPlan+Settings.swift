import PGWire
import Pooling
import Reactor
import Sessions
import Settings

/// Plans from settings: for a user who stands in them, and for one whom auth_query has found.
extension PoolPlan {
    /// What makes the plan of one pool differ from the others of its database.
    struct Owner {
        var key: PoolKey
        var origin = Origin.settings
        var mode: PoolMode
        var serverUser: String
        var serverPassword: SecretBytes?
        var isPassthrough: Bool
        /// As it stands in the settings; nil when it does not.
        var storedSecret: SecretText?
        var startupParameters: [StartupParameter]
        var poolSize: Int
        var minPoolSize: Int
        var serverLifetime: Duration
    }

    init(pool: PoolSettings, user: UserSettings, general: GeneralSettings, tls: ServerTLS?) {
        let serverUser = user.serverUsername ?? user.username
        let owner = Owner(
            key: PoolKey(database: pool.name, user: user.username),
            mode: user.poolMode,
            serverUser: serverUser,
            serverPassword: user.serverPassword.map { SecretBytes($0.bytes) },
            isPassthrough: user.serverPassword == nil && serverUser.hasSameBytes(as: user.username),
            storedSecret: user.password,
            startupParameters: user.startupParameters,
            poolSize: user.poolSize,
            minPoolSize: user.minPoolSize,
            serverLifetime: user.serverLifetime
        )
        self.init(pool: pool, owner: owner, general: general, tls: tls)
    }

    init(pool: PoolSettings, owner: Owner, general: GeneralSettings, tls: ServerTLS?) {
        self.key = owner.key
        self.origin = owner.origin
        self.mode = owner.mode
        self.serverHost = pool.serverHost
        self.serverPort = pool.serverPort
        self.serverDatabase = pool.serverDatabase
        self.tls = tls
        self.serverUser = owner.serverUser
        self.password = owner.serverPassword
        self.isPassthrough = owner.isPassthrough
        let stored = owner.storedSecret.map { String(decoding: $0.bytes, as: UTF8.self) } ?? ""
        self.md5Hash = self.isPassthrough && stored.hasPrefix("md5") ? SecretBytes(String(stored.dropFirst(3))) : nil
        self.storedSecret = stored.isEmpty ? nil : SecretBytes(stored)
        self.startupParameters = owner.startupParameters
        self.applicationName =
            owner.startupParameters.first { $0.key == PoolPlan.applicationNameKey }?.value ?? pool.applicationName
        self.cleansSessions = pool.cleanupServerConnections
        self.syncsParameters = general.syncServerParameters
        self.allowsNamedStatements = general.preparedStatements
        self.sharesUnnamedStatements = general.preparedStatements && general.shareUnnamedStatements
        // 0 only where statements are not shared.
        self.statementsMax = max(pool.preparedStatementsCacheSize, 1)
        self.serverStatementsMax = pool.serverPreparedStatementsCacheSize
        // 0 is no limit, as in pg_doorman.
        let unnamedMax = general.clientAnonymousPreparedCacheSize.map { $0 == 0 ? Int.max : $0 }
        self.clientUnnamedStatementsMax = unnamedMax ?? pool.preparedStatementsCacheSize
        self.connectTimeout = pool.connectTimeout.microseconds
        self.limits = PoolLimits(
            poolSize: owner.poolSize,
            minPoolSize: owner.minPoolSize,
            maxConcurrentCreates: general.maxConcurrentCreates,
            idleTimeout: pool.idleTimeout.microseconds,
            serverLifetime: owner.serverLifetime.microseconds,
            serverIdleCheckTimeout: general.serverIdleCheckTimeout.microseconds,
            queryWaitTimeout: general.queryWaitTimeout.microseconds,
            isRoundRobin: general.serverRoundRobin
        )
    }
}
