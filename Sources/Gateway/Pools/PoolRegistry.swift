import Pooling
import Reactor
import Synchronization

/// The pools by name. Any worker; a look-up is one lock.
final class PoolRegistry: Sendable {
    private let pools = Mutex<[PoolKey: Pool]>([:])

    func pool(for key: PoolKey) -> Pool? {
        self.pools.withLock { $0[key] }
    }

    var all: [Pool] {
        self.pools.withLock { Array($0.values) }.sorted {
            ($0.key.database, $0.key.user) < ($1.key.database, $1.key.user)
        }
    }

    /// Puts the pools of new settings in force: pools whose server settings did not change stay with all their
    /// servers, the others are replaced, and what left the settings goes.
    /// - Parameter home: the worker this runs on; nil at start, when no pool exists yet.
    func apply(_ plans: [PoolKey: PoolPlan], gateway: Gateway, home: WorkerHome?) {
        let (retired, kept) = self.pools.withLock { pools -> ([Pool], [(Pool, PoolPlan)]) in
            var retired: [Pool] = []
            var kept: [(Pool, PoolPlan)] = []
            for (key, pool) in pools {
                if let plan = plans[key], plan.isSameServer(as: pool.plan) {
                    kept.append((pool, plan))
                } else {
                    retired.append(pool)
                    pools[key] = nil
                }
            }
            for (key, plan) in plans where pools[key] == nil {
                let pool = Pool(plan: plan, gateway: gateway)
                // The key won from a client's proof stays good as long as the stored secret does.
                if let old = retired.first(where: { $0.key == key }) { pool.inherit(from: old) }
                pools[key] = pool
            }
            return (retired, kept)
        }
        guard let home else { return }
        for (pool, plan) in kept {
            let closes = pool.state.withLock { $0.machine.update(limits: plan.limits) }
            pool.close(closes, home: home)
            pool.openDue(home: home)
        }
        for pool in retired { pool.retire(home: home) }
    }
}
