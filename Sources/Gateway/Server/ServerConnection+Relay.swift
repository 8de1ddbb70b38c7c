import Logging
import PGWire
import Reactor
import Sessions
import Settings
import Telemetry

/// The way of a server's answers to the client that holds it. No allocation, no lock, no closure per message.
extension ServerConnection {
    /// Output that may wait for a slow client before its server is not read any more.
    static let clientBacklog = 64 * 1024

    /// Bytes of a request or an answer under way that may be missing in the pool's books.
    static let unbookedMax: UInt64 = 1024 * 1024

    /// Answered requests that may be missing there while others are still to be answered, and how long they may.
    private static let unbookedAnswersMax = 64
    private static let unbookedTimeMax: MonotonicMicroseconds = 1_000_000

    /// Bytes of a ReadyForQuery message.
    static let readyForQueryLength = 6

    func relay(_ bytes: Span<UInt8>) -> Int {
        guard let client = self.client else { return bytes.count }
        var offset = 0
        if self.prelude.owed > 0 {
            offset = self.takePreludeAnswers(bytes)
            if self.prelude.owed > 0 || self.phase != .active { return offset }
            if self.statements == nil { client.goOnBehindReset() }
        }
        if let statements = self.statements { return self.relayScripted(bytes, from: offset, to: client, statements) }
        let start = offset
        var passed = offset
        var isInvalid = false
        scan: while true {
            let scan = self.scanner.scan(bytes, from: offset, stopsAtReady: false, ledger: &self.ledger)
            offset += scan.taken
            switch scan.stop {
            case .none: break scan
            case .error: self.noteError(bytes, body: scan.body)
            case .ready: continue scan
            case .parameterStatus:
                client.noteName(bytes, body: scan.body)
                guard client.withholdsReport(bytes, body: scan.body, behind: offset, of: self) else {
                    client.noteReport(bytes, body: scan.body)
                    continue scan
                }
                self.passOn(bytes, passed..<(scan.body.lowerBound - MessageHeader.size), to: client)
                passed = offset
            case .invalid:
                isInvalid = true
                break scan
            }
        }
        self.turn.receivedBytes &+= UInt64(offset - start)
        self.passOn(bytes, passed..<offset, to: client)
        self.expect(self.scanner.bytesToCome)
        if isInvalid {
            self.brokenStream()
        } else if self.noteEndOfChunk(at: offset, of: bytes) {
            client.serverSettled()
            client.goOnBehindReset()
            if client.isTerminating { client.terminateIfSettled() }
        }
        return offset
    }

    @inline(__always)
    private func passOn(_ bytes: borrowing Span<UInt8>, _ part: Range<Int>, to client: ClientConnection) {
        if part.isEmpty { return }
        self.toClient &+= UInt64(part.count)
        client.send(bytes.extracting(part))
        self.chunkPassed(to: client)
    }

    /// Answers were sent to the client. What they add up to goes into the books where it is much, and the server is not
    /// read as long as its client does not take them.
    ///
    /// Most requests are entered when nothing is owed any more (`serverSettled`). A client that has its next request
    /// out before the last one is answered may never let that moment come.
    @inline(__always)
    func chunkPassed(to client: ClientConnection) {
        if self.toClient > Self.unbookedMax { client.accountBytes(self) }
        let answers = self.ledger.readyCount
        if answers > 0, answers > Self.unbookedAnswersMax || self.isBookingDue(of: client) { client.account(self) }
        if client.unsentCount > Self.clientBacklog {
            client.isPausingServer = true
            self.pauseReading()
        }
    }

    @inline(__always)
    private func isBookingDue(of client: ClientConnection) -> Bool {
        self.home.worker.now &- client.requestBegan > Self.unbookedTimeMax
    }

    /// What has not been taken of a chunk, the beginning of a message, stays with this connection and its owner: nobody
    /// else gets the server until the rest has come.
    ///
    /// - Returns: true when everything that came has been taken, up to the end of a message.
    func noteEndOfChunk(at offset: Int, of bytes: borrowing Span<UInt8>) -> Bool {
        self.holdsBeginning = offset < bytes.count
        return self.isAtBoundary
    }

