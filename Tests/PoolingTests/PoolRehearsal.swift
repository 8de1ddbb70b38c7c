import Pooling

/// Drives a pool machine as the gateway would, by dice, beside the reference; throws at the first difference.
struct PoolRehearsal {
    struct Setting: Sendable {
        let name: String
        let limits: PoolLimits
        let workers: Int
        /// Out of a hundred openings, how many fail.
        let openFailures: Int
        /// Largest time between two steps.
        let pace: Int
    }

    /// Where a waiter ended. Every one must end, once.
    enum Ending { case granted, failed, expired, cancelled }

    var machine: PoolMachine
    var reference: ReferencePool
    var dice: Dice
    let setting: Setting
    private(set) var now: Microseconds = 0
    /// When the client that has a server first asked for one.
    var arrivals: [ServerID: Microseconds] = [:]
    /// Every name a server ever had: none comes twice.
    var names: Set<ServerID> = []
    var sinceOf: [WaiterID: Microseconds] = [:]
    var endings: [WaiterID: Ending] = [:]
    var lastEnded: WaiterID?
    var queued = 0
    /// Rush and calm take turns, so that both long queues and idle servers come about.
    var isCalm = false
    var slotsAllowed: Int
    private(set) var mostPassed = 0
    /// How often each kind of outcome was seen, so that a test can tell that it tested something.
    private(set) var seen: [String: Int] = [:]

    init(_ setting: Setting, seed: UInt64) {
        self.setting = setting
        self.machine = PoolMachine(limits: setting.limits, workerCount: setting.workers, seed: seed)
        self.reference = ReferencePool(limits: setting.limits, workerCount: setting.workers)
        self.dice = Dice(seed: seed)
        self.slotsAllowed = setting.limits.poolSize
    }

    mutating func run(steps: Int) throws {
        for _ in 0..<steps {
            self.now += Microseconds(self.dice.roll(self.setting.pace + 1))
            try self.step()
            try self.openWhatIsDue()
            try self.compare()
        }
        try self.finish()
    }

    private mutating func step() throws {
        if self.dice.roll(250) == 0 { self.isCalm.toggle() }
        switch self.dice.roll(1_000) {
        case 0..<330:
            if self.isCalm, self.dice.chance(70) {
                try self.checkin()
            } else {
                try self.checkout(worker: self.anyWorker(), since: nil)
            }
        case 330..<640: try self.checkin()
        case 640..<790: try self.finishOpening()
        case 790..<870: self.finishClosing()
        case 870..<890: self.serverDies()
        case 890..<915: try self.serverTurnsOutDead()
        case 915..<935: try self.claim()
        case 935..<965: try self.cancel()
        case 965..<980: try self.expire()
        case 980..<995: try self.housekeeping()
        case 995: try self.same(self.machine.reconnect(), self.reference.reconnect(), "reconnect")
        default: try self.resize()
        }
    }

    // MARK: Book-keeping

    mutating func begin(_ server: ServerID) throws {
        guard let record = self.machine.record(of: server), self.names.insert(server).inserted else {
            throw Unexpected("\(server) is not new")
        }
        self.reference.begin(record)
    }

    mutating func enqueue(_ waiter: WaiterID, worker: Int, since: Microseconds?) throws {
        guard self.sinceOf.updateValue(since ?? self.now, forKey: waiter) == nil else {
            throw Unexpected("\(waiter) is not new")
        }
        self.queued += 1
        self.reference.queue(waiter, worker: worker, since: since, now: self.now)
    }

    mutating func end(_ waiter: WaiterID, _ ending: Ending) throws {
        guard self.sinceOf[waiter] != nil, self.endings.updateValue(ending, forKey: waiter) == nil else {
            throw Unexpected("\(waiter) ended twice or never began")
        }
        self.lastEnded = waiter
        self.note("\(ending)")
    }

    mutating func close(_ server: ServerID) {
        self.arrivals[server] = nil
        self.machine.closed(server)
        self.reference.closed(server)
    }

    mutating func compare() throws {
        if let violation = self.machine.violation() { throw Unexpected(violation) }
        let counts = self.machine.counts
        try self.same(counts.opening, self.reference.count(.opening), "opening")
        try self.same(counts.idle, self.reference.count(.idle), "idle")
        try self.same(counts.busy, self.reference.count(.busy), "busy")
        try self.same(counts.closing, self.reference.count(.closing), "closing")
        try self.same(counts.waiting, self.reference.queue.count, "waiting")
        try self.same(
            self.machine.maxWait(now: self.now), self.reference.queue.first.map { self.now - $0.since } ?? 0, "maxWait"
        )
        // Never above the pool size; above it only after the size fell, and then never rising.
        self.slotsAllowed = max(self.reference.limits.poolSize, min(self.slotsAllowed, counts.total))
        guard counts.total <= self.slotsAllowed else { throw Unexpected("\(counts) in \(self.slotsAllowed) slots") }
        for waiter in self.reference.queue where waiter.passedBy > self.mostPassed { self.mostPassed = waiter.passedBy }
        guard self.mostPassed <= self.setting.limits.sameWorkerWindow else {
            throw Unexpected("a waiter was passed \(self.mostPassed) times")
        }
    }

    /// No more clients come: everyone who waits must be served by servers that come back, in a bounded number of steps.
    mutating func finish() throws {
        var rounds = 0
        while self.machine.counts.waiting > 0 || self.machine.counts.opening > 0 || self.machine.counts.busy > 0 {
            rounds += 1
            guard rounds < 100_000 else { throw Unexpected("\(self.machine.counts) never ends") }
            self.now += PoolMachine.openRetryDelay / 4
            try self.checkin()
            try self.finishOpening()
            self.finishClosing()
            try self.openWhatIsDue()
            try self.compare()
        }
        guard self.endings.count == self.queued else {
            throw Unexpected("\(self.queued) waited, \(self.endings.count) ended")
        }
        for server in self.reference.names(.idle) + self.reference.names(.closing) { self.close(server) }
        guard self.machine.isEmpty, self.reference.servers.isEmpty else { throw Unexpected("a server is lost") }
    }

    mutating func note(_ what: String) { self.seen[what, default: 0] += 1 }

    mutating func anyWorker() -> Int { self.dice.roll(self.setting.workers) }

    func same<Value: Equatable>(_ got: Value, _ expected: Value, _ what: String) throws {
        guard got == expected else { throw Unexpected("\(what): \(got), expected \(expected)") }
    }
}
