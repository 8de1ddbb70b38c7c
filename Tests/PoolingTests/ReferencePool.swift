import Pooling

/// The rules of a pool once more, as plainly as they can be written: arrays, searched from the front. The model test
/// holds the machine against it step by step.
struct ReferencePool {
    struct Server {
        let id: ServerID
        var state: ServerState
        var worker: Int
        var openedAt: Microseconds
        var lastUsed: Microseconds
        var wasUsed = false
        let epoch: Int
        let lifetime: Microseconds
        let idleTimeout: Microseconds
    }

    struct Waiter {
        let id: WaiterID
        let worker: Int
        let since: Microseconds
        var sequence: Int
        let isReturning: Bool
        let timeout: Microseconds
        /// Clients that came later and were granted a server first.
        var passedBy = 0
    }

    /// What `checkout` must say; the names of new servers and waiters are the machine's choice.
    enum ExpectedCheckout {
        case exactly(Checkout)
        case open
        case wait
    }

    var limits: PoolLimits
    let workerCount: Int
    var servers: [Server] = []
    /// In the order in which they became idle.
    var idle: [ServerID] = []
    var queue: [Waiter] = []
    var epoch = 0
    var heldUntil: Microseconds = .min
    private var nextSequence = 0

    init(limits: PoolLimits, workerCount: Int) {
        self.limits = limits
        self.workerCount = workerCount
    }

    // MARK: Counting

    func count(_ state: ServerState) -> Int { self.servers.count { $0.state == state } }
    var live: Int { self.count(.idle) + self.count(.busy) }
    var staying: Int { self.live + self.count(.opening) }

    func position(_ id: ServerID) -> Int? { self.servers.firstIndex { $0.id == id } }

    func names(_ state: ServerState) -> [ServerID] { self.servers.filter { $0.state == state }.map(\.id) }

    // MARK: Clients

    mutating func checkout(worker: Int, now: Microseconds) -> ExpectedCheckout {
        let own = self.idle.filter { id in self.servers.contains { $0.id == id && $0.worker == worker } }
        let choice = own.isEmpty ? self.idle : own
        guard let id = self.limits.isRoundRobin ? choice.first : choice.last, let at = self.position(id) else {
            return self.isOpenDue(forOneMore: true, now: now) ? .open : .wait
        }
        let server = self.servers[at]
        self.idle.removeAll { $0 == id }
        if server.lifetime > 0, now - server.openedAt > server.lifetime {
            self.servers[at].state = .closing
            return .exactly(.stale(id, .lifetime))
        }
        let check = self.limits.serverIdleCheckTimeout
        let needsCheck = check > 0 && now - server.lastUsed > check
        self.hand(at, to: worker, now: now)
        return .exactly(.server(id, needsCheck: needsCheck))
    }

    mutating func queue(_ id: WaiterID, worker: Int, since: Microseconds?, now: Microseconds) {
        guard let since, let place = self.queue.firstIndex(where: { $0.since >= since }) else {
            let waiter = Waiter(
                id: id, worker: worker, since: since ?? now, sequence: self.nextSequence, isReturning: since != nil,
                timeout: self.limits.queryWaitTimeout
            )
            self.queue.append(waiter)
            self.nextSequence += 1
            return
        }
        let sequence = place == 0 ? self.queue[0].sequence - 1 : self.queue[place - 1].sequence
        self.queue.insert(
            Waiter(id: id, worker: worker, since: since, sequence: sequence, isReturning: true,
                timeout: self.limits.queryWaitTimeout), at: place
        )
    }

    mutating func cancel(_ id: WaiterID) -> Bool {
        guard let at = self.queue.firstIndex(where: { $0.id == id }) else { return false }
        self.queue.remove(at: at)
        return true
    }

    mutating func expire(worker: Int, now: Microseconds) -> WaiterID? {
        let isExpired = { (waiter: Waiter) in
            waiter.worker == worker && waiter.timeout > 0 && now - waiter.since >= waiter.timeout
        }
        guard let at = self.queue.firstIndex(where: isExpired) else { return nil }
        return self.queue.remove(at: at).id
    }

    // MARK: Servers

    mutating func checkin(_ id: ServerID, worker: Int, now: Microseconds) -> Checkin {
        guard let at = self.position(id) else { return .close(.unknown) }
        self.servers[at].worker = worker
        if let reason = self.reasonToClose(self.servers[at], now: now) {
            self.servers[at].state = .closing
            return .close(reason)
        }
        if let waiter = self.popWaiter(for: worker) {
            self.hand(at, to: waiter.worker, now: now)
            return .grant(waiter.id, worker: waiter.worker)
        }
        self.servers[at].state = .idle
        self.servers[at].lastUsed = now
        self.idle.append(id)
        return .idle
    }

