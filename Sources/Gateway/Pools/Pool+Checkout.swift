import Pooling
import Reactor
import Synchronization
import Telemetry

/// How sessions get servers and give them back. Every function is called on the worker that owns the session or the
/// server in question, never under the lock.
extension Pool {
    enum Assignment {
        /// The server belongs to the caller's worker and to the client from now on.
        case server(ServerConnection, needsCheck: Bool)
        /// `client.granted` or `client.checkoutFailed` follows.
        case waiting(WaiterID)
    }

    /// What a machine step under the lock decided, with objects in place of indices.
    private enum Decision {
        case use(ServerConnection, needsCheck: Bool)
        case close(ServerConnection?, ServerID, CloseReason)
        case open(ServerID, WaiterID)
        case wait(WaiterID)
    }

    /// - Parameter since: when the client first asked, if this is not the first try for this request.
    func checkout(
        for client: ClientConnection,
        home: WorkerHome,
        since: MonotonicMicroseconds? = nil
    ) -> Assignment {
        let now = home.worker.now
        while true {
            switch self.decide(client: client, worker: home.worker.index, since: since, now: now) {
            case .use(let server, let needsCheck):
                home.worker.adopt(server)
                server.home = home
                return .server(server, needsCheck: needsCheck)
            case .close(let server, let id, let reason):
                if let server {
                    home.worker.adopt(server)
                    server.home = home
                    server.end(reason.rawValue)
                } else {
                    self.state.withLock { $0.machine.closed(id) }
                }
            case .open(let id, let waiter):
                home.watch(self)
                self.open(id, on: home)
                return .waiting(waiter)
            case .wait(let waiter):
                home.watch(self)
                return .waiting(waiter)
            }
        }
    }

    private func decide(
        client: ClientConnection,
        worker: Int,
        since: MonotonicMicroseconds?,
        now: MonotonicMicroseconds
    ) -> Decision {
        self.state.withLock { state in
            switch state.machine.checkout(worker: worker, since: since, now: now) {
            case .server(let id, let needsCheck):
                guard let server = state.server(id) else { return .close(nil, id, .unknown) }
                return .use(server, needsCheck: needsCheck)
            case .stale(let id, let reason):
                return .close(state.server(id), id, reason)
            case .open(let id, let waiter):
                state.queue(client, as: waiter)
                return .open(id, waiter)
            case .wait(let waiter):
                state.queue(client, as: waiter)
                return .wait(waiter)
            }
        }
    }

    /// The server is clean and belongs to nobody: idle, or straight to the first waiter.
    func checkin(_ server: ServerConnection, home: WorkerHome) {
        // Published before the lock is taken: once it is released another worker may already own the server.
        home.worker.share(server)
        let counts = server.takeCounts()
        let (step, client) = self.state.withLock { state -> (Checkin, ClientConnection?) in
            state.facts[server.id.slot].counts.add(counts)
            let step = state.machine.checkin(server.id, worker: home.worker.index, now: home.worker.now)
            return (step, state.client(grantedBy: step))
        }
        self.settle(server, step: step, client: client, home: home)
    }

    /// A server has logged in: it is counted, and goes to the first waiter or becomes idle.
    func opened(_ server: ServerConnection, home: WorkerHome) {
        home.worker.share(server)
        let (step, client) = self.state.withLock { state -> (Checkin, ClientConnection?) in
            state.facts[server.id.slot].processID = server.processID
            state.facts[server.id.slot].applicationName = self.plan.applicationName
            state.facts[server.id.slot].isLoggedIn = true
            state.facts[server.id.slot].tls = server.tls
            let step = state.machine.opened(server.id, worker: home.worker.index, now: home.worker.now)
            return (step, state.client(grantedBy: step))
        }
        self.settle(server, step: step, client: client, home: home)
        self.openDue(home: home)
        self.openMoreOfMinimum(home: home)
    }

    private func settle(_ server: ServerConnection, step: Checkin, client: ClientConnection?, home: WorkerHome) {
        switch step {
        case .idle:
            return
        case .close(let reason):
            home.worker.unshare(server)
            server.end(reason.rawValue)
        case .grant(_, let worker):
            home.worker.unshare(server)
            self.grant(server, to: client, worker: worker, home: home)
        }
    }

    /// Hands a server to a waiting client, on this worker or on another: the descriptor moves, the bytes do not.
    private func grant(_ server: ServerConnection, to client: ClientConnection?, worker: Int, home: WorkerHome) {
        guard let client else {
            self.checkin(server, home: home)
            return
        }
        if worker == home.worker.index {
            client.granted(server)
            return
        }
        let target = self.gateway.homes[worker]
        server.reservedFor = client
        server.home = target
        home.worker.detach(server)
        target.worker.send(server, code: ServerConnection.Post.granted)
    }

    /// The client does not wait any more. False when a server is already on its way to it: it will be checked in when
    /// it arrives and finds nobody.
    func cancelWait(_ waiter: WaiterID) -> Bool {
        self.state.withLock { state in
            guard state.machine.cancelWait(waiter) else { return false }
            _ = state.take(waiter)
            return true
        }
    }

    /// When a client that asked for a server at `since` has waited for `query_wait_timeout`.
    func waitDeadline(since: MonotonicMicroseconds) -> MonotonicMicroseconds {
        let timeout = self.state.withLock { $0.machine.limits.queryWaitTimeout }
        let (deadline, overflows) = since.addingReportingOverflow(timeout)
        return timeout <= 0 || overflows ? .max : deadline
    }

    /// When a server that is asked for a sign of life is given up: half-way, so that there is time for another one.
    func checkDeadline(since: MonotonicMicroseconds, home: WorkerHome) -> MonotonicMicroseconds {
        let (end, now) = (self.waitDeadline(since: since), home.worker.now)
        return end == .max ? end : now + max(end - now, 0) / 2
    }

    /// What is told a client of `home` that has waited here for as long as it may.
    func waitTimeout(of client: ClientConnection, home: WorkerHome) -> CheckoutFailure {
        let waited = max(home.worker.now - client.waitingSince, 0)
        return .waitTimeout(waited, openFailure: self.state.withLock { $0.openFailure })
    }

    /// Ends the wait of this worker's clients whose deadline has passed. Returns the next
    /// deadline, or nil when nobody waits in the pool.
    func expireWaiters(home: WorkerHome) -> MonotonicMicroseconds? {
        let worker = home.worker.index
        while true {
            let expired = self.state.withLock { state -> ClientConnection?? in
                guard let waiter = state.machine.expireWaiters(worker: worker, now: home.worker.now) else { return nil }
                return .some(state.take(waiter))
            }
            guard let expired else { break }
            if let client = expired {
                client.checkoutFailed(self.waitTimeout(of: client, home: home))
            } else {
                home.counters(of: self).waitTimeouts.add(1)
            }
        }
        self.openDue(home: home)
        return self.state.withLock { state in
            if state.machine.counts.waiting == 0 { return nil }
            return state.machine.nextWaiterDeadline(worker: worker) ?? .max
        }
    }
}
