import Pooling
import Testing

@Suite("Ageing and reload")
struct AgeingTests {
    /// Servers opened one second apart, all idle and used; the last was given back last.
    static func pool(_ limits: PoolLimits, servers count: Int) throws -> (pool: PoolMachine, servers: [ServerID]) {
        var pool = PoolMachine(limits)
        var servers: [ServerID] = []
        for step in 0..<count { servers.append(try pool.openBusy(worker: step % 2, now: Microseconds(step) * second)) }
        let end = Microseconds(count) * second
        for (step, server) in servers.enumerated() {
            guard pool.checkin(server, worker: step % 2, now: end) == .idle else { throw Unexpected("not idle") }
        }
        return (pool, servers)
    }

    struct Closing: Sendable {
        let name: String
        let limits: PoolLimits
        let after: Microseconds
        let budget: Int
        /// Positions of the servers to be closed, in order.
        let expected: [Int]
        let reason: CloseReason
    }

    static let closings = [
        Closing(
            name: "before any time", limits: .make(size: 4, idleTimeout: 10 * second, lifetime: 100 * second),
            after: 7 * second, budget: .max, expected: [], reason: .idleTimeout
        ),
        Closing(
            name: "idle", limits: .make(size: 4, idleTimeout: 10 * second),
            after: 13 * second, budget: .max, expected: [0, 1, 2, 3], reason: .idleTimeout
        ),
        Closing(
            name: "idle, above the minimum", limits: .make(size: 4, min: 3, idleTimeout: 10 * second),
            after: 13 * second, budget: .max, expected: [0], reason: .idleTimeout
        ),
        Closing(
            name: "idle, within the budget", limits: .make(size: 4, idleTimeout: 10 * second),
            after: 13 * second, budget: 2, expected: [0, 1], reason: .idleTimeout
        ),
        Closing(
            name: "no budget", limits: .make(size: 4, idleTimeout: 10 * second, lifetime: 8 * second),
            after: 13 * second, budget: 0, expected: [], reason: .idleTimeout
        ),
        Closing(
            name: "past the lifetime, even below the minimum", limits: .make(size: 4, min: 4, lifetime: 30 * second),
            after: 60 * second, budget: .max, expected: [0, 1, 2, 3], reason: .lifetime
        ),
        Closing(
            name: "lifetime within the budget", limits: .make(size: 4, lifetime: 30 * second),
            after: 60 * second, budget: 1, expected: [0], reason: .lifetime
        ),
        Closing(
            name: "both off", limits: .make(size: 4), after: 1_000_000 * second, budget: .max, expected: [],
            reason: .lifetime
        ),
    ]

    @Test("housekeeping closes what is past its time, oldest first", arguments: closings)
    func closing(_ row: Closing) throws {
        var (pool, servers) = try Self.pool(row.limits, servers: 4)
        let plan = pool.housekeeping(now: 4 * second + row.after, closeBudget: row.budget)
        let expected = row.expected.map { PlannedClose(server: servers[$0], reason: row.reason) }
        #expect(plan.closes == expected, "\(row.name)")
        #expect(pool.counts.closing == expected.count)
        #expect(pool.violation() == nil)
    }

    @Test("a server nobody used is not closed for idleness")
    func unused() throws {
        var pool = PoolMachine(.make(size: 4, min: 1, idleTimeout: second, lifetime: 100 * second))
        let plan = pool.housekeeping(now: 0, closeBudget: .max)
        let server = try #require(plan.opens.first?.server)
        #expect(pool.opened(server, worker: 0, now: 0) == .idle)
        #expect(pool.update(limits: .make(size: 4, idleTimeout: second, lifetime: 100 * second)).isEmpty)
        #expect(pool.housekeeping(now: 50 * second, closeBudget: .max).closes.isEmpty)
        let closes = pool.housekeeping(now: 121 * second, closeBudget: .max).closes
        #expect(closes.map(\.reason) == [.lifetime])
    }

