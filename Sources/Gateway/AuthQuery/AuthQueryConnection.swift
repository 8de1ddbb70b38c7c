import AuthProviders
import Logging
import PGWire
import Reactor
import Sessions

/// One connection that runs queries for logins, one at a time.
///
/// Belongs to its worker from `open` on.
final class AuthQueryConnection: Endpoint, TransportUser, @unchecked Sendable {
    private enum Phase {
        case opening
        case idle
        case busy
        case closed
    }

    let id: AuthQueryExecutorPool.Dispatcher.ConnectionID
    let home: WorkerHome
    private let owner: AuthQueryExecutorPool
    private var phase = Phase.opening
    private var opening: ServerOpening?
    private var transport: OutgoingTransport?
    private var address: SocketAddress?
    /// Further addresses of the server's name, for when nobody takes the connection at the present one.
    private var otherAddresses: ArraySlice<SocketAddress> = []
    /// Of the look-up of the server's name and all attempts to open it together.
    private var openingDeadline: MonotonicMicroseconds = 0
    private var assembler = MessageAssembler(maximumBodyLength: AuthQueryConversation.messageBytesMax)
    private var conversation = AuthQueryConversation(rowsMax: 0)
    /// PostgreSQL's last words.
    private var lastError: ServerMessageFields?

    init(id: AuthQueryExecutorPool.Dispatcher.ConnectionID, owner: AuthQueryExecutorPool, home: WorkerHome) {
        self.id = id
        self.owner = owner
        self.home = home
        super.init(descriptor: -1, worker: home.worker)
    }

    private var log: Logger { self.home.gateway.log }

    // MARK: Opening

    func open() {
        let plan = self.owner.plan
        let worker = self.home.worker
        self.openingDeadline = worker.now + plan.connectTimeout
        self.home.gateway.resolver.resolve(host: plan.host, port: plan.port, for: worker) { answer in
            self.addressesKnown(answer)
        }
        guard self.phase == .opening, self.address == nil else { return }
        // The name is being looked up: there is no socket yet that a deadline could belong to.
        worker.attach(self)
        self.setDeadline(self.openingDeadline)
    }

    private func addressesKnown(_ answer: Result<[SocketAddress], HostResolver.Failure>) {
        // The time may be over.
        guard self.phase == .opening else { return }
        let addresses: [SocketAddress]
        switch answer {
        case .success(let known): addresses = known
        case .failure(let failure):
            self.lost("cannot resolve server host \"\(self.owner.plan.host)\": \(failure.reason)")
            return
        }
        guard let first = addresses.first else { return }
        // From the look-up's deadline to the one of the socket.
        self.home.worker.detach(self)
        self.otherAddresses = addresses.dropFirst()
        self.begin(at: first)
    }

    private func begin(at address: SocketAddress) {
        let plan = self.owner.plan
        self.address = address
        self.transport = plan.tls.map { OutgoingTransport($0, host: plan.host, address: address) }
        self.connect(to: address)
    }

    private func connect(to address: SocketAddress) {
        let worker = self.home.worker
        worker.connect(self, to: address, options: self.home.gateway.snapshot.socketOptions)
        // Where other addresses follow, this one has its share of what is left.
        self.setDeadline(worker.now + (self.openingDeadline - worker.now) / Int64(self.otherAddresses.count + 1))
    }

    /// Nobody took the connection: another address that the server's name stands for may be a better one.
    private func triesNextAddress() -> Bool {
        guard self.phase == .opening, let next = self.otherAddresses.popFirst() else { return false }
        self.close()
        self.begin(at: next)
        return true
    }

    override func connected() {
        if !self.otherAddresses.isEmpty {
            self.otherAddresses = []
            self.setDeadline(self.openingDeadline)
        }
        if let transport { transport.connected(self) } else { self.transportReady() }
    }

    func transportFailed(_ failure: ServerLoginFailure) {
        if let address, let next = self.transport?.retry(after: failure) {
            self.close()
            self.opening = nil
            self.transport = next
            self.connect(to: address)
        } else {
            self.lost(failure.logText, firstFailure: self.transport?.firstFailure)
        }
    }

    func transportReady() {
        let plan = self.owner.plan
        var opening = ServerOpening(
            user: plan.user,
            database: plan.database,
            parameters: plan.startupParameters,
            credential: plan.credential,
            knownKeys: self.owner.knownKeys,
            channelBinding: plan.tls?.channelBinding ?? .disable,
            bindingData: self.transport?.endpointBinding,
            leavesRest: true
        )
        let first = opening.start()
        self.opening = opening
        self.send(first)
    }

    private func openingReceived(_ bytes: Span<UInt8>) {
        guard self.opening != nil else {
            self.transport?.received(bytes)
            return
        }
        self.opening?.append(bytes)
        self.playOpening()
    }

    private func playOpening() {
        while self.phase == .opening, let step = self.opening?.next() { self.play(step) }
    }

