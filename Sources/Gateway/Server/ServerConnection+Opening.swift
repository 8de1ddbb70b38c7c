import Logging
import PGWire
import Reactor
import Sessions
import Synchronization
import Telemetry

/// From nothing to a session that is ready for queries, within `connect_timeout`: what the pool gives an
/// `OutgoingOpening`, and what it gets.
extension ServerConnection {
    func open(credential: ServerCredential) {
        let pool = self.pool
        let plan = pool.plan
        let target = OutgoingOpening.Target(
            host: plan.serverHost,
            port: plan.serverPort,
            timeout: plan.connectTimeout,
            tls: plan.tls,
            user: plan.serverUser,
            database: plan.serverDatabase,
            parameters: plan.serverParameters,
            credential: credential,
            knownKeys: { pool.state.withLock { $0.knownKeys } }
        )
        let opening = OutgoingOpening(of: self, to: target)
        self.opening = opening
        opening.begin()
    }

    func opened(_ greeting: ServerGreeting) {
        self.address = self.opening?.address
        self.tls = self.opening?.tls
        self.processID = greeting.processID
        self.secret = greeting.secret
        self.opening = nil
        self.phase = .idle
        self.home.counters(of: self.pool).serverLogins.add(1)
        let unlogged = self.pool.state.withLock { state -> Int in
            state.knownKeys = greeting.scramKeys ?? state.knownKeys
            state.credential.opened()
            state.isRefused = false
            state.openFailure = nil
            state.parameterSets.greeted(with: Welcome(greeting.parameters))
            return state.openFailureLog.opened()
        }
        if unlogged > 0 {
            self.log.info(
                "a server connection was opened again",
                metadata: ["pool": .string(self.pool.key.description), "unlogged": .stringConvertible(unlogged)]
            )
        }
        self.log.debug("server connection opened", metadata: self.logMetadata)
        self.pool.opened(self, home: self.home)
    }

    func notOpened(_ failure: OutgoingOpening.Failure) {
        switch failure {
        case .connect(let text): self.openingFailed(.connect(text))
        case .broken(let reason): self.openingFailed(.connect("cannot connect to server: \(reason)"))
        case .login(let failure, let first): self.loginFailed(failure, after: first)
        }
    }

    private func loginFailed(_ failure: ServerLoginFailure, after first: ServerLoginFailure?) {
        if failure.doubtsSecret, self.pool.plan.isDynamic {
            // Clients prove themselves by what is remembered, and would go on to do so until that has grown old.
            let key = self.pool.key
            self.home.gateway.authQueries.distrust(user: key.user, database: key.database)
        }
        if failure.doubtsSecret, self.pool.credentialRefused(self.credentialNumber) {
            self.log.info("another credential is tried", metadata: self.logMetadata(reason: failure.logText))
            self.phase = .closed
            self.opening = nil
            self.close()
            self.pool.openAbandoned(self, home: self.home)
            return
        }
        if failure.doubtsSecret { self.pool.userRefused() }
        self.logFailure("cannot log in at the server", reason: failure.logText, after: first)
        switch failure {
        case .serverError(let fields): self.openingFailed(.server(fields), isLogged: true)
        default: self.openingFailed(.login("cannot log in at the server: \(failure.logText)"), isLogged: true)
        }
    }

    private func openingFailed(_ reason: CheckoutFailure, isLogged: Bool = false) {
        guard self.phase == .opening else { return }
        self.phase = .closed
        self.opening = nil
        if !isLogged { self.logFailure("cannot open a server connection", reason: reason.fields.message) }
        self.close()
        self.pool.openFailed(self, reason: reason, home: self.home)
    }

    /// The same reason once in a second; the next line says how many failures had none.
    private func logFailure(_ message: Logger.Message, reason: String, after first: ServerLoginFailure? = nil) {
        var metadata = self.logMetadata(reason: reason)
        if let first { metadata["first_attempt"] = .string(first.logText) }
        let now = self.home.worker.now
        guard let unlogged = self.pool.state.withLock({ $0.openFailureLog.failed(reason, now: now) }) else {
            self.log.debug(message, metadata: metadata)
            return
        }
        if unlogged > 0 { metadata["unlogged"] = .stringConvertible(unlogged) }
        self.log.error(message, metadata: metadata)
    }
}