    @Test("the pool is filled to its minimum, a few openings at a time, by all workers in turn")
    func prewarm() throws {
        var pool = PoolMachine(.make(size: 8, min: 5, creates: 3))
        let first = pool.housekeeping(now: 0, closeBudget: .max).opens
        #expect(first.map(\.worker) == [0, 1, 0])
        for open in first { #expect(pool.opened(open.server, worker: open.worker, now: 1) == .idle) }
        let second = pool.housekeeping(now: 2, closeBudget: .max).opens
        #expect(second.map(\.worker) == [1, 0])
        #expect(pool.openFailed(second[0].server, now: 3) == .heldBack(until: 3 + PoolMachine.openRetryDelay))
        #expect(pool.housekeeping(now: 4, closeBudget: .max).opens.isEmpty)
        #expect(pool.housekeeping(now: 3 + PoolMachine.openRetryDelay, closeBudget: .max).opens.count == 1)
        #expect(pool.counts.total == 5)
    }

    @Test("those that have been idle for as long as one that does not answer are given up with it")
    func doubtful() throws {
        let limits = PoolLimits.make(size: 3, idleCheck: 10 * second)
        var (pool, servers) = try Self.pool(limits, servers: 3)
        let now = 20 * second
        guard case .server(let first, needsCheck: true) = pool.checkout(worker: 0, now: now) else {
            throw Unexpected("no server to be checked")
        }
        guard case .server(let other, _) = pool.checkout(worker: 0, now: now) else { throw Unexpected("no other") }
        #expect(pool.checkin(other, worker: 0, now: now) == .idle)
        let closes = pool.giveUpDoubtful(now: now)
        let expected = servers.filter { $0 != first && $0 != other }
        #expect(closes.map(\.server) == expected)
        #expect(closes.map(\.reason) == [.doubtful])
        #expect(pool.counts.idle == 1)
        #expect(pool.violation() == nil)
        #expect(pool.update(limits: .make(size: 3)).isEmpty)
        #expect(pool.giveUpDoubtful(now: now + 100 * second).isEmpty, "nothing is checked: nothing is doubted")
    }

    @Test("a server whose lifetime ended is replaced in the same round when the minimum asks for it")
    func replacement() throws {
        var (pool, _) = try Self.pool(.make(size: 4, min: 2, lifetime: 10 * second), servers: 2)
        let plan = pool.housekeeping(now: 60 * second, closeBudget: .max)
        #expect(plan.closes.count == 2)
        #expect(plan.opens.count == 2)
        #expect(pool.counts.total == 4)
    }

    @Test("where closing servers fill the pool, the minimum is there again as soon as they have gone")
    func replacementInFullPool() throws {
        var (pool, _) = try Self.pool(.make(size: 2, min: 2, lifetime: 10 * second), servers: 2)
        let now = 60 * second
        let plan = pool.housekeeping(now: now, closeBudget: .max)
        #expect(plan.closes.count == 2)
        #expect(plan.opens.isEmpty)
        #expect(pool.nextPrewarm(now: now) == nil)
        for close in plan.closes { pool.closed(close.server) }
        #expect(pool.nextPrewarm(now: now) != nil)
        #expect(pool.nextPrewarm(now: now) != nil)
        #expect(pool.nextPrewarm(now: now) == nil)
        #expect(pool.counts.opening == 2)
        #expect(pool.violation() == nil)
    }

    @Test("lifetimes and idle timeouts differ by up to a fifth, repeatably")
    func jitter() throws {
        func draw(seed: UInt64) throws -> [ServerRecord] {
            var pool = PoolMachine(
                .make(size: 500, creates: 500, idleTimeout: 1_000 * second, lifetime: 1_000 * second), seed: seed
            )
            for _ in 0..<500 { _ = try pool.mustOpen() }
            return pool.records()
        }
        let records = try draw(seed: 7)
        for durations in [records.map(\.lifetime), records.map(\.idleTimeout)] {
            let low = try #require(durations.min())
            let high = try #require(durations.max())
            #expect((800 * second...810 * second).contains(low))
            #expect((1_190 * second...1_200 * second).contains(high))
            let mean = durations.reduce(0, +) / Microseconds(durations.count)
            #expect((980 * second...1_020 * second).contains(mean))
        }
        #expect(records.map(\.lifetime) != records.map(\.idleTimeout))
        #expect(try draw(seed: 7) == records)
        #expect(try draw(seed: 8) != records)
    }

    @Test("at check-in a server past its lifetime closes, unless clients wait; then it serves on for one more lifetime")
    func lifetimeAtCheckin() throws {
        var pool = PoolMachine(.make(size: 1, lifetime: 10 * second))
        let server = try pool.openBusy()
        let lifetime = try #require(pool.record(of: server)?.lifetime)
        let first = try pool.mustWait(now: 1)
        _ = try pool.mustWait(now: 2)
        #expect(pool.checkin(server, worker: 0, now: lifetime + 1) == .grant(first, worker: 0))
        #expect(pool.checkin(server, worker: 0, now: 2 * lifetime + 1) == .close(.lifetime))
        #expect(pool.counts.waiting == 1)

        var quiet = PoolMachine(.make(size: 1, lifetime: 10 * second))
        let other = try quiet.openBusy()
        #expect(quiet.checkin(other, worker: 0, now: lifetime) == .idle)
        #expect(quiet.claimIdle(other) == true)
        #expect(quiet.checkin(other, worker: 0, now: lifetime + 1) == .close(.lifetime))
    }

    @Test("reconnect closes idle servers now, busy ones when they come back, opening ones when they are open")
    func reconnect() throws {
        var pool = PoolMachine(.make(size: 4))
        let idle = try pool.openIdle(workers: [0, 1])
        guard case .server(let busy, _) = pool.checkout(worker: 0, now: 1) else { throw Unexpected("no server") }
        guard case .server = pool.checkout(worker: 1, now: 1) else { throw Unexpected("no server") }
        let (opening, waiter) = try pool.mustOpen(now: 1)
        #expect(pool.checkin(idle[1], worker: 1, now: 2) == .grant(waiter, worker: 0))
        #expect(pool.checkin(idle[1], worker: 1, now: 2) == .idle)
        #expect(pool.reconnect() == [PlannedClose(server: idle[1], reason: .reconnect)])
        #expect(pool.reconnect().isEmpty)
        #expect(pool.checkin(busy, worker: 0, now: 3) == .close(.reconnect))
        #expect(pool.opened(opening, worker: 0, now: 3) == .close(.reconnect))
        #expect(pool.counts.closing == 3)
        for server in [idle[1], busy, opening] { pool.closed(server) }
        #expect(pool.isEmpty)
        let fresh = try pool.openBusy(now: 5)
        #expect(pool.checkin(fresh, worker: 0, now: 6) == .idle)
        #expect(pool.violation() == nil)
    }

    @Test("a server from before a reconnect is not granted; its waiter gets a new one")
    func reconnectUnderPressure() throws {
        var pool = PoolMachine(.make(size: 1))
        let server = try pool.openBusy()
        let waiter = try pool.mustWait(worker: 1)
        #expect(pool.reconnect().isEmpty)
        #expect(pool.checkin(server, worker: 0, now: 1) == .close(.reconnect))
        #expect(pool.nextOpen(now: 1) == nil)
        pool.closed(server)
        let open = try pool.mustNextOpen(now: 2)
        #expect(pool.opened(open.server, worker: 1, now: 3) == .grant(waiter, worker: 1))
    }

    @Test("servers that are left close, idle ones now, busy ones when they come back; others stay")
    func leave() throws {
        var pool = PoolMachine(.make(size: 3))
        let servers = try pool.openIdle(workers: [0, 1, 0])
        guard case .server(let busy, _) = pool.checkout(worker: 1, now: 1) else { throw Unexpected("no server") }
        let idle = servers.filter { $0 != busy }
        #expect(pool.leave([busy, idle[0]]) == [PlannedClose(server: idle[0], reason: .left)])
        #expect(pool.leave([busy]).isEmpty)
        #expect(pool.violation() == nil)
        guard case .server(let kept, _) = pool.checkout(worker: 0, now: 2) else { throw Unexpected("no server") }
        #expect(kept == idle[1])
        let waiter = try pool.mustWait(now: 2)
        #expect(pool.checkin(busy, worker: 1, now: 3) == .close(.left))
        pool.closed(busy)
        pool.closed(idle[0])
        let open = try pool.mustNextOpen(now: 4)
        #expect(pool.leave([busy, idle[0]]).isEmpty, "these names have ended")
        #expect(pool.opened(open.server, worker: open.worker, now: 5) == .grant(waiter, worker: 0))
        #expect(pool.checkin(open.server, worker: 0, now: 6) == .idle)
        #expect(pool.checkin(kept, worker: 0, now: 6) == .idle)
        #expect(pool.violation() == nil)
    }

    @Test("a smaller pool closes idle servers, then busy ones as they come back, even while clients wait")
    func shrink() throws {
        var (pool, servers) = try Self.pool(.make(size: 4), servers: 4)
        for _ in 0..<3 { _ = pool.checkout(worker: 0, now: 5 * second) }
        let closes = pool.update(limits: .make(size: 1))
        try #require(closes.count == 1)
        #expect(closes.allSatisfy { $0.reason == .overLimit })
        #expect(pool.violation() == nil)
        let waiter = try pool.mustWait(now: 5 * second)
        servers.removeAll { $0 == closes[0].server }
        #expect(pool.checkin(servers[0], worker: 0, now: 6 * second) == .close(.overLimit))
        #expect(pool.checkin(servers[1], worker: 0, now: 6 * second) == .close(.overLimit))
        #expect(pool.checkin(servers[2], worker: 0, now: 6 * second) == .grant(waiter, worker: 0))
        #expect(pool.nextOpen(now: 6 * second) == nil)
        #expect(pool.violation() == nil)
    }

    @Test("a larger pool opens for those who wait")
    func grow() throws {
        var pool = PoolMachine(.make(size: 1))
        _ = try pool.openBusy()
        for worker in [1, 0, 1] { _ = try pool.mustWait(worker: worker) }
        #expect(pool.nextOpen(now: 0) == nil)
        #expect(pool.update(limits: .make(size: 3)).isEmpty)
        #expect(pool.nextOpen(now: 0)?.worker == 1)
        #expect(pool.nextOpen(now: 0) != nil)
        #expect(pool.nextOpen(now: 0) == nil)
        #expect(pool.counts.total == 3)
    }

    @Test("a pool that goes away serves those who wait and keeps nothing")
    func drain() throws {
        var pool = PoolMachine(.make(size: 2, min: 2))
        let servers = try pool.openIdle(workers: [0, 1])
        _ = pool.checkout(worker: 0, now: 10)
        #expect(pool.drain() == [PlannedClose(server: servers[1], reason: .draining)])
        pool.closed(servers[1])
        let (opening, waiter) = try pool.mustOpen(now: 11)
        #expect(pool.checkin(servers[0], worker: 0, now: 12) == .grant(waiter, worker: 0))
        #expect(pool.opened(opening, worker: 0, now: 13) == .close(.draining))
        #expect(pool.checkin(servers[0], worker: 0, now: 14) == .close(.draining))
        #expect(pool.isEmpty == false)
        pool.closed(opening)
        pool.closed(servers[0])
        #expect(pool.isEmpty)
        #expect(pool.housekeeping(now: 16, closeBudget: .max) == HousekeepingPlan())
    }

    @Test("limits outside their range are brought into it")
    func clamped() throws {
        let wild = PoolLimits(
            poolSize: 0, minPoolSize: 9, maxConcurrentCreates: -1, idleTimeout: -5, serverLifetime: .max,
            serverIdleCheckTimeout: .min, queryWaitTimeout: .max, sameWorkerWindow: -1
        )
        var pool = PoolMachine(wild)
        #expect(pool.limits.poolSize == 1)
        #expect(pool.limits.minPoolSize == 1)
        #expect(pool.limits.maxConcurrentCreates == 1)
        #expect(pool.limits.sameWorkerWindow == 0)
        #expect(pool.limits.idleTimeout == 0)
        let server = try pool.openBusy(now: .max / 4)
        _ = try pool.mustWait(now: .max / 4)
        #expect(pool.nextWaiterDeadline(worker: 0).map { $0 > .max / 4 } == true)
        #expect(pool.cancelWait(WaiterID(index: 0, generation: 1)) == true)
        #expect(pool.checkin(server, worker: 0, now: .max / 4) == .idle)
    }
}
