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
    /// One that cannot be opened brings none: the next housekeeping tries again. Any worker.
    func openMinimum(home: WorkerHome) {
        guard !self.awaitsFirstLogin else { return }
        self.state.withLock { $0.machine.beginPrewarm() }
        self.openMoreOfMinimum(home: home)
    }

    /// A server of the minimum may have been opened: the next.
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
        let (outcome, client) = self.state.withLock { state -> (OpenFailure, ClientConnection?) in
            state.remove(server.id)
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
        if self.awaitsFirstLogin {
            for due in plan.opens { self.state.withLock { $0.machine.closed(due.server) } }
        } else {
            for due in plan.opens { self.start(due, home: home) }
        }
        self.openDue(home: home)
        return plan.closes.count
    }

    /// Opens the minimum of a pool that has just been made.
    func prewarm(home: WorkerHome) {
        guard self.state.withLock({ $0.machine.limits.minPoolSize > 0 && $0.machine.isEmpty }) else { return }
        self.openMinimum(home: home)
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
            server.retire(planned.reason.rawValue)
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

    /// Servers cannot be opened without a client: its proof is what opens them, and none has come yet.
    var awaitsFirstLogin: Bool {
        guard self.plan.isPassthrough, self.plan.md5Hash == nil, self.plan.storedSecret != nil else { return false }
        return self.state.withLock { $0.credential.isMissing }
    }

    /// An opening failed for want of a credential that is known by now: no client is to blame.
    func openAbandoned(_ server: ServerConnection, home: WorkerHome) {
        self.closed(server, home: home)
        self.openMinimum(home: home)
    }
}

/// Why a client gets no server. The texts are for the client.
enum CheckoutFailure: Error, Sendable {
    case waitTimeout(Microseconds)
    /// PostgreSQL's own words.
    case server(ServerMessageFields)
    case connect(String)
    case login(String)
    case poolRemoved
    case shuttingDown

    var fields: ServerMessageFields {
        switch self {
        case .waitTimeout(let timeout):
            return ServerMessageFields(
                severity: .fatal,
                sqlState: .tooManyConnections,
                message: "query_wait_timeout: no server connection became free within \(timeout / 1000) ms"
            )
        case .server(let fields):
            var own = fields
            own.set(UInt8(ascii: "S"), to: "FATAL")
            own.set(UInt8(ascii: "V"), to: "FATAL")
            return own
        case .connect(let text):
            return ServerMessageFields(severity: .fatal, sqlState: .connectionFailure, message: text)
        case .login(let text):
            return ServerMessageFields(severity: .fatal, sqlState: .connectionFailure, message: text)
        case .poolRemoved:
            return ServerMessageFields(
                severity: .fatal,
                sqlState: .adminShutdown,
                message: "the pool of this session has left the settings"
            )
        case .shuttingDown:
            return ServerMessageFields(
                severity: .fatal,
                sqlState: .adminShutdown,
                message: "terminating connection due to administrator command"
            )
        }
    }
}

extension CheckoutFailure {
    /// Why a login ends that needed a server.
    var reason: AuthFailure.Reason {
        switch self {
        case .server: .serverRefused
        case .shuttingDown: .shuttingDown
        case .waitTimeout, .connect, .login, .poolRemoved: .serverUnavailable
        }
    }
}
