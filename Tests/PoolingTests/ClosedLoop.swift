import Pooling

/// Clients without a pause on a pool that is too small: whose transaction ends asks again at once, behind everybody who
/// waits. Time is simulated, so every run is the same.
struct ClosedLoop {
    struct Result {
        var waits: [Microseconds] = []
        var turns: [Int]
        /// Grants to a waiter on another worker than the one that gave the server back.
        var moves = 0

        var p50: Microseconds { self.waits.sorted()[self.waits.count / 2] }
        var p99: Microseconds { self.waits.sorted()[self.waits.count * 99 / 100] }
        var fewestTurns: Int { self.turns.min() ?? 0 }
        var mostTurns: Int { self.turns.max() ?? 0 }
    }

    private struct Running {
        let server: ServerID
        let client: Int
        let end: Microseconds
    }

    private let service: ClosedRange<Microseconds>
    private let workerOf: [Int]
    private var pool: PoolMachine
    private var dice: Dice
    private var now: Microseconds = 0
    private var running: [Running] = []
    private var waiting: [WaiterID: Int] = [:]
    private var askedAt: [Microseconds]
    private var result: Result

    init(load: FairnessTests.Load, servers: Int, seed: UInt64) {
        self.service = load.service
        // Clients of all workers come in turn, as far as there are any.
        let most = load.clients.max() ?? 0
        self.workerOf = (0..<most).flatMap { turn in load.clients.indices.filter { load.clients[$0] > turn } }
        self.pool = PoolMachine(
            .make(size: servers, creates: servers, window: load.window), workers: load.clients.count
        )
        self.dice = Dice(seed: seed)
        self.askedAt = Array(repeating: 0, count: self.workerOf.count)
        self.result = Result(turns: Array(repeating: 0, count: self.workerOf.count))
    }

    /// The result of so many transactions after everybody's first few.
    consuming func run(transactions: Int) throws -> Result {
        for client in self.workerOf.indices { try self.ask(client) }
        let warmUp = 4 * self.workerOf.count
        for step in 0..<(warmUp + transactions) {
            if step == warmUp { self.result = Result(turns: Array(repeating: 0, count: self.workerOf.count)) }
            try self.finishNext()
        }
        if let violation = self.pool.violation() { throw Unexpected(violation) }
        return self.result
    }

    private mutating func ask(_ client: Int) throws {
        let worker = self.workerOf[client]
        self.askedAt[client] = self.now
        switch self.pool.checkout(worker: worker, now: self.now) {
        case .wait(let waiter): self.waiting[waiter] = client
        case .open(let server, let waiter):
            self.waiting[waiter] = client
            try self.settle(self.pool.opened(server, worker: worker, now: self.now), server, worker: worker)
        case .server(let server, _): self.start(client, on: server)
        case .stale: throw Unexpected("nothing ages here")
        }
    }

    private mutating func finishNext() throws {
        guard let next = self.running.indices.min(by: { self.running[$0].end < self.running[$1].end }) else {
            throw Unexpected("nothing runs")
        }
        let done = self.running.remove(at: next)
        self.now = done.end
        let worker = self.workerOf[done.client]
        try self.settle(self.pool.checkin(done.server, worker: worker, now: self.now), done.server, worker: worker)
        try self.ask(done.client)
    }

    private mutating func settle(_ outcome: Checkin, _ server: ServerID, worker: Int) throws {
        guard case .grant(let waiter, let granted) = outcome, let client = self.waiting.removeValue(forKey: waiter),
            self.workerOf[client] == granted
        else { throw Unexpected("\(outcome) with a full queue") }
        self.result.moves += granted == worker ? 0 : 1
        self.start(client, on: server)
    }

    private mutating func start(_ client: Int, on server: ServerID) {
        self.result.waits.append(self.now - self.askedAt[client])
        self.result.turns[client] += 1
        let spread = Int(self.service.upperBound - self.service.lowerBound) + 1
        let end = self.now + self.service.lowerBound + Microseconds(self.dice.roll(spread))
        self.running.append(Running(server: server, client: client, end: end))
    }
}
