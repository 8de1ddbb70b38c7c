import Logging
import PGWire
import Reactor
import Sessions
import Synchronization
import Telemetry

/// From nothing to a session that is ready for queries, within `connect_timeout`.
extension ServerConnection {
    /// What is needed only until the login is done.
    struct Opening {
        let credential: ServerCredential
        let knownKeys: SCRAMKeys?
        var exchange: ServerOpening?
        var transport: OutgoingTransport?
        /// Further addresses of the server's name, for when nobody takes the connection at the present one.
        var others: ArraySlice<SocketAddress> = []
        /// Of the look-up of the server's name and all attempts together.
        let deadline: MonotonicMicroseconds

        /// Until when the present address may take to answer. Where others follow, it has its share of what is left.
        func connectDeadline(now: MonotonicMicroseconds) -> MonotonicMicroseconds {
            now + (self.deadline - now) / Int64(self.others.count + 1)
        }
    }

    func open(credential: ServerCredential, knownKeys: SCRAMKeys?) {
        let plan = self.pool.plan
        let worker = self.home.worker
        let deadline = worker.now + plan.connectTimeout
        self.opening = Opening(credential: credential, knownKeys: knownKeys, deadline: deadline)
        self.home.gateway.resolver.resolve(host: plan.serverHost, port: plan.serverPort, for: worker) { answer in
            self.addressesKnown(answer)
        }
        guard self.phase == .opening, self.address == nil else { return }
        // The name is being looked up. There is no socket yet that a deadline could belong to, and the system's
        // resolver has time limits of its own.
        worker.attach(self)
        self.setDeadline(deadline)
    }

    private func addressesKnown(_ answer: Result<[SocketAddress], HostResolver.Failure>) {
        // The time may be over.
        guard self.phase == .opening else { return }
        let addresses: [SocketAddress]
        switch answer {
        case .success(let known): addresses = known
        case .failure(let failure):
            let host = self.pool.plan.serverHost
            self.openingFailed(.connect("cannot resolve server host \"\(host)\": \(failure.reason)"))
            return
        }
        guard let first = addresses.first else { return }
        // From the look-up's deadline to the one of the socket.
        self.home.worker.detach(self)
        self.opening?.others = addresses.dropFirst()
        self.begin(at: first)
    }

    private func begin(at address: SocketAddress) {
        self.address = address
        let plan = self.pool.plan
        self.opening?.transport = plan.tls.map { OutgoingTransport($0, host: plan.serverHost, address: address) }
        self.connect(to: address)
    }

    private func connect(to address: SocketAddress) {
        let worker = self.home.worker
        worker.connect(self, to: address, options: self.home.gateway.snapshot.socketOptions)
        self.setDeadline(self.opening?.connectDeadline(now: worker.now) ?? 0)
    }

    /// Nobody took the connection: another address that the server's name stands for may be a better one.
    ///
    /// - Returns: false when there is none left.
    func triesNextAddress(after reason: String) -> Bool {
        guard self.phase == .opening, let next = self.opening?.others.popFirst() else { return false }
        self.log.debug("the server's next address is tried", metadata: self.logMetadata(reason: reason))
        self.close()
        self.begin(at: next)
        return true
    }

    func socketConnected() {
        if self.opening?.others.isEmpty == false {
            self.opening?.others = []
            self.setDeadline(self.opening?.deadline ?? 0)
        }
        if let transport = self.opening?.transport { transport.connected(self) } else { self.beginLogin() }
    }

    /// The way is free.
    func transportReady() {
        self.tls = self.opening?.transport?.facts
        self.beginLogin()
    }

    func transportFailed(_ failure: ServerLoginFailure) { self.loginFailed(failure) }

    /// Another attempt on a new socket, by the other way, if the settings allow one.
    private func retries(after failure: ServerLoginFailure) -> Bool {
        guard let address = self.address, let next = self.opening?.transport?.retry(after: failure)
        else { return false }
        self.log.debug(
            "server connection is tried the other way",
            metadata: self.logMetadata(reason: failure.logText)
        )
        self.close()
        self.tls = nil
        self.opening?.exchange = nil
        self.opening?.transport = next
        self.connect(to: address)
        return true
    }

