import Logging
import PGWire
import Pooling
import Reactor
import Synchronization

/// The pools by name. Any worker; a look-up is one lock.
///
/// Whoever works with a pool beyond one step (a login, a session) pins it; a dynamic pool without pins, servers and
/// waiters is collected. Pins are only added under the registry's lock, so that nobody gets a pool that is about to go.
final class PoolRegistry: Sendable {
    /// How many dynamic pools of a database there are, were made, and went again.
    struct DynamicCounts: Sendable, Equatable {
        var current = 0
        var created = 0
        var destroyed = 0
    }

    /// What settings lead to that may have been replaced since they were looked at.
    enum Finding {
        /// Pinned.
        case pool(Pool)
        case missing
        /// The pools are those of newer settings, which are in force by now: they are to be asked.
        case outdated
    }

    fileprivate struct State {
        var pools: [PoolKey: Pool] = [:]
        /// Of the settings that the pools are made by.
        var generation: UInt64 = 0
        /// By database.
        var dynamic: [String: DynamicCounts] = [:]
        /// Retired pools, as long as anybody works with them or they have servers or waiters, or a little longer: they
        /// still count. All pools of a key that are there at a time have the same counters.
        var leaving: [PoolKey: [Pool]] = [:]
        /// Of pools that have gone and count no more.
        var past = PastTotals()
    }

    private let state = Mutex(State())

    var all: [Pool] {
        self.state.withLock { Array($0.pools.values) }.sorted { left, right in
            (left.key.database, left.key.user, left.key.kind.rawValue, left.key.entry)
                < (right.key.database, right.key.user, right.key.kind.rawValue, right.key.entry)
        }
    }

    /// Retired pools of which a server is still lent.
    var leaving: [Pool] {
        self.state.withLock { $0.leaving.values.flatMap { $0 } }.filter { $0.serverCounts.staying > 0 }
            .sorted { ($0.key.database, $0.key.user) < ($1.key.database, $1.key.user) }
    }

    /// One pool of each key, for rows of which each key has one: those in force and, of these retired ones, those in
    /// whose place nothing has come. A retired pool whose place is taken counts in the same counters, and its servers
    /// are counted with the pool that took it.
    func distinct(among leaving: [Pool]) -> [Pool] {
        var pools = self.all
        var keys = Set(pools.map(\.key))
        for pool in leaving where keys.insert(pool.key).inserted { pools.append(pool) }
        return pools
    }

    /// Retired ones too, as long as anybody works with them or they have servers or waiters. In no order.
    var withLeaving: [Pool] {
        self.state.withLock { Array($0.pools.values) + $0.leaving.values.flatMap { $0 } }
    }

    func dynamicCounts(of database: String) -> DynamicCounts {
        self.state.withLock { $0.dynamic[database] } ?? DynamicCounts()
    }

    /// What has taken the place of a retired pool, pinned; nil when nothing has, or nothing that those who worked there
    /// have proved to be.
    func pin(inPlaceOf retired: Pool) -> Pool? {
        self.state.withLock { state in
            guard let pool = state.pools[retired.key], pool.plan.isOpenToThose(of: retired.plan) else { return nil }
            pool.pin()
            return pool
        }
    }

    /// Where a route of settings leads.
    ///
    /// - Parameters:
    ///   - generation: of the settings that the route was found by.
    ///   - home: the worker this runs on.
    func pin(_ route: Snapshot.Route, of generation: UInt64, gateway: Gateway, home: WorkerHome) -> Finding {
        switch route {
        case .nowhere: return .missing
        case .dynamic(let wanted): return self.pin(wanted, of: generation, gateway: gateway, home: home)
        case .settings(let key):
            return self.state.withLock { state -> Finding in
                guard state.generation == generation else { return .outdated }
                // A user who has left the settings meanwhile is not the role of that name.
                guard let pool = state.pools[key], !pool.plan.isDynamic else { return .missing }
                pool.pin()
                return .pool(pool)
            }
        }
    }

    /// The pool of a user who is not listed, pinned; made now if this is the user's first login, and made
    /// anew when the user's row asks for other startup parameters than before. A pool of the settings wins.
    private func pin(_ wanted: DynamicPool, of generation: UInt64, gateway: Gateway, home: WorkerHome) -> Finding {
        let (found, replaced, isNew) = self.state.withLock { state -> (Pool?, Pool?, Bool) in
            guard state.generation == generation else { return (nil, nil, false) }
            let old = state.pools[wanted.key]
            if let old, wanted.fits(old.plan.origin) {
                old.pin()
                return (old, nil, false)
            }
            let pool = state.make(wanted.plan, gateway: gateway)
            pool.pin()
            if let old {
                pool.inherit(from: old)
                state.leave(old)
            }
            state.enter(pool)
            return (pool, old, true)
        }
        guard let pool = found else { return .outdated }
        replaced?.retire(home: home)
        if isNew { gateway.log.info("dynamic pool made", metadata: ["pool": .string(pool.key.description)]) }
        return .pool(pool)
    }

