import Pooling
import Testing

@Suite("Opening servers")
struct OpeningTests {
    @Test("a new server goes to the oldest waiter, not to the client it was opened for")
    func firstWaiterFirst() throws {
        var pool = PoolMachine(.make(size: 2, creates: 2))
        let (first, older) = try pool.mustOpen()
        let (second, younger) = try pool.mustOpen()
        #expect(pool.opened(second, worker: 0, now: 1) == .grant(older, worker: 0))
        #expect(pool.opened(first, worker: 0, now: 2) == .grant(younger, worker: 0))
    }

    @Test("a finished opening makes room for the next one, done by the worker of the oldest waiter")
    func nextOpen() throws {
        var pool = PoolMachine(.make(size: 3, creates: 1))
        let (server, first) = try pool.mustOpen(worker: 0)
        _ = try pool.mustWait(worker: 1)
        _ = try pool.mustWait(worker: 0)
        #expect(pool.nextOpen(now: 0) == nil)
        #expect(pool.opened(server, worker: 0, now: 1) == .grant(first, worker: 0))
        #expect(pool.nextOpen(now: 1)?.worker == 1)
        #expect(pool.nextOpen(now: 1) == nil)
        #expect(pool.violation() == nil)
    }

    @Test("a server that is gone makes room for another one")
    func closedMakesRoom() throws {
        var pool = PoolMachine(.make(size: 1))
        let server = try pool.openBusy()
        _ = try pool.mustWait(worker: 1)
        #expect(pool.nextOpen(now: 0) == nil)
        pool.closed(server)
        #expect(pool.nextOpen(now: 1)?.worker == 1)
    }

    @Test("while no server lives each failure ends one wait, the oldest")
    func failsFast() throws {
        var pool = PoolMachine(.make(size: 2, creates: 1))
        let (server, first) = try pool.mustOpen(worker: 0)
        let second = try pool.mustWait(worker: 1)
        let third = try pool.mustWait(worker: 0)
        #expect(pool.openFailed(server, now: 1) == .failWaiter(first, worker: 0))
        let again = try pool.mustNextOpen(now: 1)
        #expect(again.worker == 1)
        #expect(pool.openFailed(again.server, now: 2) == .failWaiter(second, worker: 1))
        let last = try pool.mustNextOpen(now: 2)
        #expect(pool.openFailed(last.server, now: 3) == .failWaiter(third, worker: 0))
        #expect(pool.nextOpen(now: 3) == nil)
        #expect(pool.isEmpty)
        #expect(pool.violation() == nil)
    }

    @Test("while servers live a failure holds opening back for a second, and waiters are served by the living")
    func heldBack() throws {
        var pool = PoolMachine(.make(size: 3))
        let busy = try pool.openBusy()
        let (server, first) = try pool.mustOpen(now: 10)
        let until = 20 + PoolMachine.openRetryDelay
        #expect(pool.openFailed(server, now: 20) == .heldBack(until: until))
        let second = try pool.mustWait(worker: 1, now: 30)
        #expect(pool.nextOpen(now: until - 1) == nil)
        #expect(pool.checkin(busy, worker: 0, now: 40) == .grant(first, worker: 0))
        let due = try pool.mustNextOpen(now: until)
        #expect(due.worker == 1)
        #expect(pool.opened(due.server, worker: 1, now: until + 1) == .grant(second, worker: 1))
    }

    @Test("opening is held back no longer when one succeeds")
    func holdEndsWithSuccess() throws {
        var pool = PoolMachine(.make(size: 4))
        _ = try pool.openBusy()
        let (failing, first) = try pool.mustOpen(now: 1)
        let (slow, _) = try pool.mustOpen(now: 1)
        #expect(pool.openFailed(failing, now: 2) == .heldBack(until: 2 + PoolMachine.openRetryDelay))
        #expect(pool.nextOpen(now: 3) == nil)
        #expect(pool.opened(slow, worker: 0, now: 3) == .grant(first, worker: 0))
        #expect(pool.nextOpen(now: 3) != nil)
    }

    @Test("opening is held back no longer when the last server goes")
    func holdEndsWithLastServer() throws {
        var pool = PoolMachine(.make(size: 4))
        let busy = try pool.openBusy()
        let (failing, waiter) = try pool.mustOpen(now: 1)
        #expect(pool.openFailed(failing, now: 2) == .heldBack(until: 2 + PoolMachine.openRetryDelay))
        #expect(pool.nextOpen(now: 3) == nil)
        pool.closed(busy)
        let due = try pool.mustNextOpen(now: 3)
        #expect(pool.openFailed(due.server, now: 4) == .failWaiter(waiter, worker: 0))
    }

    @Test("an opening whose clients have left ends idle")
    func openedForNobody() throws {
        var pool = PoolMachine(.make())
        let (server, waiter) = try pool.mustOpen()
        #expect(pool.cancelWait(waiter) == true)
        #expect(pool.opened(server, worker: 0, now: 1) == .idle)
        #expect(pool.counts.idle == 1)
    }

    @Test("an opening that fails when its clients have left fails nobody")
    func failedForNobody() throws {
        var pool = PoolMachine(.make())
        let (server, waiter) = try pool.mustOpen()
        #expect(pool.cancelWait(waiter) == true)
        #expect(pool.openFailed(server, now: 1) == .nobodyWaiting)
        #expect(pool.isEmpty)
    }
}