    private func beginLogin() {
        guard let opening = self.opening else { return }
        let plan = self.pool.plan
        var exchange = ServerOpening(
            user: plan.serverUser,
            database: plan.serverDatabase,
            parameters: plan.serverParameters,
            credential: opening.credential,
            knownKeys: opening.knownKeys,
            channelBinding: plan.tls?.channelBinding ?? .disable,
            bindingData: self.tls?.endpointBinding
        )
        let startup = exchange.start()
        self.opening?.exchange = exchange
        self.send(startup)
    }

    func openingTimedOut() {
        if self.triesNextAddress(after: "it did not answer") { return }
        let what = self.address == nil ? "the server's name was not resolved" : "the server did not answer"
        self.openingFailed(.connect("connect_timeout: \(what) in time"))
    }

    func openingReceived(_ bytes: Span<UInt8>) -> Int {
        guard self.opening?.exchange != nil else {
            self.opening?.transport?.received(bytes)
            return bytes.count
        }
        self.opening?.exchange?.append(bytes)
        self.playOpening()
        return bytes.count
    }

    private func playOpening() {
        while self.phase == .opening, let step = self.opening?.exchange?.next() { self.play(step) }
    }

    /// Consumes the step, so that the only copy of a password is the one that is wiped.
    private func play(_ step: consuming ServerOpening.Step) {
        switch consume step {
        case .wait: return
        case .send(var bytes): self.send(wiping: &bytes)
        case .ready(let greeting): self.loggedIn(greeting)
        case .failed(let failure): self.loginFailed(failure)
        case .derive(let derivation): self.derive(derivation)
        }
    }

    /// How many rounds the keys cost is the role's own choice, and the worker's other clients must not wait for them.
    /// Nor is anything read meanwhile: what a server sends before its turn has no bound, and its last words come later.
    private func derive(_ derivation: SCRAMDerivation) {
        self.pauseReading()
        let pool = self.pool
        let lanes = self.home.gateway.lookups.authLanes
        Task(executorPreference: self.home.worker) {
            // Another one of the pool may have logged in by them while this one waited.
            let keys = await derivation.compute(on: lanes) { pool.state.withLock { $0.knownKeys } }
            guard self.phase == .opening else { return }
            guard let keys else {
                let text = "its rounds of SCRAM could not be computed in time"
                self.openingFailed(.login("cannot log in at the server: \(text)"))
                return
            }
            // Nil for keys of an attempt that was given up.
            if let step = self.opening?.exchange?.take(keys) { self.play(step) }
            self.playOpening()
            self.resumeReading()
        }
    }

    private func loggedIn(_ greeting: ServerGreeting) {
        self.clearDeadline()
        self.processID = greeting.processID
        self.secret = greeting.secret
        self.opening = nil
        self.phase = .idle
        self.home.counters(of: self.pool).serverLogins.add(1)
        self.pool.state.withLock { state in
            state.knownKeys = greeting.scramKeys ?? state.knownKeys
            state.parameterSets.greeted(with: Welcome(greeting.parameters))
        }
        self.log.debug("server connection opened", metadata: self.logMetadata)
        self.pool.opened(self, home: self.home)
    }

    private func loginFailed(_ failure: ServerLoginFailure) {
        if self.retries(after: failure) { return }
        if case .credentialMissing = failure, case .some(.none) = self.opening?.credential, self.pool.hasCredential {
            self.phase = .closed
            self.opening = nil
            self.close()
            self.pool.openAbandoned(self, home: self.home)
            return
        }
        if failure.doubtsSecret, self.pool.plan.isDynamic {
            // Clients prove themselves by what is remembered, and would go on to do so until that has grown old.
            let key = self.pool.key
            self.home.gateway.authQueries.distrust(user: key.user, database: key.database)
        }
        var metadata = self.logMetadata(reason: failure.logText)
        if let first = self.opening?.transport?.firstFailure {
            metadata["first_attempt"] = .string(first.logText)
        }
        self.log.error("cannot log in at the server", metadata: metadata)
        switch failure {
        case .serverError(let fields): self.openingFailed(.server(fields), isLogged: true)
        default: self.openingFailed(.login("cannot log in at the server: \(failure.logText)"), isLogged: true)
        }
    }

    func openingFailed(_ reason: CheckoutFailure, isLogged: Bool = false) {
        guard self.phase == .opening else { return }
        self.phase = .closed
        self.opening?.transport?.abandon()
        self.opening = nil
        if !isLogged {
            self.log.error(
                "cannot open a server connection",
                metadata: self.logMetadata(reason: reason.fields.message)
            )
        }
        self.close()
        self.pool.openFailed(self, reason: reason, home: self.home)
    }
}
