import AuthProviders
import PGWire
import Pooling
import Sessions
import Settings

/// From an identity to the pool it works in.
extension Snapshot {
    enum Route {
        /// A pool that stands in the settings, if it does.
        case settings(PoolKey)
        /// The pool of a user whom auth_query has found.
        case dynamic(DynamicPool)
    }

    /// A user of the settings works in its own pool; one whom auth_query found, or who was proven without any secret of
    /// ours, where auth_query says.
    func route(_ identity: AuthenticatedIdentity, database: String) -> Route {
        let own = PoolKey(database: database, user: identity.user)
        let isListed = identity.secretOrigin.map { $0.freshness == .configured } ?? (self.plans[own] != nil)
        guard !isListed, let pool = self.authQueryPools[ExactName(database)], let query = pool.authQuery
        else { return .settings(own) }
        if query.isDedicated { return .settings(PoolPlan.dedicatedKey(database: database, query)) }
        return .dynamic(
            DynamicPool(
                key: own,
                row: identity.secretOrigin?.startupParameters ?? [:],
                pool: pool,
                query: query,
                general: self.settings.general,
                tls: self.serverTLS[ExactName(database)]
            )
        )
    }

    /// What these settings say about a dynamic pool of earlier ones; nil when there is no such pool any more.
    func renewed(_ plan: PoolPlan) -> PoolPlan? {
        guard case .dynamic(let row) = plan.origin, let pool = self.authQueryPools[ExactName(plan.key.database)],
            let query = pool.authQuery, !query.isDedicated
        else { return nil }
        let tls = self.serverTLS[ExactName(plan.key.database)]
        return DynamicPool(
            key: plan.key, row: row, pool: pool, query: query, general: self.settings.general, tls: tls
        ).plan
    }
}

/// The pool of a user whom auth_query has found. Its plan is made only when there is no such pool yet.
struct DynamicPool {
    let key: PoolKey
    /// The startup parameters of the user's row.
    let row: [String: String]
    fileprivate let pool: PoolSettings
    fileprivate let query: AuthQuerySettings
    fileprivate let general: GeneralSettings
    fileprivate let tls: ServerTLS?

    var plan: PoolPlan { PoolPlan(self) }
}

/// Plans for the users whom auth_query finds.
extension PoolPlan {
    static func dedicatedKey(database: String, _ query: AuthQuerySettings) -> PoolKey {
        PoolKey(database: database, user: query.serverUser ?? "", kind: .dedicated)
    }

    /// The pool of one user, who logs in at the server as itself. The parameters of its row win over those of the
    /// settings.
    fileprivate init(_ user: DynamicPool) {
        let (pool, query) = (user.pool, user.query)
        let own = user.row.map { StartupParameter(name: $0.key, value: $0.value, source: .authQuery) }
        let parameters = Dictionary((query.startupParameters + own).map { ($0.key, $0) }) { $1 }
        let owner = Owner(
            key: user.key,
            origin: .dynamic(row: user.row),
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
