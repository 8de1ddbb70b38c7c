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
