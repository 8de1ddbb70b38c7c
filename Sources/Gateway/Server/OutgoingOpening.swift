import AuthProviders
import Logging
import Reactor
import Sessions

/// An endpoint that is opened by an `OutgoingOpening`, and passes on to it what happens meanwhile.
protocol OpeningDelegate: TransportDelegate {
    var opening: OutgoingOpening? { get }
    var log: Logger { get }
    func logMetadata(reason: String) -> Logger.Metadata
    /// The session stands. The opening is over, and still knows its address and TLS.
    func opened(_ greeting: ServerGreeting)
    /// The opening is over. Its socket is not closed yet.
    func notOpened(_ failure: OutgoingOpening.Failure)
}

extension OpeningDelegate {
    func transportReady() { self.opening?.transportReady() }
    func transportFailed(_ failure: ServerLoginFailure) { self.opening?.failed(failure) }
}

/// The way of one connection of ours from nothing to a session that is ready for queries: the look-up of the server's
/// name, one of its addresses after the other, TLS as the settings say (`OutgoingTransport`), the login
/// (`FramedServerLogin`) and the keys that this takes, all before one deadline.
///
/// Belongs to the worker of its endpoint.
final class OutgoingOpening: @unchecked Sendable {
    /// Where to, and as whom.
    struct Target {
        let host: String
        let port: UInt16
        /// For all of it together, in microseconds.
        let timeout: MonotonicMicroseconds
        /// Nil is clear text.
        let tls: ServerTLS?
        let user: String
        let database: String
        let parameters: [(name: String, value: String)]
        let credential: ServerCredential
        /// Keys that an earlier login has derived from the password, or another one while this one waits for its own.
        /// Any thread.
        let knownKeys: @Sendable () -> SCRAMKeys?
        /// As for `FramedServerLogin`.
        var leavesRest = false
    }

    enum Failure {
        /// The server was not reached, or not in time, in words that clients may read.
        case connect(String)
        /// The connection was closed or failed, with the words of the system.
        case broken(String)
        /// - Parameter first: of the attempt before the last one, if there were two.
        case login(ServerLoginFailure, first: ServerLoginFailure?)
    }

    let target: Target
    /// Nil when it is over. Strong, and so a circle until then, for the reason given in `OutgoingTransport`.
    private var endpoint: (any OpeningDelegate)?
    private let deadline: MonotonicMicroseconds
    /// Nil until the server's name is resolved.
    private(set) var address: SocketAddress?
    /// The first half of the time for the look-up of the name is not over.
    private var mayAwaitName = true
    /// Further addresses of that name, for when nobody takes the connection at the present one.
    private var others: ArraySlice<SocketAddress> = []
    /// Sockets until now.
    private var attempts = 0
    private var transport: OutgoingTransport?
    private var login: FramedServerLogin?
    /// The keys that the login waits for, and their rounds of PBKDF2.
    private var derivation: (ticket: KeyDerivations.Ticket, rounds: Int)?

    init(of endpoint: any OpeningDelegate, to target: Target) {
        self.endpoint = endpoint
        self.target = target
        self.deadline = endpoint.home.worker.now + target.timeout
    }

    /// What the TLS handshake has agreed on; nil in clear text.
    var tls: TLSFacts? { self.transport?.facts }

    /// What came behind the end of the login; see `FramedServerLogin`.
    func takeUnread() -> [UInt8] { self.login?.takeUnread() ?? [] }

    // MARK: The ways to the server

    /// Called once, when the endpoint refers to this opening.
    func begin() {
        guard let endpoint else { return }
        let worker = endpoint.home.worker
        let (host, port) = (self.target.host, self.target.port)
        endpoint.home.gateway.resolver.resolve(host: host, port: port, for: worker) { answer in
            self.addressesKnown(answer)
        }
        guard self.endpoint != nil, self.address == nil else { return }
        // The name is being looked up. There is no socket yet that a deadline could belong to, and the system's
        // resolver has time limits of its own.
        worker.attach(endpoint)
        // The other half is for the server.
        endpoint.setDeadline(self.deadline - self.target.timeout / 2)
    }

    /// Half the time is over, and nobody has said where the server is: the addresses that its name had last will do.
    private func lookUpTakesLong() {
        self.mayAwaitName = false
        guard let endpoint else { return }
        let known = endpoint.home.gateway.resolver.lastKnown(host: self.target.host, port: self.target.port)
        if known.isEmpty { endpoint.setDeadline(self.deadline) } else { self.addressesKnown(.success(known)) }
    }

    private func addressesKnown(_ answer: Result<[SocketAddress], HostResolver.Failure>) {
        // The time may be over, or the last known addresses may be in use.
        guard let endpoint, self.address == nil else { return }
        let addresses: [SocketAddress]
        switch answer {
        case .success(let known): addresses = known
        case .failure(let failure):
            self.end(.connect("cannot resolve server host \"\(self.target.host)\": \(failure.reason)"))
            return
        }
        guard let first = addresses.first else { return }
        // From the look-up's deadline to the one of the socket.
        endpoint.home.worker.detach(endpoint)
        self.others = addresses.dropFirst()
        self.begin(at: first)
    }

    private func begin(at address: SocketAddress) {
        self.address = address
        self.transport = self.target.tls.map { OutgoingTransport($0, host: self.target.host, address: address) }
        self.connect(to: address)
    }

