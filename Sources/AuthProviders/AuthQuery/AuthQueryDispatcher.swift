import DequeModule

/// Which connection runs which query, when connections are opened, and who waits how long.
///
/// A value, to be kept behind one lock; time is passed in, in microseconds. Every request handed to `submit` comes back
/// exactly once: by `answered`, or by an action `.fail`. A request whose connection was lost is given to another
/// connection once; where that had been idle for long, there is half the time for it to be lost in, and the others that
/// have been idle for as long go with it. After failures connections are opened at growing intervals; while none is
/// there requests fail at once.
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

    private struct Pending: Sendable {
        let request: Request
        let deadline: Int64
        var wasRetried = false
    }

    private enum Stage: Sendable {
        case opening
        case idle(since: Int64)
        /// A trial: it had been idle for long.
        case busy(Pending, isTrial: Bool)
    }

    private struct Connection: Sendable {
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
    private var connections: [ConnectionID: Connection] = [:]
    /// Raised by `reconnect`: a connection of an earlier one is not used again.
    private var epoch = 0
    /// The one used last at the end.
    private var idle: [ConnectionID] = []
    private var queue: Deque<Pending> = []
    private var lastID: ConnectionID = 0
    /// Failures since the last answer.
    private var failures = 0
    private var retryAt: Int64 = .min
    private var lastReason = ""
    private var isClosing = false
    private var stopReason: String?

    package init(limits: Limits) { self.limits = limits }

    package var connectionCount: Int { self.connections.count }
    package var waitingCount: Int { self.queue.count }
    /// When `expire` is to be called next; nil while nobody waits.
    package var nextDeadline: Int64? {
        guard let deadline = self.queue.first?.deadline else { return nil }
        return self.retryAt == .min || !self.hasRoom ? deadline : min(deadline, self.retryAt)
    }

    private var hasRoom: Bool { self.connections.count < self.limits.connections }

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

    /// Time has passed: requests that have waited too long for a connection, and the end of a rest.
    package mutating func expire(now: Int64) -> [Action] {
        let actions = self.failLate(now: now)
        return self.retryAt == .min || now < self.retryAt ? actions : actions + self.openOrGiveUp(now: now)
    }

    private mutating func failLate(now: Int64) -> [Action] {
        var actions: [Action] = []
        while let first = self.queue.first, first.deadline <= now {
            self.queue.removeFirst()
            actions.append(.fail(first.request, "query_timeout: no connection for auth_query became free"))
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
        guard case .busy(let pending, _)? = self.connections[id]?.stage else { return (nil, []) }
        self.failures = 0
        self.retryAt = .min
        return (pending.request, self.serve(id, now: now))
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
        guard let stage = self.connections.removeValue(forKey: id)?.stage else { return [] }
        var actions: [Action] = []
        switch stage {
        case .idle:
            self.idle.removeAll { $0 == id }
        case .opening:
            self.failed(reason, attempt: self.failures + 1, now: now, random: random)
        case .busy(var pending, let isTrial):
            if isTrial { actions += self.closeDoubtful(now: now) }
            // The first loss in a row may be a restart: the next connection is tried at once.
            self.failed(reason, attempt: self.failures, now: now, random: random)
            if mayRetry, !pending.wasRetried, pending.deadline > now, self.stopReason == nil {
                pending.wasRetried = true
                if let other = self.idle.popLast() {
                    actions.append(self.start(pending, on: other, now: now))
                } else {
                    self.queue.prepend(pending)
                }
            } else {
                actions.append(.fail(pending.request, reason))
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
            if case .busy(let pending, _) = connection.stage { actions.append(.fail(pending.request, reason)) }
            actions.append(.close(id))
        }
        actions += self.queue.map { Action.fail($0.request, reason) }
        self.connections = [:]
        self.idle = []
        self.queue = []
        return actions
    }

    // MARK: Parts

    private mutating func start(_ pending: Pending, on id: ConnectionID, now: Int64) -> Action {
        // Who has been lost once has no second trial to lose.
        let isTrial = !pending.wasRetried && self.isDoubtful(id, now: now)
        self.connections[id]?.stage = .busy(pending, isTrial: isTrial)
        let deadline = isTrial ? now + max(pending.deadline - now, 0) / 2 : pending.deadline
        return .run(pending.request, on: id, deadline: deadline)
    }

    private func isDoubtful(_ id: ConnectionID, now: Int64) -> Bool {
        guard self.ageing.doubtAfter > 0, case .idle(let since)? = self.connections[id]?.stage else { return false }
        return now - since > self.ageing.doubtAfter
    }

    /// One that had been idle for long is lost: the others may hang on the same, and nobody is to wait for each.
    private mutating func closeDoubtful(now: Int64) -> [Action] {
        let doubtful = self.idle.filter { self.isDoubtful($0, now: now) }
        self.idle.removeAll { doubtful.contains($0) }
        return doubtful.map { self.close($0) }
    }

    /// Too old, or asked for before `reconnect`. Never while connections cannot be opened: this one is there.
    private func isOutdated(_ id: ConnectionID, now: Int64) -> Bool {
        guard let connection = self.connections[id], now >= self.retryAt else { return false }
        if connection.epoch != self.epoch { return true }
        return self.ageing.lifetime > 0 && now - connection.openedAt > self.ageing.lifetime
    }

    private mutating func close(_ id: ConnectionID) -> Action {
        self.connections[id] = nil
        return .close(id)
    }

    /// A connection has nothing to do.
    private mutating func serve(_ id: ConnectionID, now: Int64) -> [Action] {
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

    /// Opens one connection for those who wait, if that is allowed; without any connection nobody may wait.
    private mutating func openOrGiveUp(now: Int64) -> [Action] {
        guard !self.queue.isEmpty, self.stopReason == nil else { return [] }
        if self.hasRoom, now >= self.retryAt {
            self.retryAt = .min
            self.lastID += 1
            self.connections[self.lastID] = Connection(epoch: self.epoch)
            return [.open(self.lastID)]
        }
        guard self.connections.isEmpty else { return [] }
        let failing = self.queue
        self.queue = []
        return failing.map { .fail($0.request, self.lastReason) }
    }
}
