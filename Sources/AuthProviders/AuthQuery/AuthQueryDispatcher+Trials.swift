import DequeModule

/// Connections that have been idle for long: the way to the server may be gone without a word. A request on such a one
/// is a trial. When half its time is over it is run on another connection as well: the first answer counts, and the
/// other connection is closed. Others that were idle when the trial began have been so for longer, and go at half time.
///
/// While a connection is among the `laggards` its request comes back by it, unless another one answers before: who else
/// has the request gives it up silently.
extension AuthQueryDispatcher {
    struct Laggard: Sendable {
        let request: Request
        let connection: Connection
    }

    var nextHalfTime: Int64? { self.connections.values.lazy.compactMap { $0.halfTime }.min() }

    mutating func start(_ pending: Pending, on id: ConnectionID, now: Int64) -> Action {
        // There is no third connection, so no second trial.
        let isTrial = !pending.wasRetried && self.isDoubtful(id, now: now)
        self.connections[id]?.stage = .busy(pending, trialBegan: isTrial ? now : nil)
        return .run(pending.request, on: id, deadline: pending.deadline)
    }

    private func isDoubtful(_ id: ConnectionID, now: Int64) -> Bool {
        guard self.ageing.doubtAfter > 0, case .idle(let since)? = self.connections[id]?.stage else { return false }
        return now - since > self.ageing.doubtAfter
    }

    /// On a second connection, before those who came later.
    mutating func runAgain(_ pending: Pending, now: Int64) -> [Action] {
        var pending = pending
        pending.wasRetried = true
        if let other = self.idle.popLast() { return [self.start(pending, on: other, now: now)] }
        let deadline = pending.deadline
        let place = self.queue.firstIndex { $0.deadline > deadline } ?? self.queue.endIndex
        self.queue.insert(pending, at: place)
        return []
    }

    /// Nobody has heard of these since the trial began that has failed: they may hang on the same, and nobody is to
    /// wait for each.
    mutating func closeSilent(since began: Int64) -> [Action] {
        let silent = self.idle.filter { id in
            guard case .idle(let since)? = self.connections[id]?.stage else { return false }
            return since < began
        }
        self.idle.removeAll { silent.contains($0) }
        return silent.map { self.close($0) }
    }

    // MARK: Half time

    mutating func endTrials(now: Int64) -> [Action] {
        var actions: [Action] = []
        let late = self.connections.filter { ($0.value.halfTime ?? .max) <= now }
        for id in late.keys.sorted() { actions += self.endTrial(of: id, now: now) }
        return actions
    }

    private mutating func endTrial(of id: ConnectionID, now: Int64) -> [Action] {
        guard let connection = self.connections[id], case .busy(var pending, let began?) = connection.stage else {
            return []
        }
        self.connections[id] = nil
        self.laggards[id] = Laggard(request: pending.request, connection: connection)
        var actions = self.closeSilent(since: began)
        if pending.deadline > now {
            pending.laggard = id
            actions += self.runAgain(pending, now: now)
        }
        return actions + self.openOrGiveUp(now: now)
    }

    // MARK: Laggards

    func hasLaggard(_ pending: Pending) -> Bool {
        guard let laggard = pending.laggard else { return false }
        return self.laggards[laggard] != nil
    }

    func giveUp(_ pending: Pending, reason: String) -> [Action] {
        self.hasLaggard(pending) ? [] : [.fail(pending.request, reason)]
    }

    /// It was slow, but the first; and it is good.
    mutating func laggardAnswered(_ id: ConnectionID, now: Int64) -> (request: Request?, actions: [Action]) {
        guard let laggard = self.laggards.removeValue(forKey: id) else { return (nil, []) }
        self.failures = 0
        self.retryAt = .min
        var actions: [Action] = []
        self.queue.removeAll { $0.laggard == id }
        if let second = self.second(after: id) { actions.append(self.close(second)) }
        guard self.hasRoom else { return (laggard.request, actions + [.close(id)]) }
        self.connections[id] = laggard.connection
        return (laggard.request, actions + self.serve(id, now: now))
    }

    mutating func laggardLost(_ id: ConnectionID, now: Int64, reason: String) -> [Action] {
        guard let laggard = self.laggards.removeValue(forKey: id) else { return [] }
        let isElsewhere = self.second(after: id) != nil || self.queue.contains { $0.laggard == id }
        let actions: [Action] = isElsewhere ? [] : [.fail(laggard.request, reason)]
        return actions + self.openOrGiveUp(now: now)
    }

    /// The connection that runs the same request.
    private func second(after id: ConnectionID) -> ConnectionID? {
        let second = self.connections.first { connection in
            guard case .busy(let pending, _) = connection.value.stage else { return false }
            return pending.laggard == id
        }
        return second?.key
    }
}

extension AuthQueryDispatcher.Connection {
    /// Of a trial.
    fileprivate var halfTime: Int64? {
        guard case .busy(let pending, let began?) = self.stage else { return nil }
        return began + (pending.deadline - began) / 2
    }
}
