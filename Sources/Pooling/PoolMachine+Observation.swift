/// One server as the console shows it. Durations are in microseconds.
package struct ServerRecord: Sendable, Equatable {
    package let server: ServerID
    package let state: ServerState
    /// The worker that has its descriptor or opens it.
    package let worker: Int
    /// When it was opened; for one being opened, when that began.
    package let openedAt: Microseconds
    /// When it was last handed out or became idle.
    package let lastUsed: Microseconds
    /// A client had it at least once.
    package let wasUsed: Bool
    /// Its own lifetime and idle timeout, deviation included; 0 is off.
    package let lifetime: Microseconds
    package let idleTimeout: Microseconds
}

/// Looking at a pool. Nothing here changes it.
extension PoolMachine {
    package var counts: PoolCounts {
        var counts = self.servers.counts
        counts.waiting = self.waiters.count
        return counts
    }

    /// No server has a slot and nobody waits.
    package var isEmpty: Bool { self.servers.counts.total == 0 && self.waiters.count == 0 }

    /// How long the oldest waiter has waited; 0 when nobody waits.
    package func maxWait(now: Microseconds) -> Microseconds {
        guard let oldest = self.waiters.oldest else { return 0 }
        return max(now - oldest.since, 0)
    }

    /// How long the server that has been lent longest has been; 0 when none is lent. Walks over all servers; for the
    /// console.
    package func oldestLoan(now: Microseconds) -> Microseconds {
        var since = now
        for slot in self.servers.slots where slot.state == .busy { since = min(since, slot.busySince) }
        return now - since
    }

    /// One server, or nil when the name has ended.
    package func record(of server: ServerID) -> ServerRecord? {
        self.servers.index(of: server).flatMap { self.record(at: $0) }
    }

    /// Every server, by slot. Allocates; for the console.
    package func records() -> [ServerRecord] {
        self.servers.slots.indices.compactMap { self.record(at: $0) }
    }

    private func record(at index: Int) -> ServerRecord? {
        let slot = self.servers[index]
        guard let state = slot.state else { return nil }
        return ServerRecord(
            server: self.servers.name(of: index),
            state: state,
            worker: Int(slot.worker),
            openedAt: slot.openedAt,
            lastUsed: slot.lastUsed,
            wasUsed: slot.wasUsed,
            lifetime: JitterSource.apply(slot.lifetimeJitter, to: self.limits.serverLifetime),
            idleTimeout: JitterSource.apply(slot.idleJitter, to: self.limits.idleTimeout)
        )
    }
}
