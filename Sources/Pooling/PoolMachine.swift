/// The decisions of one pool, the servers of one (database, user): who gets which server, when one is opened, when one
/// is closed. Shared by all workers; called under the pool's one lock, every step short and, once the slots exist,
/// without an allocation.
///
/// The machine holds no connection. It hands out names (`ServerID`, `WaiterID`); the driver keeps connections and
/// clients in arrays by `slot`, and does what an outcome says after the lock is released. Every name handed out comes
/// back once:
///
/// | the machine says | the driver later says |
/// |---|---|
/// | `.server`, `.grant`, `claimIdle` true | `checkin`, or `closed` when the connection is gone |
/// | `.open`, `nextOpen`, `HousekeepingPlan.opens` | `opened`, `openFailed`, or `closed` when the driver gives it up |
/// | `.stale`, `.close`, a `PlannedClose` | `closed` |
/// | `.wait`, `.open` (its waiter) | nothing after a grant or failure; `cancelWait` when the client leaves |
///
/// After `opened`, `openFailed`, `closed`, `update(limits:)` and on every tick the driver calls `nextOpen` until nil.
///
/// Always true: opening + idle + busy + closing stays within the pool size (after the size was lowered: never grows
/// until it does); nobody waits while a server is idle. `violation()` checks what can be seen from one state.
package struct PoolMachine: Sendable {
    /// How long no server is opened for waiters after one could not be opened while others live.
    package static let openRetryDelay: Microseconds = 1_000_000

    /// A server past its lifetime is still granted while clients wait, until this many lifetimes have passed:
    /// a saturated pool neither stalls on replacements nor keeps a server for ever.
    package static let lifetimesUnderPressure: Int64 = 2

    package internal(set) var limits: PoolLimits
    let workerCount: Int
    var servers = ServerTable()
    var idle: WorkerOrder
    var waiters: WaitQueue
    var jitter: JitterSource
    /// Raised by `reconnect()`; a server of an earlier epoch is not used again.
    var epoch: UInt32 = 0
    /// No opening for waiters before this time while servers live.
    var heldUntil: Microseconds = .min
    /// The worker that opens the next server nobody asked for.
    var nextPrewarmWorker = 0
    /// How many of these may still be opened before the next `beginPrewarm`.
    var prewarmsLeft = 0
    package internal(set) var isDraining = false

    /// - Parameters:
    ///   - workerCount: workers are named 0 ..< workerCount in every call.
    ///   - seed: where the ±20 % of lifetime and idle timeout start from.
    package init(limits: PoolLimits, workerCount: Int, seed: UInt64) {
        self.limits = limits.clamped
        self.workerCount = max(workerCount, 1)
        self.idle = WorkerOrder(workerCount: self.workerCount)
        self.waiters = WaitQueue(workerCount: self.workerCount)
        self.jitter = JitterSource(seed: seed)
    }

    /// A client of `worker` asks for a server.
    ///
    /// An idle server of this worker is taken first, else one of another worker; else the client is queued behind all
    /// who wait, and one more server is opened when there is room and no opening under way would serve this client.
    /// - Parameter since: when the client first asked, if it asks again because the server it was given turned out
    ///   dead or stale. It then keeps that place in the queue and that deadline.
    package mutating func checkout(worker: Int, since: Microseconds? = nil, now: Microseconds) -> Checkout {
        // Nobody waits while a server is idle, so taking one overtakes nobody.
        if let index = self.preferredIdle(of: worker) {
            return self.takeIdle(index, worker: worker, now: now)
        }
        let waiter: WaiterID
        if let since {
            waiter = self.waiters.insert(worker: worker, since: since, timeout: self.limits.queryWaitTimeout)
        } else {
            waiter = self.waiters.append(worker: worker, since: now, timeout: self.limits.queryWaitTimeout)
        }
        guard self.shouldOpenForWaiters(now: now) else { return .wait(waiter) }
        return .open(self.reserve(worker: worker, now: now), waiter)
    }

    /// A client is done with a server, or a claimed server turned out healthy; `worker` holds its descriptor.
    package mutating func checkin(_ server: ServerID, worker: Int, now: Microseconds) -> Checkin {
        guard let index = self.servers.index(of: server, in: .busy) else { return .close(.unknown) }
        return self.settle(index, worker: worker, now: now)
    }

    /// A server is open and logged in; `worker` holds its descriptor.
    package mutating func opened(_ server: ServerID, worker: Int, now: Microseconds) -> Checkin {
        guard let index = self.servers.index(of: server, in: .opening) else { return .close(.unknown) }
        self.servers[index].openedAt = now
        self.servers[index].lastUsed = now
        self.servers.setState(.busy, of: index)
        self.heldUntil = .min
        return self.settle(index, worker: worker, now: now)
    }

    /// Traffic came on an idle server, or its connection ended: takes it out of the idle ones, so that nobody gets it
    /// while the driver looks. `false` when it is not idle any more: its new owner will see the traffic.
    package mutating func claimIdle(_ server: ServerID) -> Bool {
        guard let index = self.servers.index(of: server, in: .idle) else { return false }
        self.leaveIdle(index, for: .busy)
        return true
    }

    /// The connection of a server is gone; its slot is free. Unknown names are ignored.
    package mutating func closed(_ server: ServerID) {
        guard let index = self.servers.index(of: server) else { return }
        if self.servers[index].state == .idle {
            self.leaveIdle(index, for: .closing)
        }
        self.servers.vacate(index)
    }

    /// One of the worker's own, so that no descriptor moves, else any.
    private func preferredIdle(of worker: Int) -> Int? {
        self.limits.isRoundRobin
            ? self.idle.first(of: worker) ?? self.idle.first
            : self.idle.last(of: worker) ?? self.idle.last
    }

    private mutating func takeIdle(_ index: Int, worker: Int, now: Microseconds) -> Checkout {
        let slot = self.servers[index]
        let name = self.servers.name(of: index)
        if slot.isPast(lifetime: self.limits.serverLifetime, times: 1, now: now) {
            self.leaveIdle(index, for: .closing)
            return .stale(name, .lifetime)
        }
        let checkAfter = self.limits.serverIdleCheckTimeout
        let needsCheck = checkAfter > 0 && now - slot.lastUsed > checkAfter
        self.leaveIdle(index, for: .busy)
        self.servers[index].handOut(to: worker, now: now)
        return .server(name, needsCheck: needsCheck)
    }

    /// Decides about a busy server that has no client: close it, give it to a waiter, or keep it.
    private mutating func settle(_ index: Int, worker: Int, now: Microseconds) -> Checkin {
        if let reason = self.reasonToClose(index, now: now) {
            self.servers.setState(.closing, of: index)
            self.servers[index].rest(on: worker, now: now)
            return .close(reason)
        }
        if let next = self.waiters.popFirst(for: worker, window: self.limits.sameWorkerWindow) {
            self.servers[index].handOut(to: next.worker, now: now)
            return .grant(next.waiter, worker: next.worker)
        }
        self.servers.setState(.idle, of: index)
        self.servers[index].rest(on: worker, now: now)
        self.idle.append(index, worker: worker)
        return .idle
    }

    private func reasonToClose(_ index: Int, now: Microseconds) -> CloseReason? {
        if self.servers[index].epoch != self.epoch { return .reconnect }
        if self.servers[index].isLeft { return .left }
        if self.servers.counts.staying > self.limits.poolSize { return .overLimit }
        let isUnderPressure = self.waiters.count > 0
        let lifetimes = isUnderPressure ? Self.lifetimesUnderPressure : 1
        if self.servers[index].isPast(lifetime: self.limits.serverLifetime, times: lifetimes, now: now) {
            return .lifetime
        }
        return self.isDraining && !isUnderPressure ? .draining : nil
    }

    /// Takes an idle server out of the idle ones into another state.
    mutating func leaveIdle(_ index: Int, for state: ServerState) {
        self.idle.remove(index, worker: Int(self.servers[index].worker))
        self.servers.setState(state, of: index)
    }
}
