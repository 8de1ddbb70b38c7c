import AuthProviders
import Logging
import PGWire
import Pooling
import Reactor
import Sessions
import Synchronization
import Telemetry

/// One client, from accept to close. `+Startup` and `+Login` bring it in, `+Session` moves its requests, `+Console`
/// answers it when it asked for the console, `+Leaving` ends it.
///
/// Belongs to one worker for life. Kept small: thousands of these are idle at any time; what is needed only during
/// login or by the console hangs off optional references.
final class ClientConnection: Endpoint, @unchecked Sendable {
    enum Phase: UInt8 {
        /// Before the StartupMessage is understood.
        case startup
        case login
        /// Logged in, no server.
        case idle
        /// Logged in, in the queue of its pool.
        case waiting
        /// Holds a server.
        case active
        case console
        /// Says its last words.
        case closing
    }

    /// Why a client with a session is not read, though its phase allows it.
    struct ReadPauses: OptionSet {
        let rawValue: UInt8

        /// Its server does not take its requests.
        static let serverBacklog = ReadPauses(rawValue: 1)
        /// It does not take the answers that it has.
        static let ownOutput = ReadPauses(rawValue: 2)
        /// Its next message waits for answers to earlier ones.
        static let heldMessage = ReadPauses(rawValue: 4)
    }

    /// What is left to do about a request that was cancelled while it stood in the queue.
    enum CancelledRequest: UInt8 {
        case none
        /// It is what the client's next message begins, and the client is to be told.
        case untold
        /// The client has been told; what else belongs to the batch is dropped, up to its Sync.
        case untilSync
    }

    let home: WorkerHome
    let peer: SocketAddress
    /// Unique in this process; also the process ID in the client's cancel key.
    let number: Int32
    let connectedAt: MonotonicMicroseconds

    var phase = Phase.startup
    var scanner = FrontendScanner()
    var server: ServerConnection?
    var pool: Pool?
    /// What the startup packet asked for; together with `changes`, what of it the pool leaves to the client.
    var requested = SessionParameters.none
    var parameters = SessionParameters.none {
        didSet {
            self.parametersIdentity = ObjectIdentifier(self.parameters)
            self.hasParameters = !self.parameters.entries.isEmpty
            self.statements?.adopt(self.parameters.planner)
        }
    }
    private(set) var parametersIdentity = ObjectIdentifier(SessionParameters.none)
    private(set) var hasParameters = false
    /// A server has been found, or applies them first, and the client's request has not gone out to it yet.
    var isPreparing = false
    /// Session mode: the last request that was passed on takes parameters back; see `holdBehindReset`.
    var isBehindReset = false
    /// Cancel requests for a request that waits for its server, or for its parameters; `cancellersAheadMax` at most.
    var cancellersAhead: [ClientConnection] = []
    var cancelled = CancelledRequest.none
    /// What servers have reported in its present turn, and what the client has SET that goes with it from server to
    /// server; see `ClientConnection+Reports.swift`.
    var reported: [String: String] = [:]
    var changes: [String: String] = [:]
    /// Session mode: the application name that its server has reported last; nil as long as it has reported none.
    var sessionName: String?
    /// Where prepared statements are shared: the client's own names for them.
    var statements: ClientStatements?
    var waiter: WaiterID?
    /// When it first asked for the server it waits for.
    var waitingSince: MonotonicMicroseconds = 0
    /// When its present request and its present transaction began, or when what ended before them was entered in the
    /// books.
    var requestBegan: MonotonicMicroseconds = 0
    var transactionBegan: MonotonicMicroseconds = 0
    var homeIndex = -1
    /// The server is not read because this client does not take its answers.
    var isPausingServer = false
    var pauses: ReadPauses = []
    /// It was told that a transaction has begun, of which no server knows yet.
    var deferredBegin: TransactionCommand?
    /// The request that it asks a server for is this check query, whose answer the pool wants.
    var askedCheck: CheckQuery?
    /// The process stops, or the client's token has expired: leave at the end of the present transaction.
    var mustLeave = false
    /// When the session has to end; nil when it may last.
    var expiry: SessionExpiry?
    /// Who works in a pool of `server_users`; nil in any other pool.
    var mapped: MappedIdentity?
    /// It has said goodbye and waits for its last answers.
    var isTerminating = false
    /// It has one of the `max_connections` places.
    var isAdmitted = false
    /// Who it is to the audit stream, which has its login and is still to get its logout.
    var auditSubject: AuditSubject?
    /// After its last words it is read until it closes.
    var lingers = false
    /// It is to be closed as soon as these have come; see `awaitFarewell`.
    var hurries = false
    var queryCount: UInt64 = 0
    var transactionCount: UInt64 = 0
    var errorCount: UInt64 = 0

    var startup: ClientStartup?
    /// While TLS is being agreed on.
    var handshake: ClientHandshake?
    /// Nil without TLS.
    var tls: TLSFacts?
    var login: LoginState?
    var console: ConsoleState?
    /// Name and database as the client gave them; empty before the startup message.
    var user = ""
    var database = ""

