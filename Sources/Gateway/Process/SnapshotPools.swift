import PGWire
import Settings

/// The pools that settings speak of: the plans of those that stand in them, and where other users go. Immutable.
struct SnapshotPools {
    let plans: [PoolKey: PoolPlan]
    /// The databases with an auth_query.
    let authQueryPools: [ExactName: PoolSettings]
    /// The databases with server_users.
    let serverUsers: [ExactName: ServerUserMap]

    /// - Parameters:
    ///   - tls: towards the servers of each database.
    ///   - providers: the names of all providers.
    init(
        _ settings: GatewaySettings,
        tls: [ExactName: ServerTLS],
        providers: Set<String>,
        _ problems: inout SnapshotProblems
    ) {
        var plans: [PoolKey: PoolPlan] = [:]
        var authQueryPools: [ExactName: PoolSettings] = [:]
        var serverUsers: [ExactName: ServerUserMap] = [:]
        for pool in settings.pools {
            let tls = tls[ExactName(pool.name)]
            for user in pool.users {
                do throws(SnapshotError) {
                    let plan = try Snapshot.plan(pool: pool, user: user, general: settings.general, tls: tls)
                    plans[plan.key] = plan
                } catch {
                    problems.add(error)
                }
            }
            if !pool.serverUsers.isEmpty {
                do throws(SnapshotError) {
                    let map = try ServerUserMap(pool, tls: tls, providers: providers)
                    serverUsers[ExactName(pool.name)] = map
                    for plan in map.sharedPlans(settings.general) { plans[plan.key] = plan }
                } catch {
                    problems.add(error)
                }
            }
            guard let query = pool.authQuery else { continue }
            authQueryPools[ExactName(pool.name)] = pool
            if let plan = PoolPlan(pool: pool, dedicated: query, general: settings.general, tls: tls) {
                plans[plan.key] = plan
            }
        }
        self.plans = plans
        self.authQueryPools = authQueryPools
        self.serverUsers = serverUsers
    }
}
