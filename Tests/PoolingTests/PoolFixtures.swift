import Pooling

let millisecond: Microseconds = 1_000
let second: Microseconds = 1_000_000

extension PoolLimits {
    /// Limits with everything off that a test does not name.
    static func make(
        size: Int = 2,
        min: Int = 0,
        creates: Int = 4,
        idleTimeout: Microseconds = 0,
        lifetime: Microseconds = 0,
        idleCheck: Microseconds = 0,
        wait: Microseconds = 0,
        roundRobin: Bool = false,
        window: Int = PoolLimits.defaultSameWorkerWindow
    ) -> PoolLimits {
        PoolLimits(
            poolSize: size,
            minPoolSize: min,
            maxConcurrentCreates: creates,
            idleTimeout: idleTimeout,
            serverLifetime: lifetime,
            serverIdleCheckTimeout: idleCheck,
            queryWaitTimeout: wait,
            isRoundRobin: roundRobin,
            sameWorkerWindow: window
        )
    }
}

/// What a test expected and did not get, as a sentence.
struct Unexpected: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) {
        self.description = description
    }
}

extension PoolMachine {
    init(_ limits: PoolLimits, workers: Int = 2, seed: UInt64 = 1) {
        self.init(limits: limits, workerCount: workers, seed: seed)
    }

    /// Asks for a server and expects to be told to open one.
    mutating func mustOpen(worker: Int = 0, now: Microseconds = 0) throws -> (server: ServerID, waiter: WaiterID) {
        let outcome = self.checkout(worker: worker, now: now)
        guard case .open(let server, let waiter) = outcome else { throw Unexpected("\(outcome) instead of open") }
        return (server, waiter)
    }

    /// Asks for a server and expects to be queued without an opening.
    mutating func mustWait(worker: Int = 0, since: Microseconds? = nil, now: Microseconds = 0) throws -> WaiterID {
        let outcome = self.checkout(worker: worker, since: since, now: now)
        guard case .wait(let waiter) = outcome else { throw Unexpected("\(outcome) instead of wait") }
        return waiter
    }

    /// Expects that another opening is due.
    mutating func mustNextOpen(now: Microseconds) throws -> PlannedOpen {
        guard let open = self.nextOpen(now: now) else { throw Unexpected("no opening is due") }
        return open
    }

    /// Opens a server for a client of `worker` that then has it.
    mutating func openBusy(worker: Int = 0, now: Microseconds = 0) throws -> ServerID {
        let (server, waiter) = try self.mustOpen(worker: worker, now: now)
        let outcome = self.opened(server, worker: worker, now: now)
        guard outcome == .grant(waiter, worker: worker) else { throw Unexpected("\(outcome) instead of grant") }
        return server
    }

    /// Opens a server for each worker named and then gives all of them back in that order, one microsecond apart.
    mutating func openIdle(workers: [Int], now: Microseconds = 0) throws -> [ServerID] {
        var servers: [ServerID] = []
        for worker in workers { servers.append(try self.openBusy(worker: worker, now: now)) }
        for (step, server) in servers.enumerated() {
            let outcome = self.checkin(server, worker: workers[step], now: now + Microseconds(step))
            guard outcome == .idle else { throw Unexpected("\(outcome) instead of idle") }
        }
        return servers
    }
}

/// A seeded stream of numbers (xorshift64*), so that every run of a test takes the same steps.
struct Dice {
    private var state: UInt64

    init(seed: UInt64) {
        self.state = seed | 1
    }

    mutating func roll(_ sides: Int) -> Int {
        self.state ^= self.state >> 12
        self.state ^= self.state << 25
        self.state ^= self.state >> 27
        return Int((self.state &* 0x2545_f491_4f6c_dd1d) >> 33) % sides
    }

    mutating func chance(_ percent: Int) -> Bool { self.roll(100) < percent }

    mutating func pick<Element>(_ from: [Element]) -> Element? {
        from.isEmpty ? nil : from[self.roll(from.count)]
    }
}
