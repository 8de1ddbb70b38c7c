import Pooling
import Testing

@Suite("Checkout")
struct CheckoutTests {
    struct Preference: Sendable {
        let name: String
        let roundRobin: Bool
        /// Workers of the idle servers, in the order they became idle.
        let idle: [Int]
        let asking: Int
        /// Position in `idle` of the servers handed out one after the other.
        let expected: [Int]
    }

    static let preferences = [
        Preference(name: "own, used last", roundRobin: false, idle: [0, 1, 0, 1], asking: 0, expected: [2, 0, 3, 1]),
        Preference(
            name: "own, idle longest", roundRobin: true, idle: [0, 1, 0, 1], asking: 1, expected: [1, 3, 0, 2]),
        Preference(
            name: "only others, used last", roundRobin: false, idle: [1, 1, 1], asking: 0, expected: [2, 1, 0]),
        Preference(name: "only others, idle longest", roundRobin: true, idle: [1, 1], asking: 0, expected: [0, 1]),
    ]

    @Test("an idle server of the worker goes first", arguments: preferences)
    func preference(_ row: Preference) throws {
        var pool = PoolMachine(.make(size: 8, creates: 8, roundRobin: row.roundRobin))
        let servers = try pool.openIdle(workers: row.idle)
        for position in row.expected {
            let outcome = pool.checkout(worker: row.asking, now: 100)
            #expect(outcome == .server(servers[position], needsCheck: false), "\(row.name)")
            #expect(pool.violation() == nil)
        }
        #expect(pool.counts.idle == 0)
        #expect(pool.counts.busy == row.idle.count)
    }

    @Test("the longest loan is that of a client, not of a look at an idle server")
    func oldestLoan() throws {
        var pool = PoolMachine(.make(size: 2))
        #expect(pool.oldestLoan(now: 5) == 0)
        let first = try pool.openBusy(now: 10)
        let second = try pool.openBusy(now: 20)
        #expect(pool.oldestLoan(now: 40) == 30)
        #expect(pool.checkin(first, worker: 0, now: 50) == .idle)
        #expect(pool.oldestLoan(now: 50) == 30)
        #expect(pool.checkin(second, worker: 0, now: 60) == .idle)
        #expect(pool.claimIdle(first) == true)
        #expect(pool.oldestLoan(now: 70) == 0)
        #expect(pool.checkin(first, worker: 0, now: 80) == .idle)
        #expect(pool.checkout(worker: 0, now: 90) == .server(first, needsCheck: false))
        #expect(pool.oldestLoan(now: 100) == 10)
    }

    @Test(
        "a server idle for longer than the check timeout is checked",
        arguments: [
            (Microseconds(0), Microseconds(1_000), false),
            (500, 500, false),
            (500, 501, true),
        ])
    func idleCheck(timeout: Microseconds, idleFor: Microseconds, isChecked: Bool) throws {
        var pool = PoolMachine(.make(idleCheck: timeout))
        let server = try pool.openIdle(workers: [0])[0]
        #expect(pool.checkout(worker: 0, now: idleFor) == .server(server, needsCheck: isChecked))
    }

    @Test("servers are opened one per waiter, up to the pool size and the number of openings at a time")
    func openings() throws {
        var pool = PoolMachine(.make(size: 3, creates: 2))
        _ = try pool.mustOpen()
        _ = try pool.mustOpen()
        _ = try pool.mustWait()
        #expect(pool.counts.opening == 2)
        #expect(pool.counts.waiting == 3)
        #expect(pool.nextOpen(now: 0) == nil)
    }

    @Test("an opening under way for nobody serves the next client")
    func openingIsShared() throws {
        var pool = PoolMachine(.make(size: 4))
        let (server, first) = try pool.mustOpen()
        #expect(pool.cancelWait(first) == true)
        let second = try pool.mustWait(worker: 1)
        #expect(pool.opened(server, worker: 0, now: 1) == .grant(second, worker: 1))
        #expect(pool.counts.busy == 1)
    }

    @Test("a server past its lifetime is taken out, not handed out")
    func stale() throws {
        var pool = PoolMachine(.make(size: 1, lifetime: second))
        let server = try pool.openIdle(workers: [1])[0]
        let outcome = pool.checkout(worker: 0, now: 2 * second)
        #expect(outcome == .stale(server, .lifetime))
        #expect(pool.counts.closing == 1)
        #expect(pool.nextOpen(now: 2 * second) == nil)
        pool.closed(server)
        let (next, _) = try pool.mustOpen(now: 2 * second)
        #expect(next != server)
        #expect(next.index == server.index)
        #expect(pool.violation() == nil)
    }

    @Test("a new client stands behind those who wait")
    func noOvertaking() throws {
        var pool = PoolMachine(.make(size: 1))
        let server = try pool.openBusy()
        let first = try pool.mustWait(now: 1)
        let second = try pool.mustWait(now: 2)
        #expect(pool.checkin(server, worker: 0, now: 3) == .grant(first, worker: 0))
        #expect(pool.checkin(server, worker: 0, now: 4) == .grant(second, worker: 0))
        #expect(pool.checkin(server, worker: 0, now: 5) == .idle)
    }

    @Test("names that have ended change nothing")
    func endedNames() throws {
        var pool = PoolMachine(.make())
        let server = try pool.openIdle(workers: [0])[0]
        pool.closed(server)
        let strangers = [
            server, ServerID(index: -1, generation: 0), ServerID(index: 7, generation: 0),
            ServerID(index: .max, generation: .max),
        ]
        let before = pool.counts
        for stranger in strangers {
            #expect(pool.checkin(stranger, worker: 0, now: 2) == .close(.unknown))
            #expect(pool.opened(stranger, worker: 0, now: 2) == .close(.unknown))
            #expect(pool.openFailed(stranger, now: 2) == .nobodyWaiting)
            #expect(pool.claimIdle(stranger) == false)
            #expect(pool.record(of: stranger) == nil)
            pool.closed(stranger)
        }
        #expect(pool.cancelWait(WaiterID(index: -1, generation: 0)) == false)
        #expect(pool.cancelWait(WaiterID(index: .max, generation: 0)) == false)
        #expect(pool.counts == before)
        #expect(pool.violation() == nil)
    }

    @Test("a server that is idle, opening or closing cannot be given back")
    func wrongState() throws {
        var pool = PoolMachine(.make(size: 3))
        let idle = try pool.openIdle(workers: [0])[0]
        #expect(pool.checkin(idle, worker: 0, now: 1) == .close(.unknown))
        #expect(pool.opened(idle, worker: 0, now: 1) == .close(.unknown))
        #expect(pool.counts.idle == 1)
        #expect(pool.violation() == nil)
    }

    @Test("traffic on an idle server takes it out, once")
    func claim() throws {
        var pool = PoolMachine(.make(size: 1))
        let server = try pool.openIdle(workers: [0])[0]
        #expect(pool.claimIdle(server) == true)
        #expect(pool.claimIdle(server) == false)
        let waiter = try pool.mustWait(now: 1)
        #expect(pool.checkin(server, worker: 0, now: 2) == .grant(waiter, worker: 0))
        #expect(pool.claimIdle(server) == false)
        pool.closed(server)
        #expect(pool.isEmpty)
    }
}