    mutating func opened(_ id: ServerID, worker: Int, now: Microseconds) -> Checkin {
        guard let at = self.position(id) else { return .close(.unknown) }
        self.servers[at].state = .busy
        self.servers[at].openedAt = now
        self.heldUntil = .min
        return self.checkin(id, worker: worker, now: now)
    }

    mutating func openFailed(_ id: ServerID, now: Microseconds) -> OpenFailure {
        self.closed(id)
        if self.live > 0 {
            self.heldUntil = now + PoolMachine.openRetryDelay
            return .heldBack(until: self.heldUntil)
        }
        guard !self.queue.isEmpty else { return .nobodyWaiting }
        let oldest = self.queue.removeFirst()
        return .failWaiter(oldest.id, worker: oldest.worker)
    }

    mutating func closed(_ id: ServerID) {
        self.servers.removeAll { $0.id == id }
        self.idle.removeAll { $0 == id }
    }

    mutating func claim(_ id: ServerID) -> Bool {
        guard let at = self.position(id), self.servers[at].state == .idle else { return false }
        self.idle.removeAll { $0 == id }
        self.servers[at].state = .busy
        return true
    }

    mutating func begin(_ record: ServerRecord) {
        self.servers.append(
            Server(
                id: record.server, state: .opening, worker: record.worker, openedAt: record.openedAt,
                lastUsed: record.openedAt, epoch: self.epoch, lifetime: record.lifetime,
                idleTimeout: record.idleTimeout
            )
        )
    }

    func isOpenDue(forOneMore: Bool = false, now: Microseconds) -> Bool {
        self.queue.count + (forOneMore ? 1 : 0) > self.count(.opening) && self.mayOpen(now: now)
    }

    func mayOpen(now: Microseconds) -> Bool {
        self.servers.count < self.limits.poolSize
            && self.count(.opening) < self.limits.maxConcurrentCreates
            && (self.live == 0 || now >= self.heldUntil)
    }

    // MARK: Ageing

    mutating func housekeepingCloses(now: Microseconds, budget: Int) -> [PlannedClose] {
        var closes: [PlannedClose] = []
        for server in self.idleOldestFirst() where closes.count < budget {
            guard server.lifetime > 0, now - server.openedAt > server.lifetime else { continue }
            closes.append(self.give(up: server, .lifetime))
        }
        for server in self.idleOldestFirst() where closes.count < budget && self.staying > self.limits.minPoolSize {
            guard server.idleTimeout > 0, server.wasUsed, now - server.lastUsed > server.idleTimeout else { continue }
            closes.append(self.give(up: server, .idleTimeout))
        }
        return closes
    }

    mutating func reconnect() -> [PlannedClose] {
        self.epoch += 1
        return self.idleOldestFirst().map { self.give(up: $0, .reconnect) }
    }

    mutating func update(poolSize: Int, minPoolSize: Int) -> [PlannedClose] {
        self.limits.poolSize = poolSize
        self.limits.minPoolSize = minPoolSize
        let surplus = max(self.staying - poolSize, 0)
        return self.idleOldestFirst().prefix(surplus).map { self.give(up: $0, .overLimit) }
    }

    private func idleOldestFirst() -> [Server] {
        self.servers.filter { $0.state == .idle }
            .sorted { ($0.openedAt, $0.id.index) < ($1.openedAt, $1.id.index) }
    }

    private mutating func give(up server: Server, _ reason: CloseReason) -> PlannedClose {
        self.idle.removeAll { $0 == server.id }
        if let at = self.position(server.id) { self.servers[at].state = .closing }
        return PlannedClose(server: server.id, reason: reason)
    }

    private mutating func hand(_ at: Int, to worker: Int, now: Microseconds) {
        self.servers[at].state = .busy
        self.servers[at].worker = worker
        self.servers[at].wasUsed = true
        self.servers[at].lastUsed = now
    }

    private func reasonToClose(_ server: Server, now: Microseconds) -> CloseReason? {
        if server.epoch != self.epoch { return .reconnect }
        if self.staying > self.limits.poolSize { return .overLimit }
        let limit = self.queue.isEmpty ? server.lifetime : server.lifetime * PoolMachine.lifetimesUnderPressure
        return server.lifetime > 0 && now - server.openedAt > limit ? .lifetime : nil
    }

    private mutating func popWaiter(for worker: Int) -> Waiter? {
        guard let oldest = self.queue.first else { return nil }
        var at = 0
        if let own = self.queue.firstIndex(where: { $0.worker == worker }),
            self.queue[own].sequence - oldest.sequence <= self.limits.sameWorkerWindow
        {
            at = own
        }
        let granted = self.queue.remove(at: at)
        guard !granted.isReturning else { return granted }
        for older in 0..<at { self.queue[older].passedBy += 1 }
        return granted
    }
}
