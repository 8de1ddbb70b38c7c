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
        /// Boxed: it is large, and most routes are of the other kind.
        indirect case dynamic(DynamicPool)
        /// There is no pool that the identity may work in, whatever pools there are.
        case nowhere
    }

    /// A user of the settings works in its own pool; one whom auth_query found, or who was proven without any secret of
    /// ours, where `server_users` say, or else where auth_query says. Of the roles in Talos tokens it says nothing, for
    /// they are not PostgreSQL's.
    func route(_ identity: AuthenticatedIdentity, database: String) -> Route {
        let own = PoolKey(database: database, user: identity.user)
        let isListed = identity.secretOrigin.map { $0.freshness == .configured } ?? (self.plans[own] != nil)
        if isListed { return .settings(own) }
        if let mapped = self.mapped(MappedIdentity(identity), database: database) { return mapped }
        if identity.provider == "talos" { return .nowhere }
        // Listed since the name was found: the proof is good for the role of that name only.
        if let listed = self.plans[own], !listed.serverUser.hasSameBytes(as: identity.user) { return .nowhere }
        guard let pool = self.authQueryPools[ExactName(database)], let query = pool.authQuery
        else { return .settings(own) }
        if query.isDedicated { return .settings(PoolPlan.dedicatedKey(database: database, query)) }
        // PostgreSQL would cut a longer name, and take it for another role's.
        guard UserName.isPossible(identity.user) else { return .nowhere }
        return .dynamic(
            DynamicPool(
                key: own,
                row: identity.secretOrigin?.startupParameters,
                source: .authQuery(pool, query),
                general: self.settings.general,
                tls: self.serverTLS[ExactName(database)]
            )
        )
    }

    /// Where `server_users` send a user who is not listed; nil where they say nothing of it.
    func mapped(_ identity: MappedIdentity, database: String) -> Route? {
        guard let map = self.serverUsers[ExactName(database)], let entry = map.entry(for: identity) else { return nil }
        if let name = entry.settings.serverUsername { return .settings(ServerUserMap.sharedKey(database, name)) }
        guard UserName.isPossible(identity.user) else { return .nowhere }
        let key = PoolKey(database: database, user: identity.user, kind: .kept, entry: entry.index)
        return .dynamic(
            DynamicPool(
                key: key,
                row: nil,
                source: .serverUsers(map, entry),
                general: self.settings.general,
                tls: self.serverTLS[ExactName(database)]
            )
        )
    }

    /// Whether a user who works in a pool of `server_users` would still be sent there.
    func stays(_ identity: MappedIdentity, in key: PoolKey) -> Bool {
        guard self.plans[PoolKey(database: key.database, user: identity.user)] == nil else { return false }
        switch self.mapped(identity, database: key.database) {
        case .settings(let now): return now == key
        case .dynamic(let now): return now.key == key
        case .nowhere, nil: return false
        }
    }

    /// What these settings say about a dynamic pool of earlier ones; nil when there is no such pool any more.
    func renewed(_ plan: PoolPlan) -> PoolPlan? {
        if plan.key.kind == .kept { return self.renewedKept(plan) }
        guard case .dynamic(let row) = plan.origin, let pool = self.authQueryPools[ExactName(plan.key.database)],
            let query = pool.authQuery, !query.isDedicated
        else { return nil }
        let tls = self.serverTLS[ExactName(plan.key.database)]
        return DynamicPool(
            key: plan.key, row: row, source: .authQuery(pool, query), general: self.settings.general, tls: tls
        ).plan
    }

    private func renewedKept(_ plan: PoolPlan) -> PoolPlan? {
        guard let map = self.serverUsers[ExactName(plan.key.database)], let mapping = plan.mapping,
            mapping.rules == map.rules, mapping.entry < map.entries.count
        else { return nil }
        return map.ownPlan(map.entries[mapping.entry], key: plan.key, self.settings.general)
    }
}

/// The pool of a user who is not listed. Its plan is made only when there is no such pool yet.
struct DynamicPool {
    fileprivate enum Source {
        /// The user was found by auth_query.
        case authQuery(PoolSettings, AuthQuerySettings)
        /// An entry of `server_users` lets the user keep its name.
        case serverUsers(ServerUserMap, ServerUserMap.Entry)
    }

    let key: PoolKey
    /// The startup parameters of the user's row; nil after a login that has not looked at it.
    let row: [String: String]?
    fileprivate let source: Source
    fileprivate let general: GeneralSettings
    fileprivate let tls: ServerTLS?

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
