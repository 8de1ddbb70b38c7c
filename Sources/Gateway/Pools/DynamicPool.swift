import Pooling
import Sessions
import Settings

/// The pool of a user who is not listed. Its plan is made only when there is no such pool yet.
struct DynamicPool {
    enum Source {
        /// The user was found by auth_query.
        case authQuery(PoolSettings, AuthQuerySettings)
        /// An entry of `server_users` lets the user keep its name.
        case serverUsers(ServerUserMap, ServerUserMap.Entry)
    }

    let key: PoolKey
    /// The startup parameters of the user's row; nil after a login that has not looked at it.
    let row: [String: String]?
    let source: Source
    let general: GeneralSettings
    let tls: ServerTLS?

    var plan: PoolPlan {
        switch self.source {
        case .authQuery(let pool, let query): PoolPlan(self, pool, query)
        case .serverUsers(let map, let entry): map.ownPlan(entry, key: self.key, self.general)
        }
    }
}

/// Plans for the users whom auth_query finds.
extension PoolPlan {
    static func dedicatedKey(database: String, _ query: AuthQuerySettings) -> PoolKey {
        PoolKey(database: database, user: query.serverUser ?? "", kind: .dedicated)
    }

    /// The pool of one user, who logs in at the server as itself. The parameters of its row win over those of the
    /// settings.
    fileprivate init(_ user: DynamicPool, _ pool: PoolSettings, _ query: AuthQuerySettings) {
        let row = user.row ?? [:]
        let own = row.map { StartupParameter(name: $0.key, value: $0.value, source: .authQuery) }
        let parameters = Dictionary((query.startupParameters + own).map { ($0.key, $0) }) { $1 }
        let owner = Owner(
            key: user.key,
            origin: .dynamic(row: row),
            mode: pool.poolMode,
            serverUser: user.key.user,
            isPassthrough: true,
            startupParameters: parameters.values.sorted { $0.key < $1.key },
            poolSize: query.poolSize,
            minPoolSize: query.minPoolSize,
            serverLifetime: pool.serverLifetime
        )
        self.init(pool: pool, owner: owner, general: user.general, tls: user.tls)
    }

    /// The pool of all users, who work as `server_user`; nil without one.
    init?(pool: PoolSettings, dedicated query: AuthQuerySettings, general: GeneralSettings, tls: ServerTLS?) {
        guard let serverUser = query.serverUser else { return nil }
        let owner = Owner(
            key: Self.dedicatedKey(database: pool.name, query),
            mode: pool.poolMode,
            serverUser: serverUser,
            serverPassword: query.serverPassword.map { SecretBytes($0.bytes) },
            isPassthrough: false,
            startupParameters: query.startupParameters,
            poolSize: query.poolSize,
            minPoolSize: 0,
            serverLifetime: pool.serverLifetime
        )
        self.init(pool: pool, owner: owner, general: general, tls: tls)
    }
}
