import AuthProviders
import Logging
import PGWire
import Pooling
import Reactor
import Sessions
import Settings
import Synchronization

/// From the proof to ReadyForQuery: route and welcome.
extension ClientConnection {
    /// The client has proved who it is.
    func admit(_ identity: AuthenticatedIdentity, login: LoginState) throws(AuthFailure) {
        login.identity = identity
        login.stage = .over
        self.proved(login)
        self.throttleProved(login)
        let snapshot = self.home.snapshot
        if snapshot.isConsole(self.database) {
            // A provider that keeps no list of users of its own may have proved anybody.
            guard identity.user.hasSameBytes(as: snapshot.settings.general.adminUsername) else {
                self.sendUnsent(of: login)
                throw .consoleForbidden(user: identity.user)
            }
            self.sendUnsent(of: login)
            self.welcomeToConsole(login)
            return
        }
        if let name = identity.applicationName { self.requested = self.requested.named(name) }
        self.gateway.authQueries.noteSuccess(identity, database: self.database)
        guard let pool = self.pinPool(of: identity) else {
            self.sendUnsent(of: login)
            // Reached by a user whom a rule trusts but who has no pool.
            throw .poolMissing(user: identity.user, database: self.database)
        }
        login.keep(pool)
        let recalled = pool.recall(self.requested)
        self.parameters = recalled.parameters
        if let greeting = recalled.greeting {
            try self.enter(greeting, method: identity.method, login: login)
            return
        }
        self.sendUnsent(of: login)
        Task(executorPreference: self.home.worker) {
            do throws(AuthFailure) {
                let (asked, answer) = await self.learnWelcome(startingWith: pool, of: identity, login: login)
                switch answer {
                case .success(let welcome):
                    let greeting = welcome.greeting(for: self.parameters, named: asked.plan.applicationName)
                    try self.enter(greeting, method: identity.method, login: login)
                case .failure(let failure):
                    throw self.authFailure(for: failure, login: login)
                }
            } catch {
                self.loginFailed(error, login: login)
            }
        }
    }

    /// Where the identity works, with the credential of its login.
    private func pinPool(of identity: AuthenticatedIdentity) -> Pool? {
        // More than one only where a reload came between the look at the settings and the one at the pools.
        for _ in 0..<8 {
            let snapshot = self.home.snapshot
            let route = snapshot.route(identity, database: self.database)
            switch self.gateway.pools.pin(route, of: snapshot.generation, gateway: self.gateway, home: self.home) {
            case .outdated: continue
            case .missing: return nil
            case .pool(let pool):
                if case .settings = route {
                    if pool.learn(from: identity) { pool.openMinimum(home: self.home) }
                } else if pool.plan.isDynamic {
                    // Else a pool of the settings stands in its place: its secret is another one.
                    pool.learn(from: identity)
                    if let secret = identity.secretOrigin?.copy { pool.noteSecret(secret, home: self.home) }
                    pool.prewarm(home: self.home)
                }
                return pool
            }
        }
        return nil
    }

    private func sendUnsent(of login: LoginState) {
        self.send(login.unsent)
        login.unsent = []
    }

    /// The same over reloads: a login that waits in a pool which is replaced goes on in the one that took its place.
    private func learnWelcome(
        startingWith first: Pool,
        of identity: AuthenticatedIdentity,
        login: LoginState
    ) async -> (Pool, Result<Welcome, CheckoutFailure>) {
        var pool = first
        self.waitingSince = self.home.worker.now
        while true {
            let result = await self.learnWelcome(from: pool, isFirst: pool === first, login: login)
            guard case .failure(.poolRemoved) = result else { return (pool, result) }
            guard login.endReason == nil, let next = self.pinPool(of: identity) else {
                self.countVainWait(in: pool)
                return (pool, result)
            }
            login.keep(next)
            if next === pool { return (pool, result) }
            self.parameters = next.recall(self.requested).parameters
            pool = next
        }
    }

    /// No server has told yet what it reports to a session with these parameters: ask one. When that breaks away, which
    /// is how a server that was idle for long often ends, ask the next.
    ///
    /// - Parameter isFirst: false in the place of a pool that was replaced: the wait goes on.
    private func learnWelcome(
        from pool: Pool,
        isFirst: Bool,
        login: LoginState
    ) async -> Result<Welcome, CheckoutFailure> {
        let deadline = pool.waitDeadline(since: self.waitingSince)
        // Each of its servers may be dead.
        var triesLeft = pool.plan.limits.poolSize
        var since = isFirst ? nil : self.waitingSince
        while true {
            // Who left before this task had its turn would never be told of a server.
            guard self.isHere(login) else { return self.noServer(.shuttingDown, of: pool) }
            switch await self.server(of: pool, since: since, login: login) {
            case .failure(let failure): return self.noServer(failure, of: pool)
            case .success(let granted):
                let came = self.home.worker.now
                let end = granted.needsCheck ? pool.checkDeadline(since: self.waitingSince, home: self.home) : deadline
                switch await self.apply(parametersOn: granted.server, until: end, login: login) {
                case .learnt(let welcome):
                    self.countCheckout(from: pool, at: came)
                    return .success(welcome)
                case .failed(let failure):
                    self.countCheckout(from: pool, at: came)
                    return .failure(failure)
                case .serverLost(let failure):
                    guard triesLeft > 0, self.home.worker.now < deadline else {
                        return self.noServer(failure, of: pool)
                    }
                    triesLeft -= 1
                    since = self.waitingSince
                }
            }
        }
    }

    /// The login has not ended meanwhile.
    private func isHere(_ login: LoginState) -> Bool {
        self.isOpen && self.login === login && login.endReason == nil
    }