    init(descriptor: Int32, peer: SocketAddress, number: Int32, home: WorkerHome) {
        self.home = home
        self.peer = peer
        self.number = number
        // Not the round's: that may lie before the connection, and durations are told from here.
        self.connectedAt = MonotonicClock.now()
        super.init(descriptor: descriptor, worker: home.worker)
        self.startup = ClientStartup(tls: self.tlsOffer)
    }

    var gateway: Gateway { self.home.gateway }
    var log: Logger { self.home.gateway.log }

    var logMetadata: Logger.Metadata {
        [
            "client": "#c\(self.number)", "user": .string(self.user), "database": .string(self.database),
            "address": .string(self.peer.description),
        ]
    }

    func logMetadata(_ more: Logger.Metadata) -> Logger.Metadata { self.logMetadata.merging(more) { $1 } }

    /// The worker has taken the connection over.
    func attached() {
        self.home.add(self)
        self.wipesReceived = true
        let timeout = self.home.snapshot.loginTimeout
        if timeout > 0 { self.setDeadline(self.home.worker.now + timeout) }
        // Its worker may have asked all its clients to leave while this one was on the way to it.
        if self.gateway.stopping.load(ordering: .acquiring) { self.askToLeave() }
    }

    // MARK: Pauses

    func pause(for reason: ReadPauses) {
        self.pauses.insert(reason)
        self.pauseReading()
    }

    /// Reads on, if it was not read for this reason.
    func resume(after reason: ReadPauses) {
        if self.pauses.remove(reason) != nil { self.resumeReading() }
    }

    /// The client is not read any more when it has many answers of the gateway's own to take: they have no server to
    /// slow down. True when it was paused.
    func pauseIfAnswersPileUp() -> Bool {
        guard self.unsentCount > ServerConnection.clientBacklog else { return false }
        self.pause(for: .ownOutput)
        return true
    }

    /// The client is not read any more when its server has much to take. True when it was paused.
    @discardableResult
    func pauseIfServerLags(_ server: ServerConnection) -> Bool {
        guard server.unsentCount > Self.serverBacklog else { return false }
        self.pause(for: .serverBacklog)
        return true
    }

    // MARK: Events

    override func received(_ bytes: Span<UInt8>) -> Int {
        switch self.phase {
        case .active:
            let taken = self.relay(bytes)
            if self.isPreparing || !self.cancellersAhead.isEmpty {
                self.requestMayHaveGoneOut(leaving: bytes.count - taken)
            }
            return taken
        case .idle: return self.isTerminating ? bytes.count : self.open(bytes)
        case .waiting: return 0
        case .startup: return self.startupReceived(bytes)
        case .login: return self.loginReceived(bytes)
        case .console: return self.consoleReceived(bytes)
        case .closing: return bytes.count
        }
    }

    override func ended() {
        if self.isTerminating { self.leaveServerToFinish() }
        self.vanished("client closed the connection")
    }

    override func failed(_ error: Int32) { self.vanished(self.codecFailureText ?? SystemErrorText.of(error)) }

    override func hungUpWhilePaused() {
        // It may only send nothing more, and still take its answers: then it is read on.
        if self.pauses.contains(.ownOutput) {
            if self.hasPeerBrokenOff() { self.vanished("client closed the connection") }
            return
        }
        // A paused client that hung up wants no answer any more; one that is being throttled may still read.
        switch self.phase {
        case .waiting, .login, .console: self.vanished("client closed the connection")
        case .active:
            if self.pauses.contains(.serverBacklog) { return self.hungUpBehindRequests() }
            // Behind what is held there may be more, and a goodbye; a client that broke off hears no answer to it, and
            // where the count of answers is lost, the one that it waits for may never come.
            let isHopeless = self.server?.ledger.isLost ?? false
            if self.pauses.contains(.heldMessage), isHopeless || self.hasPeerBrokenOff() {
                self.vanished("client closed the connection")
            }
        case .startup, .idle, .closing: return
        }
    }

    override func sent() {
        if self.phase == .closing {
            if self.lingers { self.shutdownSending() } else { self.finish() }
            return
        }
        self.resume(after: .ownOutput)
        if self.isPausingServer {
            self.isPausingServer = false
            self.server?.resumeReading()
        }
        // The console stops reading while its answers are not taken.
        if let console = self.console, !console.isPerforming { self.resumeReading() }
    }

    override func deadlinePassed() {
        switch self.phase {
        case .startup:
            self.handshakeTimedOut()
            self.refusedAtStartup(.deadlinePassed, "client_login_timeout before a startup packet")
            self.finish(.ended("client_login_timeout before a startup packet"))
        case .login:
            self.loginTimedOut()
        case .closing:
            self.farewellDue()
        case .active where self.pauses.contains(.serverBacklog) && self.expiry == nil:
            self.vanished("server_finish_timeout: it has left, and its server does not take what it asked for")
        case .idle, .waiting, .active, .console:
            self.expiryDue()
        }
    }
}
