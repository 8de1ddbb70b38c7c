/// Servers that go because of time or settings, and servers opened because there are too few. These steps run on a
/// timer, on a reload or on an administrator's word, walk over all servers and may allocate.
extension PoolMachine {
    /// What is due on the housekeeping timer.
    ///
    /// Closed are idle servers past their lifetime, and those past their idle timeout that a client has had at least
    /// once, the latter never below `minPoolSize`; within each kind the oldest first. Then servers are opened up to
    /// `minPoolSize`, within `maxConcurrentCreates`.
    /// - Parameter closeBudget: closes at most; 0 is none, `Int.max` is no limit.
    package mutating func housekeeping(now: Microseconds, closeBudget: Int) -> HousekeepingPlan {
        var plan = HousekeepingPlan()
        let oldestFirst = self.idleOldestFirst()
        for index in oldestFirst where plan.closes.count < closeBudget {
            guard self.servers[index].isPast(lifetime: self.limits.serverLifetime, times: 1, now: now) else { continue }
            plan.closes.append(self.giveUp(index, because: .lifetime))
        }
        for index in oldestFirst where plan.closes.count < closeBudget {
            guard self.servers[index].state == .idle, self.servers.counts.staying > self.limits.minPoolSize,
                self.servers[index].isPast(idleTimeout: self.limits.idleTimeout, now: now)
            else { continue }
            plan.closes.append(self.giveUp(index, because: .idleTimeout))
        }
        self.beginPrewarm()
        while let open = self.nextPrewarm(now: now) { plan.opens.append(open) }
        return plan
    }

    /// Begins a round of openings for `minPoolSize`: `nextPrewarm` gives as many as are missing now, and none beyond
    /// that before the next round, so that servers which die as soon as they are open are not replaced without end.
    package mutating func beginPrewarm() {
        self.prewarmsLeft = max(self.limits.minPoolSize - self.servers.counts.staying, 0)
    }

    /// The next server to open for `minPoolSize`, and the worker to do it, all workers in turn; nil when enough are
    /// there or being opened, when no more may be opened now, and at the end of a round. The driver calls it after
    /// `beginPrewarm`, after the closes of a round (until then they count in the pool's size) and after each `opened`
    /// until nil.
    package mutating func nextPrewarm(now: Microseconds) -> PlannedOpen? {
        guard self.prewarmsLeft > 0, !self.isDraining, self.servers.counts.staying < self.limits.minPoolSize,
            self.mayOpen(now: now)
        else { return nil }
        self.prewarmsLeft -= 1
        let worker = self.nextPrewarmWorker
        self.nextPrewarmWorker = (worker + 1) % self.workerCount
        return PlannedOpen(server: self.reserve(worker: worker, now: now), worker: worker)
    }

    /// Reconnect: no server asked for before now is used again. Idle ones are listed for closing, busy ones close when
    /// they come back, those being opened close when they are open.
    package mutating func reconnect() -> [PlannedClose] {
        self.epoch &+= 1
        return self.giveUpIdle(because: .reconnect)
    }

    /// These servers, and no others, are not used again: idle ones are listed for closing, busy ones close when they
    /// come back. Unknown names are ignored.
    package mutating func leave(_ servers: [ServerID]) -> [PlannedClose] {
        var closes: [PlannedClose] = []
        for server in servers {
            guard let index = self.servers.index(of: server) else { continue }
            self.servers[index].isLeft = true
            if self.servers[index].state == .idle { closes.append(self.giveUp(index, because: .left)) }
        }
        return closes
    }

    /// A server that was idle does not answer any more, nor has its connection ended: the host is gone, or the way to
    /// it, and those that have been idle for so long that they would be checked hang on the same. They are listed for
    /// closing, so that nobody has to wait for each of them.
    package mutating func giveUpDoubtful(now: Microseconds) -> [PlannedClose] {
        let checkAfter = self.limits.serverIdleCheckTimeout
        guard checkAfter > 0 else { return [] }
        var closes: [PlannedClose] = []
        for index in self.idleOldestFirst() where now - self.servers[index].lastUsed > checkAfter {
            closes.append(self.giveUp(index, because: .doubtful))
        }
        return closes
    }

    /// The pool leaves the settings: waiters are still served, but nothing is kept. Idle servers are listed for
    /// closing, busy ones close when they come back and nobody waits. When `isEmpty` the driver may drop the machine.
    package mutating func drain() -> [PlannedClose] {
        self.isDraining = true
        return self.giveUpIdle(because: .draining)
    }

    /// Takes new limits over; they count at once for servers and waiters that are there.
    ///
    /// When the pool size fell below the number of servers, idle ones are listed for closing, oldest first, as far as
    /// needed; busy ones close when they come back. When it rose, `nextOpen` says what is due.
    package mutating func update(limits: PoolLimits) -> [PlannedClose] {
        self.limits = limits.clamped
        var closes: [PlannedClose] = []
        guard self.servers.counts.staying > self.limits.poolSize else { return closes }
        for index in self.idleOldestFirst() where self.servers.counts.staying > self.limits.poolSize {
            closes.append(self.giveUp(index, because: .overLimit))
        }
        return closes
    }

    private mutating func giveUpIdle(because reason: CloseReason) -> [PlannedClose] {
        var closes: [PlannedClose] = []
        for index in self.idleOldestFirst() {
            closes.append(self.giveUp(index, because: reason))
        }
        return closes
    }

    private mutating func giveUp(_ index: Int, because reason: CloseReason) -> PlannedClose {
        self.leaveIdle(index, for: .closing)
        return PlannedClose(server: self.servers.name(of: index), reason: reason)
    }

    private func idleOldestFirst() -> [Int] {
        var found: [Int] = []
        found.reserveCapacity(self.servers.counts.idle)
        var cursor = self.idle.first
        while let index = cursor {
            found.append(index)
            cursor = self.idle.next(after: index)
        }
        // Slots opened at the same time keep one order on every run.
        return found.sorted { (self.servers[$0].openedAt, $0) < (self.servers[$1].openedAt, $1) }
    }
}