    private func server(
        of pool: Pool,
        since: MonotonicMicroseconds?,
        login: LoginState
    ) async -> LoginState.Grant {
        await withCheckedContinuation { continuation in
            login.wait(continuation)
            switch pool.checkout(for: self, home: self.home, since: since) {
            case .server(let server, let needsCheck):
                login.deliverServer(.success((server: server, needsCheck: needsCheck)))
            case .waiting(let waiter): self.waiter = waiter
            }
        }
    }

    /// A server that is not needed after all.
    private func giveBack(_ server: ServerConnection) {
        guard server.phase != .closed else { return }
        server.becomeIdle()
    }

    private func apply(
        parametersOn server: ServerConnection,
        until deadline: MonotonicMicroseconds,
        login: LoginState
    ) async -> Lesson {
        let pool = server.pool
        guard self.isHere(login) else {
            self.giveBack(server)
            return .failed(.shuttingDown)
        }
        if let known = pool.state.withLock({ $0.parameterSets.welcome(for: self.parameters) }) {
            self.giveBack(server)
            return .learnt(known)
        }
        guard server.phase != .closed else {
            return .serverLost(.connect("server closed the connection unexpectedly"))
        }
        return await withCheckedContinuation { continuation in
            login.wait(continuation)
            server.run(self.learning(on: server, until: deadline))
        }
    }

    private func learning(on server: ServerConnection, until deadline: MonotonicMicroseconds) -> Errand {
        var statements: [String] = []
        var applying: Int?
        if let reset = SessionParameters.none.query(replacing: server.applied) { statements.append(reset) }
        if let query = self.parameters.query(replacing: .none) {
            applying = statements.count
            statements.append(query)
            // Where clients' parameters are not applied, they are not to stay.
            if !server.pool.plan.syncsParameters, let undo = SessionParameters.none.query(replacing: self.parameters) {
                statements.append(undo)
            }
        }
        if statements.isEmpty { statements.append(";") }
        return Errand(purpose: .learn(self, applying: applying), statements: statements, deadline: deadline)
    }

    /// A server came for a login that waits for one.
    func loginGranted(_ server: ServerConnection) {
        guard let login = self.login, login.awaitsServer else {
            server.becomeIdle()
            return
        }
        login.deliverServer(.success((server: server, needsCheck: false)))
    }

    func loginCheckoutFailed(_ failure: CheckoutFailure) {
        self.login?.deliverServer(.failure(failure))
        self.login?.deliverWelcome(.failed(failure))
    }

    /// The server has applied the parameters, or refused them.
    func parametersLearnt(on server: ServerConnection, by errand: Errand, applying: Int?) {
        let reports = errand.reports
        let base = server.pool.state.withLock { $0.parameterSets.welcome(for: .none) }?.reports ?? []
        var merged = base.map { own in (own.name, reports.last { $0.name == own.name }?.value ?? own.value) }
        merged += reports.filter { report in !base.contains { $0.name == report.name } }.map { ($0.name, $0.value) }
        let welcome = Welcome(merged)
        let login = self.login
        server.scanner.residue = SessionResidue()
        guard let error = errand.error else {
            server.pool.state.withLock { $0.parameterSets.remember(welcome, for: self.parameters) }
            server.applied = server.pool.plan.syncsParameters ? self.parameters : .none
            server.noteTaken(self.parameters)
            server.endTurn()
            login?.deliverWelcome(.learnt(welcome))
            return
        }
        if let applying, errand.failed == applying {
            // The reset before it took away what others had applied; what is refused is refused as a whole.
            server.applied = .none
            server.endTurn()
            login?.deliverWelcome(.failed(.server(error)))
        } else {
            // Another server may have none to take back.
            let isOfServer = applying.map { errand.failed ?? 0 < $0 } ?? false
            server.end("parameters could not be taken back: \(error.message)")
            login?.deliverWelcome(isOfServer ? .serverLost(.server(error)) : .failed(.server(error)))
        }
    }

    private func authFailure(for failure: CheckoutFailure, login: LoginState) -> AuthFailure {
        if let reason = login.endReason { return reason }
        let fields = failure.fields
        return AuthFailure(
            reason: failure.reason,
            logText: fields.message,
            clientText: fields.message,
            sqlStateText: fields.sqlState?.text ?? "08006"
        )
    }

    private func enter(_ greeting: [UInt8], method: String, login: LoginState) throws(AuthFailure) {
        guard self.isOpen, self.phase == .login else { throw .clientLeft() }
        self.pool = login.takePool()
        if let identity = login.identity, self.pool?.key.kind.isMapped == true {
            self.mapped = MappedIdentity(identity)
        }
        let key = self.gateway.cancelKeys.makeKey(for: self, version: login.version)
        var writer = MessageWriter(reservingCapacity: login.unsent.count + greeting.count + 64)
        writer.raw(login.unsent)
        writer.raw(greeting)
        writer.backendKeyData(processID: self.number, secret: key)
        writer.readyForQuery(.idle)
        if self.home.snapshot.logsConnections {
            self.log.info(
                "client logged in",
                metadata: self.logMetadata([
                    "rule": .string(login.rule), "method": .string(method),
                    "tls": .string(self.tls?.version ?? "off"),
                ])
            )
        }
        self.auditAdmitted(login, pool: pool)
        self.login = nil
        self.wipesReceived = false
        self.clearDeadline()
        self.phase = .idle
        if login.identity?.end != nil { self.beginExpiry(login.identity) }
        self.send(writer.bytes)
        self.resumeReading()
    }
}