    /// PostgreSQL's error is passed on as it is; here it is only remembered and counted.
    @discardableResult
    func noteError(_ bytes: borrowing Span<UInt8>, body: Range<Int>) -> ServerMessageFields? {
        self.home.counters(of: self.pool).errors.add(1)
        self.client?.errorCount &+= 1
        // Only a fatal error is of interest later: it is the reason of what follows.
        guard let fields = try? ServerMessageFields.decode(body: bytes.extracting(body)) else { return nil }
        if fields.endsConnection { self.lastError = fields }
        return fields
    }

    func brokenStream() {
        let client = self.client
        self.client = nil
        self.log.error("server sent what is not the protocol", metadata: self.logMetadata)
        let isMidMessage = !self.scanner.isAtBoundary
        self.discard()
        client?.serverLost(ServerLoss(reason: "the server broke the protocol", isMidMessage: isMidMessage))
    }

    // MARK: A client's turn

    /// A client takes over. Its parameters go out first if the session has others.
    func beginTurn(_ client: ClientConnection) {
        self.client = client
        self.phase = .active
        self.checkCapture = nil
        self.ledger.reset()
        if let statements = self.statements {
            statements.beginTurn()
            self.scanner.residue.hasOnlyLocalSets = true
        }
        self.lastError = nil
        if self.pool.mayCreateTemporary { self.scanner.residue.hasTemporary = true }
        guard self.pool.plan.syncsParameters else { return }
        if client.parameters.mayCreateTemporary { self.scanner.residue.hasTemporary = true }
        guard self.appliedIdentity != client.parametersIdentity else { return }
        if let query = client.parameters.query(replacing: self.applied) {
            var writer = MessageWriter()
            writer.query(query)
            self.sendPrelude(writer.bytes)
            self.prelude.isApplying = true
        }
        self.applied = client.parameters
    }

    /// The client is done, and everything was answered.
    func endTurn() {
        self.client = nil
        self.statements?.endTurn()
        // The turn may have ended before the relay has said that its last message is over.
        self.expect(0)
        if self.isReadingPaused { self.resumeReading() }
        if self.isSpent || self.scanner.residue.isUnknowable {
            self.end("not reusable")
        } else if self.isCancelInFlight {
            self.phase = .parked
            self.enterTurn()
            self.letCancellersGo()
            self.setDeadline(self.home.worker.now + self.home.gateway.snapshot.cancelWaitTimeout)
        } else {
            self.goHome()
        }
    }

    /// Parameters that the client has reset are not what was applied any more. Which of them a RESET took away nobody
    /// can tell, so it takes the rest away as well.
    private func noteResets() -> Bool {
        if self.scanner.lostParameters { self.applied = .none }
        let hasReset = self.scanner.hasReset
        // What the next client sets is not what this one has reset.
        self.scanner.forgetResets()
        guard hasReset else { return false }
        let isUncertain = !self.applied.entries.isEmpty
        if isUncertain { self.scanner.residue.hasSettings = true }
        return isUncertain
    }

    /// Nobody holds it, and nothing of anybody is left in it.
    func becomeIdle() {
        // Known from the event that brought the last answer: whoever got it next would be cut off with it.
        if self.hasPeerHungUp { return self.end("the server has closed the connection") }
        self.phase = .idle
        self.pool.checkin(self, home: self.home)
    }

    /// Back to the pool, clean.
    func goHome() {
        let mustReset = self.noteResets()
        if let statements = self.statements, statements.lentCount > 0 { self.scanner.residue.hasStatements = true }
        if self.ledger.isOutsideTransaction, !self.pool.isSessionMode, self.scanner.residue.isEmpty {
            self.becomeIdle()
            return
        }
        let resets = !self.pool.isSessionMode && (self.pool.plan.cleansSessions || mustReset)
        var statements: [String] = []
        if !self.ledger.isOutsideTransaction { statements.append("ROLLBACK") }
        if self.pool.isSessionMode { statements.append("DISCARD ALL") }
        if resets { statements += self.scanner.residue.cleanup }
        if statements.isEmpty {
            self.scanner.residue = SessionResidue()
            self.becomeIdle()
        } else {
            self.enterTurn()
            self.run(Errand(purpose: .cleanup(resets: resets), statements: statements))
        }
    }
}
