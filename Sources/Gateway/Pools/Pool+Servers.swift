import AuthProviders
import Logging
import PGWire
import Pooling
import Reactor
import Sessions
import Synchronization

/// How servers come and go: opening, failures, deaths, housekeeping.
extension Pool {
    /// Starts a server connection in the slot `id` that the machine reserved. On `home`'s worker.
    func open(_ id: ServerID, on home: WorkerHome) {
        let server = ServerConnection(id: id, pool: self, home: home)
        let (credential, number) = self.state.withLock { state in
            state.place(server)
            return (state.credential.current, state.credential.number)
        }
        server.credentialNumber = number
        server.open(credential: credential)
    }

    /// Opens what those who wait still need. Any worker.
    func openDue(home: WorkerHome) {
        while let due = self.state.withLock({ $0.machine.nextOpen(now: home.worker.now) }) {
            self.start(due, home: home)
        }
    }

    /// Opens what is missing of the minimum, as many at a time as may be; each that has been opened brings the next.
    /// One that cannot be opened brings none: the next housekeeping tries again, unless the user was refused. Any
    /// worker.
    func openMinimum(home: WorkerHome) {
        guard !self.awaitsLogin else { return }
        self.state.withLock { $0.machine.beginPrewarm() }
        self.openMoreOfMinimum(home: home)
    }

    /// A server of the minimum may have been opened, or others have been closed: the next.
    func openMoreOfMinimum(home: WorkerHome) {
        while let due = self.state.withLock({ $0.machine.nextPrewarm(now: home.worker.now) }) {
            self.start(due, home: home)
        }
    }

    private func start(_ due: PlannedOpen, home: WorkerHome) {
        if due.worker == home.worker.index {
            self.open(due.server, on: home)
        } else {
            let target = self.gateway.homes[due.worker]
            target.worker.execute { self.open(due.server, on: target) }
        }
    }

    /// A server could not be opened.
    func openFailed(_ server: ServerConnection, reason: CheckoutFailure, home: WorkerHome) {
        let now = home.worker.now
        let text = reason.fields.message
        let (outcome, client) = self.state.withLock { state -> (OpenFailure, ClientConnection?) in
            state.remove(server.id)
            state.openFailure = text
            let outcome = state.machine.openFailed(server.id, now: now)
            if case .failWaiter(let waiter, _) = outcome { return (outcome, state.take(waiter)) }
            return (outcome, nil)
        }
        if case .failWaiter(_, let worker) = outcome, let client {
            if worker == home.worker.index {
                client.checkoutFailed(reason)
            } else {
                self.gateway.homes[worker].worker.execute { client.checkoutFailed(reason) }
            }
        }
        if case .heldBack = outcome { home.watch(self) }
        self.openDue(home: home)
    }

    /// A server that was open is gone.
    func closed(_ server: ServerConnection, home: WorkerHome) {
        self.state.withLock { state in
            state.remove(server.id)
            state.machine.closed(server.id)
        }
        self.openDue(home: home)
    }

    /// Traffic on a server that is registered at `home` but idle: wins it for a look, unless somebody else has it.
    func claimIdle(_ server: ServerConnection, home: WorkerHome) -> Bool {
        self.state.withLock { state in
            guard let record = state.machine.record(of: server.id), record.worker == home.worker.index
            else { return false }
            return state.machine.claimIdle(server.id)
        }
    }

    /// What time and settings ask for. Returns how many servers were closed.
    func housekeep(closeBudget: Int, home: WorkerHome) -> Int {
        let plan = self.state.withLock { $0.machine.housekeeping(now: home.worker.now, closeBudget: closeBudget) }
        self.close(plan.closes, home: home)
        let mayOpen = !self.awaitsLogin
        if mayOpen {
            for due in plan.opens { self.start(due, home: home) }
        } else {
            for due in plan.opens { self.state.withLock { $0.machine.closed(due.server) } }
        }
        self.openDue(home: home)
        // What has been closed may have filled the pool until now.
        if mayOpen, !plan.closes.isEmpty { self.openMoreOfMinimum(home: home) }
        return plan.closes.count
    }

    /// Somebody logs in: opens the minimum of a pool that has just been made, or whose servers have all gone. Whoever
    /// was refused may have been let in again.
    func prewarm(home: WorkerHome) {
        let isWanted = self.state.withLock { state -> Bool in
            state.isRefused = false
            return state.machine.limits.minPoolSize > 0 && state.machine.isEmpty
        }
        if isWanted { self.openMinimum(home: home) }
    }

