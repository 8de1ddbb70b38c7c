import PGWire
import Reactor
import Sessions
import Settings

/// A job of the gateway's own on a server: simple queries sent in one go, whose answers nobody else sees.
struct Errand {
    enum Purpose {
        /// Make the session clean before it goes back to its pool.
        ///
        /// - Parameter resets: the statements take back settings and prepared statements, too, not only an open
        ///   transaction.
        case cleanup(resets: Bool)
        /// See whether a server that was idle for long still answers, before the client gets it.
        case check(ClientConnection)
        /// Apply the parameters of the client that the server is lent to, before it gets the client's request.
        case prepare(ClientConnection, SessionParameters)
        /// Apply the client's startup parameters and learn what the server reports for them.
        ///
        /// - Parameter applying: which of the statements applies them; nil when there are none. What it reports counts,
        ///   what those behind it report does not: they take its work back.
        case learn(ClientConnection, applying: Int?)
    }

    let purpose: Purpose
    let statements: [String]
    /// When it is given up; nil for `errandTimeout` from its start.
    let deadline: MonotonicMicroseconds?
    /// ReadyForQuery messages still due.
    var owed: Int
    /// The first of the statements that failed.
    var failed: Int?
    /// What the session held when the errand began: its own answers change the residue.
    var residue = SessionResidue()
    var reports: [(name: String, value: String)] = []
    var error: ServerMessageFields?

    init(purpose: Purpose, statements: [String], deadline: MonotonicMicroseconds? = nil) {
        self.purpose = purpose
        self.statements = statements
        self.deadline = deadline
        self.owed = statements.count
    }

    /// Which of the statements is being answered.
    var position: Int { self.statements.count - self.owed }

    /// Reports of parameters that are remembered at most; PostgreSQL has some fifteen.
    private static let reportsMax = 1024

    /// What the server reports now is what the client's parameters bring.
    var takesReports: Bool {
        guard case .learn(_, let applying) = self.purpose, self.reports.count < Self.reportsMax else { return false }
        return applying.map { self.position <= $0 } ?? true
    }
}

extension ServerConnection {
    /// How long an errand may take before the server is given up.
    static let errandTimeout: MonotonicMicroseconds = 5_000_000

    func run(_ errand: Errand) {
        self.phase = .errand
        self.ownLedger.reset()
        self.statements?.queryRan()
        var writer = MessageWriter()
        for statement in errand.statements {
            writer.query(statement)
            self.ownLedger.querySent()
        }
        let limit = self.home.worker.now + Self.errandTimeout
        self.setDeadline(min(errand.deadline ?? limit, limit))
        self.errand = errand
        self.errand?.residue = self.scanner.residue
        self.send(writer.bytes)
    }

    /// The errand is done when its last answer has come and nothing has begun behind that: the beginning of a message
    /// would be lost with the server.
    func errandReceived(_ bytes: Span<UInt8>) -> Int {
        var offset = 0
        while true {
            let scan = self.scanner.scan(bytes, from: offset, stopsAtReady: true, ledger: &self.ownLedger)
            offset += scan.taken
            switch scan.stop {
            case .none:
                if self.errand?.owed == 0, self.noteEndOfChunk(at: offset, of: bytes) { self.errandDone() }
                return offset
            case .invalid:
                self.errandFailed("the server broke the protocol")
                return bytes.count
            case .error:
                self.noteErrandError(try? ServerMessageFields.decode(body: bytes.extracting(scan.body)))
            case .parameterStatus:
                self.noteReport(bytes, body: scan.body)
            case .ready:
                if self.errand?.owed == 0 {
                    self.errandFailed("the server sent what nobody asked for")
                    return bytes.count
                }
                self.errand?.owed -= 1
            }
        }
    }

    /// - Parameter fields: nil where the message was too long or not to be understood.
    private func noteErrandError(_ fields: ServerMessageFields?) {
        if let errand = self.errand, errand.failed == nil {
            self.errand?.failed = errand.position
            self.errand?.error = fields ?? Self.unreadError
        }
        if let fields, fields.endsConnection { self.lastError = fields }
    }

    private static let unreadError = ServerMessageFields(
        severity: .error, sqlState: .internalError, message: "the server reported an error that is too long to be told")

    private func noteReport(_ bytes: borrowing Span<UInt8>, body: Range<Int>) {
        guard self.errand?.takesReports == true, let report = ParameterStatus.decode(bytes.extracting(body))
        else { return }
        self.errand?.reports.append(report)
    }

    private func errandDone() {
        guard let errand = self.errand else { return }
        self.errand = nil
        self.clearDeadline()
        self.scanner.forgetResets()
        switch errand.purpose {
        case .cleanup(let resets):
            guard errand.error == nil, self.ownLedger.status == .idle else {
                self.end("cleaning the session failed: \(errand.error?.message ?? "still in a transaction")")
                return
            }
            self.becomeClean(by: errand, resetting: resets)
        case .check(let client):
            if errand.error != nil {
                self.end("the server reported an error while idle")
                return client.retryCheckout()
            }
            self.scanner.residue = SessionResidue()
            client.granted(self)
        case .prepare(let client, let parameters):
            self.prepared(for: client, parameters, by: errand)
        case .learn(let client, let applying):
            self.phase = .active
            client.parametersLearnt(on: self, by: errand, applying: applying)
        }
    }

    private func becomeClean(by errand: Errand, resetting resets: Bool) {
        // RESET ALL and DISCARD ALL took the client's parameters away as well; a ROLLBACK alone takes nothing of that.
        if self.pool.isSessionMode || (resets && errand.residue.hasSettings) { self.applied = .none }
        if self.pool.isSessionMode || (resets && errand.residue.hasStatements) {
            self.statements?.droppedAll()
        }
        self.scanner.residue = SessionResidue()
        self.ledger.reset()
        self.becomeIdle()
    }

    func errandTimedOut() {
        switch self.errand?.purpose {
        case .check, .learn: self.pool.closeDoubtful(home: self.home)
        case .cleanup, .prepare, nil: break
        }
        self.errandFailed("the server did not answer in time")
    }

    func errandFailed(_ reason: String) {
        let errand = self.errand
        self.errand = nil
        let lastError = self.lastError
        self.end(reason)
        switch errand?.purpose {
        case .check(let client): client.retryCheckout()
        case .prepare(let client, _):
            client.isPreparing = false
            client.retryCheckout()
        case .learn(let client, _): client.serverLost(ServerLoss(reason: reason, lastError: lastError))
        case .cleanup, nil: return
        }
    }

    // MARK: Traffic without a client

    /// Bytes on a server that nobody holds: notices and parameter reports are nothing to worry about, an error or an
    /// answer to no question is.
    func strayReceived(_ bytes: Span<UInt8>) -> Int {
        var offset = 0
        while true {
            let scan = self.scanner.scan(bytes, from: offset, stopsAtReady: true, ledger: &self.ownLedger)
            offset += scan.taken
            switch scan.stop {
            case .parameterStatus: continue
            case .none:
                if self.noteEndOfChunk(at: offset, of: bytes), self.phase == .looking { self.becomeIdle() }
                return offset
            case .error:
                self.lastError = try? ServerMessageFields.decode(body: bytes.extracting(scan.body))
                self.end(self.lastError?.message ?? "the server reported an error while idle")
                return bytes.count
            case .ready, .invalid:
                self.end("the server sent what nobody asked for")
                return bytes.count
            }
        }
    }
}
