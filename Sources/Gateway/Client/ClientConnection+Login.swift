import AuthProviders
import HBA
import Logging
import PGWire
import Reactor
import Sessions
import Synchronization

/// From the StartupMessage to ReadyForQuery: policy, proof, route, welcome. One asynchronous function on the worker's
/// own executor; everything it waits for ends when the client leaves or the login deadline passes.
extension ClientConnection {
    func beginLogin(version: ProtocolVersion) {
        self.phase = .login
        self.login = LoginState(version: version)
        self.pauseReading()
        Task(executorPreference: self.home.worker) {
            await self.logIn()
        }
    }

    private func logIn() async {
        guard let login = self.login else { return }
        do throws(AuthFailure) {
            let snapshot = self.gateway.snapshot
            let decided = try self.decide(snapshot)
            login.decided = decided
            let attempt = LoginAttempt(
                user: self.user,
                database: self.database,
                peerAddress: self.peer.description,
                isLocal: !self.peer.isTCP,
                isTLS: false,
                rule: decided.attemptRule
            )
            let identity = try await decided.provider.authenticate(attempt, over: LoginDialogue(client: self))
            if let reason = login.endReason { throw reason }
            if snapshot.isConsole(self.database) {
                self.welcomeToConsole(login)
            } else {
                try await self.enterPool(identity, login: login)
            }
        } catch {
            self.loginFailed(error, login: login)
        }
    }

    /// The first rule that matches decides; none refuses.
    private func decide(_ snapshot: Snapshot) throws(AuthFailure) -> Snapshot.DecidedRule {
        let origin: HBAQuestion.Origin
        if self.peer.isTCP, let address = IPAddress(bytes: self.peer.addressBytes) {
            origin = .tcp(address, isTLS: false)
        } else {
            origin = .local
        }
        let question = HBAQuestion(origin: origin, database: self.database, user: self.user)
        switch snapshot.decide(question) {
        case .rule(let decided): return decided
        case .none:
            throw .notPermitted(
                user: self.user,
                database: self.database,
                peerAddress: self.peerHost,
                isTLS: false,
                log: "no pg_hba rule matches"
            )
        }
    }

    /// The address without its port, as PostgreSQL names it in messages.
    private var peerHost: String {
        guard self.peer.isTCP, let address = IPAddress(bytes: self.peer.addressBytes) else { return "[local]" }
        return address.description
    }

    private func loginFailed(_ failure: AuthFailure, login: LoginState) {
        self.gateway.statistics.loginFailures.add(1, ordering: .relaxed)
        self.log.warning(
            "login failed",
            metadata: self.logMetadata([
                "rule": .string(login.rule), "reason": .string(failure.logText),
                "code": .string(failure.reason.rawValue),
            ])
        )
        guard self.isOpen, self.phase == .login else { return }
        self.login = nil
        if failure.reason == .clientLeft {
            self.finish(reason: nil)
        } else {
            self.leave(with: failure.fields, reason: nil)
        }
    }

    // MARK: While the login runs

    /// Takes exactly the message the provider waits for; everything else stays where it is until the login is done.
    func loginReceived(_ bytes: Span<UInt8>) -> Int {
        guard let login = self.login, login.messageWaiter != nil else {
            self.pauseReading()
            return 0
        }
        guard let header = MessageHeader.read(bytes, at: 0) else { return 0 }
        guard header.kind == FrontendMessageKind.password, header.isValid,
            header.bodyLength <= LoginDialogue.messageLimit
        else {
            let text = "expected password response, got message type \(header.kind)"
            login.deliver(.failure(.protocolViolation(text)) as Result<[UInt8], AuthFailure>)
            return bytes.count
        }
        guard bytes.count >= header.wireLength else { return 0 }
        var body: [UInt8] = []
        body.reserveCapacity(header.bodyLength)
        for index in MessageHeader.size..<header.wireLength { body.append(bytes[index]) }
        self.pauseReading()
        login.deliver(.success(body) as Result<[UInt8], AuthFailure>)
        return header.wireLength
    }

    func loginTimedOut() {
        self.login?.end(with: .deadlinePassed(log: "client_login_timeout"))
    }

    /// The client is on its way out: whatever its login waits for ends.
    func abandonLogin() {
        guard let login = self.login else { return }
        self.login = nil
        login.end(with: .clientLeft())
    }

    // MARK: Route and welcome

    private func enterPool(_ identity: AuthenticatedIdentity, login: LoginState) async throws(AuthFailure) {
        let key = PoolKey(database: self.database, user: identity.user)
        guard let pool = self.gateway.pools.pool(for: key) else {
            // Reached by a user whom a rule trusts but who has no pool.
            throw AuthFailure(
                reason: .other,
                logText: "no pool for \(key)",
                clientText: "No pool configured for database: \"\(self.database)\", user: \"\(identity.user)\"",
                sqlStateText: "3D000"
            )
        }
        login.pool = pool
        pool.learn(identity.credential)
        let welcome: Welcome
        let recalled = pool.state.withLock { $0.parameterSets.recall(self.parameters) }
        self.parameters = recalled.parameters
        if let known = recalled.welcome {
            welcome = known
        } else {
            switch await self.learnWelcome(from: pool, login: login) {
            case .success(let learnt): welcome = learnt
            case .failure(let failure): throw self.authFailure(for: failure, login: login)
            }
        }
        guard self.isOpen, self.phase == .login else { throw .clientLeft() }
        self.pool = pool
        self.enter(welcome, version: login.version, identity: identity)
    }