    private func connect(to address: SocketAddress) {
        guard let endpoint else { return }
        self.attempts += 1
        let worker = endpoint.home.worker
        worker.connect(endpoint, to: address, options: endpoint.home.gateway.snapshot.socketOptions)
        // Where other addresses follow, this one has its share of what is left.
        endpoint.setDeadline(worker.now + (self.deadline - worker.now) / Int64(self.others.count + 1))
    }

    /// Nobody took the connection: another address that the server's name stands for may be a better one.
    ///
    /// - Returns: false when there is none left.
    private func tryNextAddress(after reason: String) -> Bool {
        guard let endpoint, let next = self.others.popFirst() else { return false }
        endpoint.log.debug("the server's next address is tried", metadata: endpoint.logMetadata(reason: reason))
        endpoint.close()
        self.begin(at: next)
        return true
    }

    // MARK: What happens to the endpoint

    func connected() {
        guard let endpoint else { return }
        if !self.others.isEmpty {
            self.others = []
            endpoint.setDeadline(self.deadline)
        }
        if let transport { transport.connected(endpoint) } else { self.transportReady() }
    }

    func received(_ bytes: Span<UInt8>) {
        guard self.login != nil else {
            self.transport?.received(bytes)
            return
        }
        self.login?.append(bytes)
        self.play()
    }

    /// The connection was closed or failed.
    func broken(_ reason: String) {
        if self.tryNextAddress(after: reason) { return }
        if let failure = self.transport?.interrupted(reason) {
            self.failed(failure)
        } else {
            self.end(.broken(reason))
        }
    }

    func deadlinePassed() {
        if self.address == nil, self.mayAwaitName { return self.lookUpTakesLong() }
        if self.tryNextAddress(after: "it did not answer") { return }
        let what =
            if let derivation {
                "the keys for the server's \(derivation.rounds) rounds of SCRAM were not computed"
            } else {
                self.address == nil ? "the server's name was not resolved" : "the server did not answer"
            }
        self.end(.connect("connect_timeout: \(what) in time"))
    }

    /// The endpoint is given up; it is told nothing more.
    func abandon() {
        self.endpoint = nil
        self.transport?.abandon()
        self.derivation?.ticket.giveUp()
        self.derivation = nil
    }

    private func end(_ failure: Failure) {
        guard let endpoint else { return }
        self.abandon()
        endpoint.notOpened(failure)
    }

    // MARK: Login

    /// The way is free.
    func transportReady() {
        guard let endpoint else { return }
        let target = self.target
        var login = FramedServerLogin(
            user: target.user,
            database: target.database,
            parameters: target.parameters,
            credential: target.credential,
            knownKeys: target.knownKeys(),
            channelBinding: target.tls?.channelBinding ?? .disable,
            bindingData: self.transport?.endpointBinding,
            leavesRest: target.leavesRest
        )
        let startup = login.start()
        self.login = login
        endpoint.send(startup)
    }

    /// The transport or the login failed: the end, unless the settings allow another attempt on a new socket, by the
    /// other way.
    func failed(_ failure: ServerLoginFailure) {
        guard let endpoint else { return }
        guard let address = self.address, let next = self.transport?.retry(after: failure) else {
            self.end(.login(failure, first: self.transport?.firstFailure))
            return
        }
        endpoint.log.debug(
            "server connection is tried the other way",
            metadata: endpoint.logMetadata(reason: failure.logText)
        )
        endpoint.close()
        self.login = nil
        self.transport = next
        self.connect(to: address)
    }

    private func play() {
        while self.endpoint != nil, let step = self.login?.next() { self.play(step) }
    }

    /// Consumes the step, so that the only copy of a password is the one that is wiped.
    private func play(_ step: consuming FramedServerLogin.Step) {
        switch consume step {
        case .wait: return
        case .send(var bytes): self.endpoint?.send(wiping: &bytes)
        case .failed(let failure): self.failed(failure)
        case .derive(let derivation): self.derive(derivation)
        case .ready(let greeting):
            guard let endpoint else { return }
            endpoint.clearDeadline()
            self.endpoint = nil
            endpoint.opened(greeting)
        }
    }

    /// How many rounds the keys cost is the role's own choice, and the worker's other clients must not wait for them.
    /// Nor is anything read meanwhile: what a server sends before its turn has no bound, and its last words come later.
    private func derive(_ derivation: SCRAMDerivation) {
        guard let endpoint else { return }
        endpoint.pauseReading()
        let (worker, attempt) = (endpoint.home.worker, self.attempts)
        let derivations = endpoint.home.gateway.keyDerivations
        let ticket = derivations.begin(derivation, on: worker, unless: self.target.knownKeys) { answer in
            worker.execute { self.derived(answer, in: attempt) }
        }
        self.derivation = (ticket, derivation.iterations)
    }

    private func derived(_ answer: KeyDerivations.Answer, in attempt: Int) {
        guard let endpoint, let derivation = self.derivation, attempt == self.attempts else { return }
        self.derivation = nil
        let keys: SCRAMKeys
        switch answer {
        case .success(let found): keys = found
        case .failure(let failure):
            let text = "the keys for the server's \(derivation.rounds) rounds of SCRAM were not computed"
            endpoint.log.error("\(text)", metadata: endpoint.logMetadata(reason: failure.logText))
            self.end(.connect(text))
            return
        }
        if let step = self.login?.take(keys) { self.play(step) }
        // What has come already may be the end of the login, behind which the endpoint may be another worker's.
        self.endpoint?.resumeReading()
        self.play()
    }
}
