import PGWire
import Reactor
import Sessions
import Settings

/// A job of the gateway's own on a server: simple queries sent in one go, whose answers nobody else sees.
struct Errand {
    enum Purpose {
        /// Make the session clean before it goes back to its pool.
        case cleanup
        /// See whether a server that was idle for long still answers, before the client gets it.
        case check(ClientConnection)
        /// Apply the client's startup parameters and learn what the server reports for them.
        case learn(ClientConnection)
    }

    let purpose: Purpose
    let statements: [String]
    /// ReadyForQuery messages still due.
    var owed = 0
    /// What the session held when the errand began: its own answers change the residue.
    var residue = SessionResidue()
    var reports: [(name: String, value: String)] = []
    var error: ServerMessageFields?
}

extension ServerConnection {
    /// How long an errand may take before the server is given up.
    static let errandTimeout: MonotonicMicroseconds = 5_000_000

    func run(_ errand: Errand) {
        var errand = errand
        errand.owed = errand.statements.count
        errand.residue = self.scanner.residue
        self.phase = .errand
        self.errandLedger.reset()
        self.statements?.queryRan()
        var writer = MessageWriter()
        for statement in errand.statements {
            writer.query(statement)
            self.errandLedger.querySent()
        }
        self.errand = errand
        self.setDeadline(self.home.worker.now + Self.errandTimeout)
        self.send(writer.bytes)
    }

    func errandReceived(_ bytes: Span<UInt8>) -> Int {
        var offset = 0
        while self.phase == .errand {
            let scan = self.scanner.scan(bytes, from: offset, stopsAtReady: true, ledger: &self.errandLedger)
            offset += scan.taken
            switch scan.stop {
            case .none: return offset
            case .invalid:
                self.errandFailed("the server broke the protocol")
                return bytes.count
            case .error:
                let fields = try? ServerMessageFields.decode(body: bytes.extracting(scan.body))
                self.errand?.error = fields
                if let fields, fields.severity == .fatal || fields.severity == .panic { self.lastError = fields }
            case .parameterStatus:
                self.noteReport(bytes, body: scan.body)
            case .ready:
                self.errand?.owed -= 1
                if self.errand?.owed == 0 { self.errandDone() }
            }
        }
        return offset
    }

    private func noteReport(_ bytes: borrowing Span<UInt8>, body: Range<Int>) {
        guard case .learn = self.errand?.purpose else { return }
        var copy: [UInt8] = []
        copy.reserveCapacity(body.count)
        for index in body { copy.append(bytes[index]) }
        var reader = ByteReader(copy)
        guard let name = try? reader.cString(), let value = try? reader.cString() else { return }
        self.errand?.reports.append((name, value))
    }

    private func errandDone() {
        guard let errand = self.errand else { return }
        self.errand = nil
        self.clearDeadline()
        self.scanner.forgetResets()
        switch errand.purpose {
        case .cleanup:
            guard errand.error == nil, self.errandLedger.status == .idle else {
                self.retire("cleaning the session failed: \(errand.error?.message ?? "still in a transaction")")
                return
            }
            self.becomeClean(of: errand.residue)
        case .check(let client):
            self.scanner.residue = SessionResidue()
            client.granted(self)
        case .learn(let client):
            self.phase = .active
            client.parametersLearnt(on: self, reports: errand.reports, error: errand.error)
        }
    }

    private func becomeClean(of residue: SessionResidue) {
        // RESET ALL and DISCARD ALL took the client's parameters away as well.
        if self.pool.isSessionMode || residue.hasSettings { self.applied = .none }
        if self.pool.isSessionMode || residue.hasStatements { self.statements?.droppedAll() }
        self.scanner.residue = SessionResidue()
        self.ledger.reset()
        self.phase = .idle
        self.pool.checkin(self, home: self.home)
    }

    func errandFailed(_ reason: String) {
        let errand = self.errand
        self.errand = nil
        let lastError = self.lastError
        self.retire(reason)
        switch errand?.purpose {
        case .check(let client): client.retryCheckout()
        case .learn(let client): client.serverLost(ServerLoss(reason: reason, lastError: lastError))
        case .cleanup, nil: return
        }
    }

    // MARK: Traffic without a client

    /// Bytes on a server that nobody holds: notices and parameter reports are nothing to worry about, an error or an
    /// answer to no question is.
    func strayReceived(_ bytes: Span<UInt8>) -> Int {
        var offset = 0
        while true {
            let scan = self.scanner.scan(bytes, from: offset, stopsAtReady: true, ledger: &self.errandLedger)
            offset += scan.taken
            switch scan.stop {
            case .parameterStatus: continue
            case .none:
                if self.phase == .looking, self.scanner.isAtBoundary { self.lookedWell() }
                return offset
            case .error:
                self.lastError = try? ServerMessageFields.decode(body: bytes.extracting(scan.body))
                self.retire(self.lastError?.message ?? "the server reported an error while idle")
                return bytes.count
            case .ready, .invalid:
                self.retire("the server sent what nobody asked for")
                return bytes.count
            }
        }
    }

    /// What came was harmless: back to idle.
    func lookedWell() {
        self.phase = .idle
        self.pool.checkin(self, home: self.home)
    }

    // MARK: Cancel

    /// The request is through, or the client that it was meant for has no statement here any more that it could hit.
    func letCancellersGo() {
        for canceller in self.cancellers + self.laterCancellers { canceller.cancelIsThrough() }
        self.cancellers = []
        self.laterCancellers = []
    }

    /// A cancel request for this server was sent and is through, or was given up.
    func cancelEnded(isCertain: Bool) {
        self.cancelsInFlight -= 1
        if !isCertain { self.isSpent = true }
        let wanted = self.takeLaterCancellers()
        self.letCancellersGo()
        for canceller in wanted { self.cancel(for: canceller) }
        guard self.phase == .parked, self.cancelsInFlight == 0 else { return }
        self.clearDeadline()
        if self.isSpent { self.retire("a cancel request may still be under way") } else { self.goHome() }
    }
}