    /// Closes idle servers that a machine step has taken out; their descriptors may be registered anywhere.
    func close(_ closes: [PlannedClose], home: WorkerHome) {
        for planned in closes {
            guard let server = self.state.withLock({ $0.server(planned.server) }) else {
                self.state.withLock { $0.machine.closed(planned.server) }
                continue
            }
            home.worker.adopt(server)
            server.home = home
            server.end(planned.reason.rawValue)
        }
    }

    /// A server that was idle does not answer any more: those that have been idle for as long go with it.
    func closeDoubtful(home: WorkerHome) {
        self.close(self.state.withLock { $0.machine.giveUpDoubtful(now: home.worker.now) }, home: home)
    }

    /// The gateway stops: idle servers are told goodbye, and those that come back close.
    func dismissServers(home: WorkerHome) {
        self.close(self.state.withLock { $0.machine.drain() }, home: home)
    }

    /// The pool has left the registry. Waiters are sent to look their pool up again; servers close as they come back.
    func retire(home: WorkerHome) {
        self.isRetired.store(true, ordering: .releasing)
        let (closes, waiting) = self.state.withLock { state in
            let closes = state.machine.drain()
            return (closes, state.waiters.compactMap { $0 })
        }
        self.close(closes, home: home)
        for client in waiting { client.home.worker.execute { client.poolRetired(self) } }
    }

    /// Idle servers close now, busy ones when they come back; the next ones are new.
    func reconnect(home: WorkerHome) {
        let closes = self.state.withLock { $0.machine.reconnect() }
        self.close(closes, home: home)
    }

    /// The same with those at these addresses, as they are written in logs.
    func leave(_ addresses: Set<String>, home: WorkerHome) {
        let closes = self.state.withLock { state -> [PlannedClose] in
            var meant: [ServerID] = []
            // Not those being opened: where they will be is not known.
            for record in state.machine.records() where record.state == .idle || record.state == .busy {
                guard let address = state.server(record.server)?.address else { continue }
                if addresses.contains(address.description) { meant.append(record.server) }
            }
            return state.machine.leave(meant)
        }
        self.close(closes, home: home)
    }

    /// Takes over the credential that a login has proven.
    ///
    /// - Returns: true where it is the first: nothing could be opened before.
    @discardableResult
    func learn(from identity: AuthenticatedIdentity) -> Bool {
        guard self.plan.isPassthrough else { return false }
        let isSure = identity.secretOrigin != nil
        return self.state.withLock { state in
            let wasMissing = state.credential.isMissing
            state.credential.learn(identity.credential, isSure: isSure)
            return wasMissing && !state.credential.isMissing
        }
    }

    /// A server has refused what was to open it. True where there is something else by now.
    func credentialRefused(_ number: Int) -> Bool {
        guard self.plan.isPassthrough else { return false }
        return self.state.withLock { $0.credential.refused(number) }
    }

    /// A server has refused the user, and there is nothing else to try. Where the settings do not list it, the role may
    /// be gone, or may never have been there.
    func userRefused() {
        guard self.plan.isDynamic else { return }
        self.state.withLock { state in
            if state.machine.counts.live == 0 { state.isRefused = true }
        }
    }

    /// A login was checked against the server's own secret. When it is another one than at the login before, the
    /// password was changed, or the name is another role's now (renamed, or dropped and made again): servers that were
    /// opened under the earlier one may belong to somebody else, and are handed out no more.
    func noteSecret(_ secret: StoredSecret, home: WorkerHome) {
        let isAnother = self.state.withLock { state in
            let known = state.secret
            state.secret = secret
            return known != nil && known != secret
        }
        guard isAnother else { return }
        self.gateway.log.info("another secret: new servers", metadata: ["pool": .string(self.key.description)])
        self.reconnect(home: home)
    }
}

extension Pool {
    /// Takes over what logins have taught the pool that this one replaces, if it concerns the same secret.
    func inherit(from old: Pool) {
        guard self.plan.isPassthrough, old.plan.isPassthrough, self.plan.storedSecret == old.plan.storedSecret
        else { return }
        let (credential, secret) = old.state.withLock { ($0.credential, $0.secret) }
        self.state.withLock { state in
            state.credential.inherit(from: credential)
            // What is opened with that credential belongs to the role of that secret.
            state.secret = secret
        }
    }

    /// Servers are not opened in advance: a client's proof is what opens them, and none has come yet, or the user was
    /// refused with what has come.
    var awaitsLogin: Bool {
        let needsProof = self.plan.isPassthrough && self.plan.md5Hash == nil && self.plan.storedSecret != nil
        return self.state.withLock { $0.isRefused || (needsProof && $0.credential.isMissing) }
    }

    /// An opening failed for want of a credential that is known by now: no client is to blame.
    func openAbandoned(_ server: ServerConnection, home: WorkerHome) {
        self.closed(server, home: home)
        self.openMinimum(home: home)
    }
}