    private func play(_ step: consuming ServerOpening.Step) {
        switch consume step {
        case .wait: return
        case .send(var bytes): self.send(wiping: &bytes)
        case .failed(let failure): self.transportFailed(failure)
        case .derive(let derivation): self.derive(derivation)
        case .ready(let greeting):
            self.clearDeadline()
            if let rest = self.opening?.takeUnread() { self.assembler.append(rest) }
            self.opening = nil
            self.transport = nil
            self.phase = .idle
            self.owner.opened(self, knownKeys: greeting.scramKeys)
        }
    }

    /// As with servers.
    private func derive(_ derivation: SCRAMDerivation) {
        self.pauseReading()
        let lanes = self.home.gateway.lookups.authLanes
        Task(executorPreference: self.home.worker) {
            let keys = await derivation.compute(on: lanes) { nil }
            guard self.phase == .opening else { return }
            guard let keys else {
                self.lost("the server's rounds of SCRAM could not be computed in time")
                return
            }
            // Nil for keys of an attempt that was given up.
            if let step = self.opening?.take(keys) { self.play(step) }
            self.playOpening()
            self.resumeReading()
        }
    }

    // MARK: Queries

    func run(_ request: AuthQueryExecutorPool.Request, deadline: MonotonicMicroseconds) {
        // It may have been lost on the way here; then the request has gone elsewhere.
        guard self.phase == .idle else { return }
        self.phase = .busy
        self.conversation = AuthQueryConversation(rowsMax: request.rowsMax)
        self.setDeadline(deadline)
        self.send(
            AuthQueryConversation.request(sql: request.sql, parameter: request.parameter, rowsMax: request.rowsMax)
        )
    }

    override func received(_ bytes: Span<UInt8>) -> Int {
        if self.phase == .opening {
            self.openingReceived(bytes)
            return bytes.count
        }
        self.assembler.append(bytes)
        while self.phase == .busy || self.phase == .idle {
            do throws(WireError) {
                guard let message = try self.assembler.next() else { break }
                if self.phase == .busy { self.answerReceived(message) } else { self.strayReceived(message) }
            } catch {
                self.lost("the server broke the protocol, or a row is too large: \(error.description)", mayRetry: false)
            }
        }
        return bytes.count
    }

    private func answerReceived(_ message: WireMessage) {
        if message.kind == BackendMessageKind.errorResponse {
            self.lastError = try? ServerMessageFields.decode(body: message.body)
        }
        switch self.conversation.receive(message) {
        case .wait: return
        case .done(let reply):
            self.clearDeadline()
            self.phase = .idle
            self.lastError = nil
            self.owner.answered(self, reply)
        case .broken(let reply):
            guard case .failed(let reason) = reply else { return }
            self.lost(reason, mayRetry: false)
        }
    }

    /// Without a question only parameter reports, notices and the announcement of the end make sense.
    private func strayReceived(_ message: WireMessage) {
        switch message.kind {
        case BackendMessageKind.parameterStatus, BackendMessageKind.noticeResponse,
            BackendMessageKind.notificationResponse:
            return
        case BackendMessageKind.errorResponse:
            self.lastError = try? ServerMessageFields.decode(body: message.body)
        default:
            self.lost("the server sent what nobody asked for")
        }
    }

    // MARK: Ends

    override func ended() { self.broken("the server closed the connection unexpectedly") }

    override func failed(_ error: Int32) { self.broken(self.codecFailureText ?? SystemErrorText.of(error)) }

    private func broken(_ reason: String) {
        if self.triesNextAddress() { return }
        if self.phase == .opening, let failure = self.transport?.interrupted(reason) {
            self.transportFailed(failure)
        } else {
            self.lost(self.lastError?.description ?? reason)
        }
    }

    override func deadlinePassed() {
        switch self.phase {
        case .opening:
            if self.triesNextAddress() { return }
            let what = self.address == nil ? "the server's name was not resolved" : "the server did not answer"
            self.lost("connect_timeout: \(what) in time")
        case .busy: self.lost("query_timeout: the server did not answer in time", mayRetry: false)
        case .idle, .closed: return
        }
    }

    /// - Parameter firstFailure: of the attempt before the last one, if there were two.
    private func lost(_ reason: String, mayRetry: Bool = true, firstFailure: ServerLoginFailure? = nil) {
        guard self.phase != .closed else { return }
        let wasIdle = self.phase == .idle
        self.phase = .closed
        self.opening = nil
        self.transport?.abandon()
        self.transport = nil
        self.close()
        var metadata: Logger.Metadata = ["database": .string(self.owner.pool), "reason": .string(reason)]
        if let firstFailure { metadata["first_attempt"] = .string(firstFailure.logText) }
        if wasIdle {
            self.log.debug("auth_query connection closed", metadata: metadata)
        } else {
            self.log.warning("auth_query connection lost", metadata: metadata)
        }
        self.owner.lost(self, reason: "auth_query: \(reason)", mayRetry: mayRetry)
    }

    /// It is not needed any more.
    func retire() {
        guard self.phase != .closed else { return }
        let isLoggedIn = self.phase != .opening
        self.phase = .closed
        self.opening = nil
        self.transport?.abandon()
        self.transport = nil
        if isLoggedIn {
            var terminate = MessageWriter()
            terminate.terminate()
            self.send(terminate.bytes)
        }
        self.close()
    }
}
