import DequeModule

/// Which connection runs which query, when connections are opened, and who waits how long.
///
/// A value, to be kept behind one lock; time is passed in, in microseconds. Every request handed to `submit` comes back
/// exactly once: by `answered`, or by an action `.fail`. A request whose connection was lost is given to another
/// connection once; one whose connection had been idle for long and is slow now is given to another one as well. After
/// failures connections are opened at growing intervals; while none is there requests fail at once.
package struct AuthQueryDispatcher<Request: Sendable>: Sendable {
    package typealias ConnectionID = UInt64

    package struct Limits: Sendable {
        package var connections: Int
        /// Requests that wait for a connection.
        package var waiting = 1024
        /// From `submit` to the end.
        package var timeout: Int64
        package var firstDelay: Int64 = 100_000
        package var longestDelay: Int64 = 5_000_000

        package init(connections: Int, timeout: Int64) {
            self.connections = max(connections, 1)
            self.timeout = timeout
        }
    }

    /// What may change while connections are there, in microseconds; 0 is never.
    package struct Ageing: Sendable, Equatable {
        /// Whether a connection is still good that has been idle for longer is to be seen: the way to the server may be
        /// gone without a word.
        package var doubtAfter: Int64 = 0
        /// A connection that is older is not used again: where its server's name leads may be another one by now.
        package var lifetime: Int64 = 0

        package init() {}
    }

    /// What is to be done when the lock is released.
    package enum Action: Sendable {
        case open(ConnectionID)
        case run(Request, on: ConnectionID, deadline: Int64)
        case fail(Request, String)
        case close(ConnectionID)
    }

    struct Pending: Sendable {
        let request: Request
        let deadline: Int64
        /// Its second connection has been chosen, or is waited for.
        var wasRetried = false
        /// The first one, when that was slow; it may still answer while it is among the `laggards`.
        var laggard: ConnectionID?
    }

    enum Stage: Sendable {
        case opening
        case idle(since: Int64)
        /// With the beginning of a trial: it had been idle for long.
        case busy(Pending, trialBegan: Int64?)
    }

    struct Connection: Sendable {
        var stage = Stage.opening
        var openedAt: Int64 = 0
        /// The dispatcher's when it was asked for.
        let epoch: Int
    }

    /// `firstDelay` doubles so often at most, and more failures are not counted: the delay is `longestDelay` long
    /// before, and the shift does not overflow.
    private static var doublingsMax: Int { 20 }
    /// A delay is so many thousandths of itself, by chance: gateways that lost the same server come back one by one.
    private static var spreadPerMille: ClosedRange<Int64> { 800...1200 }

    private let limits: Limits
    package var ageing = Ageing()
    var connections: [ConnectionID: Connection] = [:]
    /// Slow in a trial. Each may still answer its request, and does not count in the number of connections.
    var laggards: [ConnectionID: Laggard] = [:]
    /// Raised by `reconnect`: a connection of an earlier one is not used again.
    private var epoch = 0
    /// The one used last at the end.
    var idle: [ConnectionID] = []
    /// By deadline.
    var queue: Deque<Pending> = []
    private var lastID: ConnectionID = 0
    /// Failures since the last answer.
    var failures = 0
    var retryAt: Int64 = .min
    private var lastReason = ""
    private var isClosing = false
    private var stopReason: String?

    package init(limits: Limits) { self.limits = limits }

    package var connectionCount: Int { self.connections.count + self.laggards.count }
    package var waitingCount: Int { self.queue.count }
    /// When `expire` is to be called next; nil while nobody waits and nothing is on trial.
    package var nextDeadline: Int64? {
        let halfTime = self.nextHalfTime
        guard let deadline = self.queue.first?.deadline else { return halfTime }
        let due = self.retryAt == .min || !self.hasRoom ? deadline : min(deadline, self.retryAt)
        return min(due, halfTime ?? due)
    }

    var hasRoom: Bool { self.connections.count < self.limits.connections }

    // MARK: Requests

    package mutating func submit(_ request: Request, now: Int64) -> [Action] {
        if let stopReason { return [.fail(request, stopReason)] }
        let pending = Pending(request: request, deadline: now + self.limits.timeout)
        var actions: [Action] = []
        while let id = self.idle.popLast() {
            guard self.isOutdated(id, now: now) else { return actions + [self.start(pending, on: id, now: now)] }
            actions.append(self.close(id))
        }
        guard self.queue.count < self.limits.waiting else {
            return actions + [.fail(request, "too many logins wait for auth_query")]
        }
        self.queue.append(pending)
        return actions + self.openOrGiveUp(now: now)
    }

    /// Time has passed: requests that have waited too long for a connection, slow trials, and the end of a rest.
    package mutating func expire(now: Int64) -> [Action] {
        let actions = self.failLate(now: now) + self.endTrials(now: now)
        return self.retryAt == .min || now < self.retryAt ? actions : actions + self.openOrGiveUp(now: now)
    }

    private mutating func failLate(now: Int64) -> [Action] {
        var actions: [Action] = []
        while let first = self.queue.first, first.deadline <= now {
            self.queue.removeFirst()
            actions += self.giveUp(first, reason: "query_timeout: no connection for auth_query became free")
        }
        return actions
    }

    // MARK: Connections

    package mutating func opened(_ id: ConnectionID, now: Int64) -> [Action] {
        guard case .opening? = self.connections[id]?.stage else { return [] }
        self.connections[id]?.openedAt = now
        return self.serve(id, now: now)
    }

    /// The query on this connection is over.
    ///
    /// - Returns: its request; nil when it was given up before.
    package mutating func answered(_ id: ConnectionID, now: Int64) -> (request: Request?, actions: [Action]) {
        guard case .busy(let pending, _)? = self.connections[id]?.stage else {
            return self.laggardAnswered(id, now: now)
        }
        self.failures = 0
        self.retryAt = .min
        var actions: [Action] = []
        if let laggard = pending.laggard, self.laggards.removeValue(forKey: laggard) != nil {
            actions.append(.close(laggard))
        }
        return (pending.request, actions + self.serve(id, now: now))
    }

    /// The connection is gone, or never came into being.
    ///
    /// - Parameters:
    ///   - mayRetry: its query may run elsewhere, while there is time.
    ///   - random: any number; takes the delays of several gateways apart.
    package mutating func lost(
        _ id: ConnectionID,
        now: Int64,
        reason: String,
        mayRetry: Bool = true,
        random: UInt64 = 0
    ) -> [Action] {
        guard let stage = self.connections.removeValue(forKey: id)?.stage else {
            return self.laggardLost(id, now: now, reason: reason)
        }
        var actions: [Action] = []
        switch stage {
        case .idle:
            self.idle.removeAll { $0 == id }
        case .opening:
            self.failed(reason, attempt: self.failures + 1, now: now, random: random)
        case .busy(let pending, let trialBegan):
            // Without `mayRetry` the server was there and has answered, if badly.
            if let trialBegan, mayRetry { actions += self.closeSilent(since: trialBegan) }
            // The first loss in a row may be a restart: the next connection is tried at once.
            self.failed(reason, attempt: self.failures, now: now, random: random)
            if mayRetry, !pending.wasRetried, pending.deadline > now, self.stopReason == nil {
                actions += self.runAgain(pending, now: now)
            } else {
                actions += self.giveUp(pending, reason: reason)
            }
        }
        return actions + self.openOrGiveUp(now: now)
    }

    /// - Parameter attempt: which delay it is; none for 0.
    private mutating func failed(_ reason: String, attempt: Int, now: Int64, random: UInt64) {
        self.failures = min(self.failures + 1, Self.doublingsMax + 1)
        self.lastReason = reason
        guard attempt > 0 else { return }
        let doublings = Int64(min(attempt - 1, Self.doublingsMax))
        let delay = min(self.limits.firstDelay << doublings, self.limits.longestDelay)
        let perMille = Self.spreadPerMille.lowerBound + Int64(random % UInt64(Self.spreadPerMille.count))
        self.retryAt = now + delay * perMille / 1000
    }

    // MARK: End

    /// No more is needed than what is under way and what may still come: connections close when nobody waits.
    package mutating func close() -> [Action] {
        self.isClosing = true
        return self.closeIdle()
    }

    /// No connection asked for before now is used again: idle ones close now, the others when they would be idle.
    package mutating func reconnect() -> [Action] {
        self.epoch &+= 1
        return self.closeIdle()
    }

    private mutating func closeIdle() -> [Action] {
        let closing = self.idle
        self.idle = []
        return closing.map { self.close($0) }
    }

    /// Everything ends now.
    package mutating func stop(reason: String) -> [Action] {
        self.stopReason = reason
        var actions: [Action] = []
        for (id, connection) in self.connections {
            if case .busy(let pending, _) = connection.stage { actions += self.giveUp(pending, reason: reason) }
            actions.append(.close(id))
        }
        for pending in self.queue { actions += self.giveUp(pending, reason: reason) }
        for (id, laggard) in self.laggards { actions += [.fail(laggard.request, reason), .close(id)] }
        self.connections = [:]
        self.laggards = [:]
        self.idle = []
        self.queue = []
        return actions
    }

    // MARK: Parts

    /// Too old, or asked for before `reconnect`. Never while connections cannot be opened: this one is there.
    private func isOutdated(_ id: ConnectionID, now: Int64) -> Bool {
        guard let connection = self.connections[id], now >= self.retryAt else { return false }
        if connection.epoch != self.epoch { return true }
        return self.ageing.lifetime > 0 && now - connection.openedAt > self.ageing.lifetime
    }

    mutating func close(_ id: ConnectionID) -> Action {
        self.connections[id] = nil
        return .close(id)
    }

    /// A connection has nothing to do.
    mutating func serve(_ id: ConnectionID, now: Int64) -> [Action] {
        var actions = self.failLate(now: now)
        if self.isOutdated(id, now: now) {
            actions.append(self.close(id))
            return actions + self.openOrGiveUp(now: now)
        }
        if let pending = self.queue.popFirst() {
            actions.append(self.start(pending, on: id, now: now))
        } else if self.isClosing {
            actions.append(self.close(id))
        } else {
            self.connections[id]?.stage = .idle(since: now)
            self.idle.append(id)
        }
        return actions
    }

    /// Opens one connection for those who wait, if that is allowed; without any connection nobody may wait but who may
    /// still be answered by a slow one.
    mutating func openOrGiveUp(now: Int64) -> [Action] {
        guard !self.queue.isEmpty, self.stopReason == nil else { return [] }
        if self.hasRoom, now >= self.retryAt {
            self.retryAt = .min
            self.lastID += 1
            self.connections[self.lastID] = Connection(epoch: self.epoch)
            return [.open(self.lastID)]
        }
        guard self.connections.isEmpty else { return [] }
        let waiting = self.queue
        self.queue = waiting.filter { self.hasLaggard($0) }
        return waiting.flatMap { self.giveUp($0, reason: self.lastReason) }
    }
}
