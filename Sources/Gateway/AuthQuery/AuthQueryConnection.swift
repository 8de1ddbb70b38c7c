import AuthProviders
import Logging
import PGWire
import Reactor
import Sessions

/// One connection that runs queries for logins, one at a time.
///
/// Belongs to its worker from `open` on.
final class AuthQueryConnection: Endpoint, OpeningDelegate, @unchecked Sendable {
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
    /// Nil from the end of the login on.
    private(set) var opening: OutgoingOpening?
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

    var log: Logger { self.home.gateway.log }

    func logMetadata(reason: String) -> Logger.Metadata {
        ["database": .string(self.owner.pool), "reason": .string(reason)]
    }

    // MARK: Opening

    func open() {
        // It may have been ended on the way here.
        guard self.phase == .opening else { return }
        let owner = self.owner
        let plan = owner.plan
        let target = OutgoingOpening.Target(
            host: plan.host,
            port: plan.port,
            timeout: plan.connectTimeout,
            tls: plan.tls,
            user: plan.user,
            database: plan.database,
            parameters: plan.startupParameters,
            credential: plan.credential,
            knownKeys: { owner.knownKeys },
            leavesRest: true
        )
        let opening = OutgoingOpening(of: self, to: target)
        self.opening = opening
        opening.begin()
    }

    override func connected() { self.opening?.connected() }

    func opened(_ greeting: ServerGreeting) {
        if let rest = self.opening?.takeUnread() { self.assembler.append(rest) }
        self.opening = nil
        self.phase = .idle
        self.owner.opened(self, knownKeys: greeting.scramKeys)
    }

    func notOpened(_ failure: OutgoingOpening.Failure) {
        switch failure {
        case .connect(let reason), .broken(let reason): self.lost(reason)
        case .login(let failure, let first): self.lost(failure.logText, firstFailure: first)
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
            self.opening?.received(bytes)
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
        if self.phase == .opening {
            self.opening?.broken(reason)
        } else {
            self.lost(self.lastError?.description ?? reason)
        }
    }

    override func deadlinePassed() {
        switch self.phase {
        case .opening: self.opening?.deadlinePassed()
        case .busy: self.lost("query_timeout: the server did not answer in time")
        case .idle, .closed: return
        }
    }

    /// - Parameter firstFailure: of the attempt before the last one, if there were two.
    private func lost(_ reason: String, mayRetry: Bool = true, firstFailure: ServerLoginFailure? = nil) {
        guard self.phase != .closed else { return }
        let wasIdle = self.phase == .idle
        self.phase = .closed
        self.opening = nil
        self.close()
        var metadata = self.logMetadata(reason: reason)
        if let firstFailure { metadata["first_attempt"] = .string(firstFailure.logText) }
        if wasIdle {
            self.log.debug("auth_query connection closed", metadata: metadata)
        } else {
            self.log.warning("auth_query connection lost", metadata: metadata)
        }
        self.owner.lost(self, reason: "auth_query: \(reason)", mayRetry: mayRetry)
    }

    /// It is not needed any more.
    func end() {
        guard self.phase != .closed else { return }
        let isLoggedIn = self.phase != .opening
        if self.phase == .busy {
            let metadata = self.logMetadata(reason: "nobody waits for its answer any more")
            self.log.info("auth_query connection closed", metadata: metadata)
        }
        self.phase = .closed
        self.opening?.abandon()
        self.opening = nil
        if isLoggedIn {
            var terminate = MessageWriter()
            terminate.terminate()
            self.send(terminate.bytes)
        }
        self.close()
    }
}