    /// No server has told yet what it reports to a session with these parameters: ask one.
    private func learnWelcome(
        from pool: Pool,
        login: LoginState
    ) async -> Result<Welcome, CheckoutFailure> {
        self.waitingSince = self.home.worker.now
        let result: Result<ServerConnection, CheckoutFailure> = await withCheckedContinuation { continuation in
            login.serverWaiter = continuation
            switch pool.checkout(for: self, home: self.home) {
            case .server(let server, _): login.deliver(.success(server) as Result<ServerConnection, CheckoutFailure>)
            case .waiting(let waiter): self.waiter = waiter
            }
        }
        switch result {
        case .failure(let failure): return .failure(failure)
        case .success(let server): return await self.apply(parametersOn: server, login: login)
        }
    }

    private func apply(
        parametersOn server: ServerConnection,
        login: LoginState
    ) async -> Result<Welcome, CheckoutFailure> {
        let pool = server.pool
        if let known = pool.state.withLock({ $0.parameterSets.welcome(for: self.parameters) }) {
            server.phase = .idle
            pool.checkin(server, home: self.home)
            return .success(known)
        }
        return await withCheckedContinuation { continuation in
            login.welcomeWaiter = continuation
            var statements: [String] = []
            if let reset = SessionParameters.none.query(replacing: server.applied) { statements.append(reset) }
            if let query = self.parameters.query(replacing: .none) { statements.append(query) }
            if statements.isEmpty { statements.append(";") }
            server.run(Errand(purpose: .learn(self), statements: statements))
        }
    }

    /// A server came for a login that waits for one.
    func loginGranted(_ server: ServerConnection) {
        guard let login = self.login, login.serverWaiter != nil else {
            server.phase = .idle
            server.pool.checkin(server, home: server.home)
            return
        }
        login.deliver(.success(server) as Result<ServerConnection, CheckoutFailure>)
    }

    func loginCheckoutFailed(_ failure: CheckoutFailure) {
        self.login?.deliver(.failure(failure) as Result<ServerConnection, CheckoutFailure>)
        self.login?.deliver(.failure(failure) as Result<Welcome, CheckoutFailure>)
    }

    /// The server has applied the parameters, or refused them.
    func parametersLearnt(
        on server: ServerConnection,
        reports: [(name: String, value: String)],
        error: ServerMessageFields?
    ) {
        let base = server.pool.state.withLock { $0.parameterSets.welcome(for: .none) }?.reports ?? []
        var merged = base.map { own in (own.name, reports.last { $0.name == own.name }?.value ?? own.value) }
        merged += reports.filter { report in !base.contains { $0.name == report.name } }.map { ($0.name, $0.value) }
        let welcome = Welcome(merged)
        if error == nil {
            server.pool.state.withLock { $0.parameterSets.remember(welcome, for: self.parameters) }
            server.applied = self.parameters
        }
        let login = self.login
        server.scanner.residue = SessionResidue()
        server.endTurn()
        if let error {
            login?.deliver(.failure(.server(error)) as Result<Welcome, CheckoutFailure>)
        } else {
            login?.deliver(.success(welcome) as Result<Welcome, CheckoutFailure>)
        }
    }

    private func authFailure(for failure: CheckoutFailure, login: LoginState) -> AuthFailure {
        if let reason = login.endReason { return reason }
        let fields = failure.fields
        return AuthFailure(
            reason: .serviceUnavailable,
            logText: fields.message,
            clientText: fields.message,
            sqlStateText: fields.sqlState?.text ?? "08006"
        )
    }

    private func enter(_ welcome: Welcome, version: ProtocolVersion, identity: AuthenticatedIdentity) {
        var writer = MessageWriter(reservingCapacity: 1024)
        writer.authenticationOk()
        if welcome.reportsApplicationName {
            writer.parameterStatus(name: Welcome.applicationName, value: self.parameters.reportedName)
        }
        writer.raw(welcome.encoded)
        let key = self.gateway.cancelKeys.makeKey(for: self, version: version)
        writer.backendKeyData(processID: self.number, secret: key)
        writer.readyForQuery(.idle)
        if self.gateway.snapshot.logsConnections {
            self.log.info(
                "client logged in",
                metadata: self.logMetadata([
                    "rule": .string(self.login?.rule ?? ""), "method": .string(identity.method),
                ])
            )
        }
        self.login = nil
        self.clearDeadline()
        self.phase = .idle
        self.send(writer.bytes)
        self.resumeReading()
    }
}

extension SessionParameters {
    /// `application_name` as PostgreSQL reports it: what is not printable ASCII becomes a question mark.
    var reportedName: String {
        let name = (self.applicationName ?? "").utf8.prefix(63)
        return String(decoding: name.map { $0 >= 32 && $0 < 127 ? $0 : UInt8(ascii: "?") }, as: UTF8.self)
    }
}
