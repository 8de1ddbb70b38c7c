import Pooling
import Testing

@Suite("Waiting")
struct WaitQueueTests {
    /// A pool of one busy server, so that everyone who asks is queued.
    static func saturated(window: Int, wait: Microseconds = 0) throws -> (pool: PoolMachine, server: ServerID) {
        var pool = PoolMachine(.make(size: 1, wait: wait, window: window), workers: 4)
        let server = try pool.openBusy()
        return (pool, server)
    }

    @Test("the oldest waiter is passed by exactly the window, then served", arguments: [0, 1, 2, 8, 32])
    func windowIsExact(window: Int) throws {
        var (pool, server) = try Self.saturated(window: window)
        let oldest = try pool.mustWait(worker: 0)
        var younger: [WaiterID] = []
        for _ in 0..<100 { younger.append(try pool.mustWait(worker: 1)) }
        for step in 0..<window {
            #expect(pool.checkin(server, worker: 1, now: 1) == .grant(younger[step], worker: 1))
        }
        #expect(pool.checkin(server, worker: 1, now: 2) == .grant(oldest, worker: 0))
        // From worker 0, which has no waiter of its own, everything goes in order.
        for step in window..<100 {
            #expect(pool.checkin(server, worker: 0, now: 3) == .grant(younger[step], worker: 1))
        }
        #expect(pool.violation() == nil)
    }

    @Test("a window of 0 is strictly first in, first out")
    func strictOrder() throws {
        var (pool, server) = try Self.saturated(window: 0)
        var waiters: [(WaiterID, Int)] = []
        for step in 0..<40 {
            let worker = step * 7 % 4
            waiters.append((try pool.mustWait(worker: worker), worker))
        }
        for (step, (waiter, worker)) in waiters.enumerated() {
            #expect(pool.checkin(server, worker: step % 4, now: 1) == .grant(waiter, worker: worker))
        }
    }

    @Test("a newcomer on a worker that checks in all the time cannot starve others")
    func noStarvation() throws {
        var (pool, server) = try Self.saturated(window: 5)
        let patient = try pool.mustWait(worker: 3)
        var rounds = 0
        while true {
            _ = try pool.mustWait(worker: 1)
            let outcome = pool.checkin(server, worker: 1, now: 1)
            if outcome == .grant(patient, worker: 3) { break }
            rounds += 1
            if rounds > 5 { throw Unexpected("passed \(rounds) times") }
        }
        #expect(rounds == 5)
    }

    @Test("a waiter that left is skipped, wherever it stood", arguments: [0, 1, 2])
    func cancelled(position: Int) throws {
        var (pool, server) = try Self.saturated(window: 0)
        var waiters: [WaiterID] = []
        for worker in 0..<3 { waiters.append(try pool.mustWait(worker: worker)) }
        #expect(pool.cancelWait(waiters[position]) == true)
        #expect(pool.cancelWait(waiters[position]) == false)
        #expect(pool.violation() == nil)
        for worker in 0..<3 where worker != position {
            #expect(pool.checkin(server, worker: 0, now: 1) == .grant(waiters[worker], worker: worker))
        }
        #expect(pool.checkin(server, worker: 0, now: 2) == .idle)
    }

    @Test("a waiter that was granted a server cannot be cancelled, and its name is not reused")
    func grantedMeanwhile() throws {
        var (pool, server) = try Self.saturated(window: 0)
        let waiter = try pool.mustWait()
        #expect(pool.checkin(server, worker: 0, now: 1) == .grant(waiter, worker: 0))
        let next = try pool.mustWait()
        #expect(next.index == waiter.index)
        #expect(next != waiter)
        #expect(pool.cancelWait(waiter) == false)
        #expect(pool.counts.waiting == 1)
        #expect(pool.checkin(server, worker: 0, now: 2) == .grant(next, worker: 0))
    }

    @Test("each worker's waiters expire at their own deadline")
    func expiry() throws {
        var (pool, _) = try Self.saturated(window: 0, wait: 100)
        let first = try pool.mustWait(worker: 0, now: 10)
        let other = try pool.mustWait(worker: 1, now: 15)
        let second = try pool.mustWait(worker: 0, now: 20)
        #expect(pool.nextWaiterDeadline(worker: 0) == 110)
        #expect(pool.nextWaiterDeadline(worker: 1) == 115)
        #expect(pool.nextWaiterDeadline(worker: 2) == nil)
        #expect(pool.maxWait(now: 60) == 50)
        #expect(pool.expireWaiters(worker: 0, now: 109) == nil)
        #expect(pool.expireWaiters(worker: 0, now: 110) == first)
        #expect(pool.expireWaiters(worker: 0, now: 110) == nil)
        #expect(pool.nextWaiterDeadline(worker: 0) == 120)
        #expect(pool.expireWaiters(worker: 0, now: 200) == second)
        #expect(pool.expireWaiters(worker: 1, now: 200) == other)
        #expect(pool.expireWaiters(worker: 1, now: 200) == nil)
        #expect(pool.maxWait(now: 200) == 0)
        #expect(pool.violation() == nil)
    }

    @Test("without a wait timeout nobody expires; a reload changes the deadlines of those who come later")
    func noTimeout() throws {
        var (pool, _) = try Self.saturated(window: 0)
        _ = try pool.mustWait(now: 10)
        #expect(pool.expireWaiters(worker: 0, now: .max / 2) == nil)
        #expect(pool.nextWaiterDeadline(worker: 0) == nil)
        #expect(pool.update(limits: .make(size: 1, wait: 50)).isEmpty)
        #expect(pool.nextWaiterDeadline(worker: 0) == nil)
        let later = try pool.mustWait(now: 20)
        #expect(pool.nextWaiterDeadline(worker: 0) == 70)
        #expect(pool.expireWaiters(worker: 0, now: 69) == nil)
        #expect(pool.expireWaiters(worker: 0, now: 70) == later)
        #expect(pool.expireWaiters(worker: 0, now: .max / 2) == nil)
        #expect(pool.violation() == nil)
    }

    @Test("a client whose server was dead comes back to its place and keeps its deadline")
    func returning() throws {
        var (pool, server) = try Self.saturated(window: 0, wait: 100)
        let young = try pool.mustWait(worker: 0, now: 50)
        let younger = try pool.mustWait(worker: 1, now: 60)
        let back = try pool.mustWait(worker: 1, since: 20, now: 70)
        let between = try pool.mustWait(worker: 0, since: 55, now: 80)
        let last = try pool.mustWait(worker: 0, since: 65, now: 90)
        #expect(pool.violation() == nil)
        #expect(pool.nextWaiterDeadline(worker: 1) == 120)
        #expect(pool.maxWait(now: 100) == 80)
        for (waiter, worker) in [(back, 1), (young, 0), (between, 0), (younger, 1), (last, 0)] {
            #expect(pool.checkin(server, worker: 0, now: 100) == .grant(waiter, worker: worker))
        }
    }
}
