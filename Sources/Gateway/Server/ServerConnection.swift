import Logging
import PGWire
import Pooling
import Reactor
import Sessions

/// How a server went away under its client.
struct ServerLoss {
    var reason: String
    /// PostgreSQL's fatal error, if it said one.
    var lastError: ServerMessageFields?
    /// The client has that error already.
    var wasPassedOn = false
    /// The client has got a part of a message that will never be complete: nothing can be said to it any more.
    var isMidMessage = false
}

/// One connection to PostgreSQL. Opened and logged in by an `OutgoingOpening`; while a client holds it,
/// `ServerConnection+Relay.swift` moves its answers; between clients `ServerConnection+Errands.swift` cleans and
/// checks it.
///
/// Belongs to the worker it is attached to; while idle it is shared, and the pool's lock decides who gets it.
final class ServerConnection: Endpoint, OpeningDelegate, @unchecked Sendable {
    /// Codes posted from other workers.
    enum Post {
        /// Attached to this worker for `reservedFor`.
        static let granted: UInt64 = 1
    }

    enum Phase: UInt8 {
        case opening
        case idle
        /// A client holds it.
        case active
        /// Runs queries of the gateway's own.
        case errand
        /// Taken out of idle to see what its traffic means.
        case looking
        /// Free, but a cancel request for it is still under way.
        case parked
        /// Carries out what its last client has asked for, then ends.
        case finishing
        case closed
    }

    let id: ServerID
    /// Unique in this process, for logs and the console.
    let number: UInt32
    let pool: Pool
    @safe unowned(unsafe) var home: WorkerHome

    /// Nil in clear text.
    var tls: TLSFacts?
    var phase = Phase.opening
    var scanner = BackendScanner()
    var ledger = AnswerLedger()
    /// Where prepared statements are shared: what this server has, and what its pending answers are.
    let statements: ServerStatements?
    /// Which of the pool's credentials is to open it.
    var credentialNumber = 0
    /// The client that holds it.
    var client: ClientConnection?
    /// The client on another worker that it is on its way to.
    var reservedFor: ClientConnection?
    /// What was sent in front of the client's requests.
    var prelude = Prelude()
    /// The last bytes that came are the beginning of a message, too few to know it: see `noteEndOfChunk`.
    var holdsBeginning = false
    /// The parameters applied to the session, in a client's name.
    var applied = SessionParameters.none {
        didSet { self.appliedIdentity = ObjectIdentifier(self.applied) }
    }
    /// Of `applied`: compared once per transaction, where the object itself would be retained and released.
    private(set) var appliedIdentity = ObjectIdentifier(SessionParameters.none)
    /// Steady parameters that this server has taken until now (`SessionParameters.steadyMark`); bounded.
    var takenMarks: [Int] = []
    /// The present client's first request is the check query, whose answer the pool wants.
    var checkCapture: CheckCapture?
    var errand: Errand?
    /// Books for the gateway's own queries, so that the client's stay right.
    var ownLedger = AnswerLedger()
    /// Nil from the end of the login on.
    var opening: OutgoingOpening?
    /// PostgreSQL's last words, if they were fatal.
    var lastError: ServerMessageFields?
    var processID: Int32 = 0
    var secret: [UInt8] = []
    /// Where it is connected; nil until it is logged in.
    var address: SocketAddress?
    var isCancelInFlight = false
    /// Who waits for the end of the cancel request that is in flight.
    var cancellers: [ClientConnection] = []
    /// Who wants another one: it was asked for when the server had answered what the one in flight was meant for, or
    /// had not answered yet what stands in front of the client's request.
    var laterCancellers: [ClientConnection] = []
    /// `answersOfTurn` when a cancel request was asked for last.
    var answersBeforeCancel: UInt64 = 0
    /// It must not be used again once its present client is done.
    var isSpent = false
    /// Its client's Terminate was passed on: it ends as soon as it has answered what stood before that.
    var hasGotTerminate = false
    /// Counts of the present client's turn.
    var turn = ServerCounts()
    /// Bytes that the client has sent and got, as far as they are not in the pool's books yet. Not those of `turn`:
    /// where statements are shared the gateway asks for other things than the client, and answers some itself.
    var fromClient: UInt64 = 0
    var toClient: UInt64 = 0
    /// Bytes of answers that were read for nobody, since its last client has gone.
    var unheardBytes: UInt64 = 0

    init(id: ServerID, pool: Pool, home: WorkerHome) {
        self.id = id
        self.number = home.gateway.makeServerNumber()
        self.pool = pool
        self.home = home
        self.statements = pool.isSessionMode ? nil : ServerStatements(capacity: pool.plan.serverStatementsMax)
        super.init(descriptor: -1, worker: home.worker)
    }