    /// Takes out the dynamic pools that nobody uses. Returns their number.
    func collect() -> Int {
        self.state.withLock { state in
            state.forgetEmptied()
            // Whoever still works with a pool that a reload has replaced asks for the new one at the next transaction.
            let idle = state.pools.values.filter { pool in
                pool.plan.isDynamic && pool.isUnused && state.leaving[pool.key] == nil
            }
            for pool in idle { state.leave(pool) }
            state.forgetEmptied()
            return idle.count
        }
    }

    /// Takes out the dynamic pools of a user, whoever uses them. Returns what is to be retired.
    func removeDynamic(where isMeant: (PoolKey) -> Bool) -> [Pool] {
        self.state.withLock { state in
            let meant = state.pools.values.filter { $0.plan.isDynamic && isMeant($0.key) }
            state.forgetEmptied()
            for pool in meant { state.leave(pool) }
            return meant
        }
    }

    /// Puts the pools of new settings in force, in one step with the settings themselves: pools whose server settings
    /// did not change stay with all their servers, the others are replaced, and what left the settings goes.
    ///
    /// - Parameters:
    ///   - home: the worker this runs on; nil at start, when no pool exists yet.
    ///   - publish: lets everybody see the new settings. Under the registry's lock: whoever has seen them finds their
    ///     pools, and whoever finds their pools will see them.
    func apply(_ snapshot: Snapshot, gateway: Gateway, home: WorkerHome?, publish: () -> Void = {}) {
        let (retired, kept, made) = self.state.withLock { state -> ([Pool], [(Pool, PoolPlan)], [Pool]) in
            publish()
            state.generation = snapshot.generation
            state.forgetEmptied()
            var retired: [Pool] = []
            var kept: [(Pool, PoolPlan)] = []
            var made: [Pool] = []
            // A dynamic pool stays as long as its database has such users.
            var wanted = snapshot.plans
            for (key, pool) in state.pools {
                if wanted[key] == nil, pool.plan.isDynamic { wanted[key] = snapshot.renewed(pool.plan) }
                if let plan = wanted[key], plan.isSameServer(as: pool.plan) {
                    kept.append((pool, plan))
                } else {
                    retired.append(pool)
                    state.leave(pool)
                }
            }
            for (key, plan) in wanted where state.pools[key] == nil {
                let pool = state.make(plan, gateway: gateway)
                // The key won from a client's proof stays good as long as the stored secret does.
                if let old = retired.first(where: { $0.key == key }) { pool.inherit(from: old) }
                state.enter(pool)
                made.append(pool)
            }
            return (retired, kept, made)
        }
        guard let home else { return }
        for (pool, plan) in kept {
            let closes = pool.state.withLock { $0.machine.update(limits: plan.limits) }
            pool.close(closes, home: home)
            pool.openDue(home: home)
            pool.openMinimum(home: home)
        }
        for pool in retired { pool.retire(home: home) }
        for pool in made { pool.openMinimum(home: home) }
    }
}

extension Pool {
    /// Of a user whom auth_query has found.
    fileprivate var isFound: Bool { self.plan.isDynamic && self.key.kind == .own }
}

extension PoolPlan {
    /// Whether those who worked in an earlier pool of the key may go on in this one. Who was found by auth_query has
    /// proved to be the role of that name, which a listed user need not work as; who is listed has not.
    fileprivate func isOpenToThose(of earlier: PoolPlan) -> Bool {
        switch (earlier.isDynamic, self.isDynamic) {
        case (true, false): self.serverUser.hasSameBytes(as: earlier.serverUser)
        case (false, true): false
        case (true, true), (false, false): true
        }
    }
}

extension DynamicPool {
    /// Whether its user may work in the pool that is there.
    fileprivate func fits(_ origin: PoolPlan.Origin) -> Bool {
        guard origin != .settings, let row else { return true }
        return origin == .dynamic(row: row)
    }
}

extension PoolRegistry.State {
    /// Lets go of retired pools that count no more, and keeps what they had counted.
    fileprivate mutating func forgetEmptied() {
        for (key, pools) in self.leaving where pools.contains(where: { $0.isDone }) {
            let left = pools.filter { !$0.isDone }
            self.leaving[key] = left.isEmpty ? nil : left
            // Whoever else is there of that key counts on in the same counters.
            if left.isEmpty, self.pools[key] == nil, let last = pools.last { self.past.keep(last.totals, of: key) }
        }
    }

    /// A pool that goes on counting where those before it have come to, who may still count themselves.
    fileprivate mutating func make(_ plan: PoolPlan, gateway: Gateway) -> Pool {
        let before = self.pools[plan.key] ?? self.leaving[plan.key]?.last
        return Pool(plan: plan, gateway: gateway, replacing: before, continuing: self.past.take(plan.key))
    }

    fileprivate mutating func enter(_ pool: Pool) {
        self.pools[pool.key] = pool
        guard pool.isFound else { return }
        self.dynamic[pool.key.database, default: .init()].current += 1
        self.dynamic[pool.key.database, default: .init()].created += 1
    }

    fileprivate mutating func leave(_ pool: Pool) {
        self.pools[pool.key] = nil
        self.leaving[pool.key, default: []].append(pool)
        guard pool.isFound else { return }
        self.dynamic[pool.key.database, default: .init()].current -= 1
        self.dynamic[pool.key.database, default: .init()].destroyed += 1
    }
}
