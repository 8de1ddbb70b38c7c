/// Opening servers: when one is due, who opens it, and what follows when it cannot be opened.
extension PoolMachine {
    /// The next server to open for those who wait, and the worker to do it, that of the oldest waiter.
    ///
    /// One is due when more clients wait than servers are being opened, the pool has room, fewer than
    /// `maxConcurrentCreates` are under way, and no failed attempt holds opening back. Call until nil.
    package mutating func nextOpen(now: Microseconds) -> PlannedOpen? {
        guard self.shouldOpenForWaiters(now: now), let oldest = self.waiters.oldest else { return nil }
        return PlannedOpen(server: self.reserve(worker: oldest.worker, now: now), worker: oldest.worker)
    }

    /// A server could not be opened; its slot is free again.
    ///
    /// While no server lives, each failure ends the wait of one client, the oldest, with the error: clients of a server
    /// that is down hear so at once instead of waiting out their deadline. While servers live, the waiters are served
    /// by them, and the next attempt waits for `openRetryDelay`. The delay ends early when an opening succeeds or the
    /// last server goes.
    package mutating func openFailed(_ server: ServerID, now: Microseconds) -> OpenFailure {
        if let index = self.servers.index(of: server, in: .opening) {
            self.servers.vacate(index)
        }
        if self.servers.counts.live > 0 {
            self.heldUntil = now + Self.openRetryDelay
            return .heldBack(until: self.heldUntil)
        }
        guard let oldest = self.waiters.popOldest() else { return .nobodyWaiting }
        return .failWaiter(oldest.waiter, worker: oldest.worker)
    }

    func shouldOpenForWaiters(now: Microseconds) -> Bool {
        self.waiters.count > self.servers.counts.opening && self.mayOpen(now: now)
    }

    func mayOpen(now: Microseconds) -> Bool {
        let counts = self.servers.counts
        return counts.total < self.limits.poolSize
            && counts.opening < self.limits.maxConcurrentCreates
            && (now >= self.heldUntil || counts.live == 0)
    }

    /// Takes a slot for a server that `worker` is about to open.
    mutating func reserve(worker: Int, now: Microseconds) -> ServerID {
        let (index, isNew) = self.servers.take()
        if isNew { self.idle.addSlot() }
        let generation = self.servers[index].generation
        self.servers[index] = ServerSlot(
            lifetimeJitter: self.jitter.perMille(),
            idleJitter: self.jitter.perMille(),
            worker: Int32(truncatingIfNeeded: worker),
            generation: generation,
            epoch: self.epoch,
            openedAt: now,
            lastUsed: now
        )
        self.servers.setState(.opening, of: index)
        return self.servers.name(of: index)
    }
}