    /// What the server sent ends with a whole message, as far as it has come.
    var isAtBoundary: Bool { self.scanner.isAtBoundary && !self.holdsBeginning }

    /// Nothing is owed to the client that holds it, by the server or in its place.
    var isSettled: Bool { self.ledger.isSettled && (self.statements?.isSettled ?? true) }

    /// Answers to requests of the present client, up to ReadyForQuery each.
    var answersOfTurn: UInt64 { self.turn.queries &+ UInt64(self.ledger.readyCount) }

    var log: Logger { self.home.gateway.log }

    var logMetadata: Logger.Metadata {
        ["pool": .string(self.pool.key.description), "server_pid": .stringConvertible(self.processID)]
    }

    func logMetadata(reason: String) -> Logger.Metadata {
        self.logMetadata.merging(["reason": .string(reason)]) { $1 }
    }

    // MARK: Events

    override func received(_ bytes: Span<UInt8>) -> Int {
        switch self.phase {
        case .active:
            if let capture = self.checkCapture { return self.relayAndCapture(bytes, into: capture) }
            return self.relay(bytes)
        case .opening:
            self.opening?.received(bytes)
            return bytes.count
        case .errand: return self.errandReceived(bytes)
        case .looking, .idle, .parked: return self.strayReceived(bytes)
        case .finishing: return self.finishingReceived(bytes)
        case .closed: return bytes.count
        }
    }

    override func ended() { self.lost("server closed the connection unexpectedly") }

    override func failed(_ error: Int32) { self.lost(self.codecFailureText ?? SystemErrorText.of(error)) }

    override func sent() {
        // What the client sent has gone out: it may send more.
        self.client?.resume(after: .serverBacklog)
    }

    override func connected() { self.opening?.connected() }

    override func deadlinePassed() {
        switch self.phase {
        case .opening: self.opening?.deadlinePassed()
        case .errand: self.errandTimedOut()
        case .parked: self.end("a cancel request was not answered in time")
        case .looking: self.end("the server stopped in the middle of a message")
        case .finishing: self.end("server_finish_timeout: its client has left, and it has not finished in time")
        default: return
        }
    }

    override func posted(_ code: UInt64) {
        guard code == Post.granted, let client = self.reservedFor else { return }
        self.reservedFor = nil
        client.granted(self)
    }

    override func trafficWhileShared(on worker: Worker) {
        let home = self.pool.gateway.homes[worker.index]
        // From here on nothing but constants may be read until the claim is won.
        guard self.pool.claimIdle(self, home: home) else { return }
        worker.unshare(self)
        self.home = home
        self.phase = .looking
        // What has begun to come has to end.
        self.setDeadline(worker.now + Self.errandTimeout)
        worker.look(self)
    }

    override func nothingToRead() {
        // What came was harmless.
        if self.phase == .looking { self.becomeIdle() }
    }

    // MARK: Ends

    /// The connection broke or was closed by the server.
    private func lost(_ reason: String) {
        switch self.phase {
        case .opening: self.opening?.broken(reason)
        case .active:
            let client = self.client
            self.client = nil
            self.logClosing(reason)
            let loss = ServerLoss(
                reason: reason,
                lastError: self.lastError,
                wasPassedOn: self.scanner.endedWithError,
                isMidMessage: !self.scanner.isAtBoundary
            )
            self.discard()
            client?.serverLost(loss)
        case .errand:
            self.errandFailed(reason)
        case .idle, .looking, .parked, .finishing:
            self.logClosing(self.lastError?.message ?? reason)
            self.discard()
        case .closed:
            return
        }
    }

    /// Ends the connection in an orderly way: it is not needed any more.
    func end(_ reason: String) {
        guard self.phase != .closed else { return }
        self.sendTerminate()
        self.logClosing(reason)
        self.discard()
    }

    /// The client has said goodbye, and PostgreSQL is to say what it still gets.
    func passTerminate() {
        guard !self.hasGotTerminate else { return }
        self.hasGotTerminate = true
        self.isSpent = true
        self.sendTerminate()
    }

    func sendTerminate() {
        var writer = MessageWriter()
        writer.terminate()
        self.send(writer.bytes)
    }

    /// Closes and tells the pool.
    func discard() {
        guard self.phase != .closed else { return }
        let wasAlone = self.phase == .finishing
        self.phase = .closed
        self.opening?.abandon()
        self.opening = nil
        self.client = nil
        self.letCancellersGo()
        self.checkCapture = nil
        self.errand = nil
        self.close()
        self.pool.closed(self, home: self.home)
        if wasAlone { self.finishedAlone() }
    }

    private func logClosing(_ reason: String) {
        self.log.debug("server connection closed", metadata: self.logMetadata(reason: reason))
    }
}
