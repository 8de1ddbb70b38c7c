import PGWire
import Pooling
import Reactor
import Sessions
import Settings
import Synchronization
import Telemetry

/// The way of a logged-in client's requests. No allocation, lock or closure per message; the pool's lock is taken twice
/// per transaction.
extension ClientConnection {
    /// Requests that may wait for a slow server before the client is not read any more.
    static let serverBacklog = 64 * 1024

    // MARK: Without a server

    func open(_ bytes: Span<UInt8>) -> Int {
        // The rest of COPY data that was under way when the COPY ended.
        var offset = self.scanner.takeSkipped(available: bytes.count)
        while true {
            switch self.scanner.opening(bytes, at: offset) {
            case .incomplete: return offset
            case .terminate:
                self.pushOut()
                // It may not have taken the answers to what it asked for before.
                if self.unsentCount > 0 { self.goQuietly() } else { self.finish() }
                return bytes.count
            case .strayCopy:
                if let header = MessageHeader.read(bytes, at: offset) { self.scanner.skipMessage(header) }
                offset += self.scanner.takeSkipped(available: bytes.count - offset)
            case .invalidLength:
                self.refuseMessage("invalid message length")
                return bytes.count
            case .invalidKind:
                self.refuseMessage("invalid frontend message type \(bytes[offset])")
                return bytes.count
            case .request:
                if self.pauseIfAnswersPileUp() { return offset }
                let answered =
                    self.cancelled == .none
                    ? self.answerWithoutServer(bytes, at: offset) : self.answerCancelled(bytes, at: offset)
                if answered == 0 {
                    return offset + self.request(offset == 0 ? bytes : bytes.extracting(offset..<bytes.count))
                }
                offset += answered
                // It may have been the last thing that a stopping gateway waited for.
                if self.phase != .idle { return bytes.count }
            }
        }
    }

    private func request(_ bytes: Span<UInt8>) -> Int {
        self.waitingSince = self.home.worker.now
        self.checkout(since: nil)
        // With a server in hand the bytes go on at once, straight from the receive buffer.
        let taken = self.phase == .active ? self.relay(bytes) : 0
        if !self.cancellersAhead.isEmpty { self.requestMayHaveGoneOut(leaving: bytes.count - taken) }
        return taken
    }

    private func checkout(since: MonotonicMicroseconds?) {
        guard let pool = self.followPool() else {
            self.leave(with: CheckoutFailure.poolRemoved.fields, logging: "pool removed")
            return
        }
        switch pool.checkout(for: self, home: self.home, since: since) {
        case .server(let server, needsCheck: false):
            if self.beginPreparing(on: server) { return }
            self.take(server)
        case .server(let server, needsCheck: true):
            self.phase = .waiting
            self.pauseReading()
            let deadline = pool.checkDeadline(since: self.waitingSince, home: self.home)
            server.run(Errand(purpose: .check(self), statements: [";"], deadline: deadline))
        case .waiting(let waiter):
            self.phase = .waiting
            self.waiter = waiter
            self.pauseReading()
        }
    }

    /// The client's pool, per transaction: where a reload has replaced it, the client moves to the new one. Nil when
    /// there is none any more; the old one then counts the error that the client is told.
    func followPool() -> Pool? {
        guard let pool = self.pool else { return nil }
        if !pool.isRetired.load(ordering: .acquiring) { return pool }
        // Who worked as somebody by `server_users` that say otherwise now has to log in again.
        guard self.mayStay(in: pool.key), let next = self.gateway.pools.pin(inPlaceOf: pool) else { return nil }
        self.leavePool()
        self.pool = next
        self.parameters = next.recall(self.changed(self.requested)).parameters
        return next
    }

    private func mayStay(in key: PoolKey) -> Bool {
        guard key.kind.isMapped else { return true }
        guard let mapped = self.mapped else { return false }
        return self.gateway.snapshot.stays(mapped, in: key)
    }

    private func take(_ server: ServerConnection) {
        let now = self.home.worker.now
        self.phase = .active
        self.server = server
        self.waiter = nil
        self.countCheckout(from: server.pool, at: now)
        server.beginTurn(self)
        guard server.takeOverStatements(of: self) else { return self.refuseReplay() }
        if let begin = self.deferredBegin {
            self.deferredBegin = nil
            self.transactionBegan = now
            server.openTransaction(by: begin)
        }
        if let query = self.askedCheck {
            self.askedCheck = nil
            server.checkCapture = CheckCapture(query, of: self, skipping: server.prelude.owed)
        }
    }

    // MARK: The end of a wait

    /// A server has come. Called on this client's worker, at any time: the client may have left meanwhile.
    func granted(_ server: ServerConnection) {
        switch self.phase {
        case .waiting:
            if self.beginPreparing(on: server) { return }
            // Its request goes out in the next round: a cancel request may be quicker.
            self.isPreparing = true
            self.take(server)
            self.resumeReading()
        case .login:
            self.waiter = nil
            self.loginGranted(server)
        case .startup, .idle, .active, .console, .closing:
            server.becomeIdle()
        }
    }

    /// The server checked for this client turned out dead: it asks again, at its old place in the queue.
    func retryCheckout() {
        guard self.phase == .waiting else { return }
        if let pool = self.pool, self.home.worker.now >= pool.waitDeadline(since: self.waitingSince) {
            return self.checkoutFailed(pool.waitTimeout(of: self, home: self.home))
        }
        self.checkout(since: self.waitingSince)
        if self.phase == .active {
            self.isPreparing = true
            self.resumeReading()
        } else if self.phase == .waiting, !self.cancellersAhead.isEmpty {
            // They came while the server that is lost was being made ready.
            _ = self.cancelInQueue()
        }
    }

    /// There is no server for it. Its leaving counts the wait.
    func checkoutFailed(_ failure: CheckoutFailure) {
        self.waiter = nil
        switch self.phase {
        case .waiting, .active:
            self.server = nil
            self.leave(with: failure.fields, logging: failure.fields.message)
        case .login:
            self.loginCheckoutFailed(failure)
        case .startup, .idle, .console, .closing:
            return
        }
    }

    /// The pool it waits in has been replaced by a reload.
    func poolRetired(_ pool: Pool) {
        let isMeant = pool === self.pool || pool === self.login?.pool
        guard let waiter = self.waiter, isMeant, pool.cancelWait(waiter) else { return }
        self.waiter = nil
        switch self.phase {
        case .waiting: self.retryCheckout()
        case .login: self.loginCheckoutFailed(.poolRemoved)
        default: return
        }
    }

    // MARK: With a server

    func relay(_ bytes: Span<UInt8>) -> Int {
        guard let server = self.server, !self.isTerminating else { return bytes.count }
        if let shared = server.statements { return self.relayShared(bytes, through: server, shared) }
        var offset = self.scanner.takeSkipped(available: bytes.count)
        server.fromClient &+= UInt64(offset)
        if self.isBehindReset, self.holdBehindReset(server) { return offset }
        if server.ledger.isSettled {
            if self.scanner.isAtBoundary, server.restoreParameters(of: self) {
                self.pause(for: .heldMessage)
                self.isPreparing = true
                return offset
            }
            self.requestBegins(server)
        }
        while true {
            let scan = self.scanner.scan(
                bytes,
                from: offset,
                stopsBehindResets: self.hasParameters,
                ledger: &server.ledger
            )
            if scan.forwarded > 0 {
                server.send(bytes.extracting(offset..<(offset + scan.forwarded)))
                server.turn.sentBytes &+= UInt64(scan.forwarded)
                server.fromClient &+= UInt64(scan.forwarded)
                if server.fromClient > ServerConnection.unbookedMax { self.accountBytes(server) }
                offset += scan.forwarded
            }
            switch scan.stop {
            case .reset:
                self.isBehindReset = true
                if offset < bytes.count, !self.holdBehindReset(server) { continue }
                fallthrough
            case .none:
                self.pauseIfServerLags(server)
                self.expect(self.scanner.bytesToCome)
                // What was just passed on may have been the rest of a message that held the server back.
                if self.scanner.isAtBoundary { self.serverSettled() }
                return offset
            case .terminate:
                self.isTerminating = true
                self.terminateIfSettled()
                return bytes.count
            case .invalidLength:
                self.refuseMessage("invalid message length")
                return bytes.count
            case .invalidKind:
                self.refuseMessage("invalid frontend message type \(scan.kind)")
                return bytes.count
            }
        }
    }

    func refuseMessage(_ text: String) {
        self.leave(saying: .protocolViolation, text)
    }

    /// The server stands at a message boundary: is it free?
    func serverSettled() {
        // A statement that is being collected is the client's, though the server has seen nothing of it yet.
        guard let server = self.server, self.scanner.isAtBoundary, server.isAtBoundary, !self.isCollecting else {
            return
        }
        guard server.isSettled else {
            if server.ledger.isDoubtful { server.settleDoubt() }
            return
        }
        self.account(server)
        if server.pool.isSessionMode {
            if self.mustLeave { self.leaveIfBetweenTransactions() }
        } else if server.ledger.isReleasable {
            self.endTurn()
        } else if server.pool.isStatementMode {
            self.refuseTransactionBlock()
        } else if self.mustLeave {
            self.leaveIfBetweenTransactions()
        }
        if self.isTerminating { self.terminateIfSettled() }
    }

    func refuseTransactionBlock() {
        self.leave(
            with: .fatal(.activeTransaction, "transaction blocks are not allowed in statement pooling mode"),
            logging: "transaction block in statement mode"
        )
    }

    /// Terminate takes effect when everything before it has been answered. Where only PostgreSQL can tell when that is,
    /// and where it waits for more (Sync, COPY data), it gets the message, and its end is the client's.
    func terminateIfSettled() {
        if let server = self.server {
            if server.ledger.isAmbiguous || server.ledger.owesOnlyUnsynced || server.ledger.isCopyIn {
                return server.passTerminate()
            }
            guard server.isSettled, server.isAtBoundary, server.prelude.owed == 0 else { return }
        }
        self.goQuietly()
    }

    /// The transaction is over: the server goes back.
    private func endTurn() {
        guard let server = self.server, server.prelude.owed == 0 else { return }
        self.server = nil
        self.phase = .idle
        // What they were meant for has been answered in the server's place, or was a lone Flush.
        if !self.cancellersAhead.isEmpty { self.letCancellersGo() }
        self.isPausingServer = false
        self.resume(after: .serverBacklog)
        self.statements?.endTurn()
        if self.hasReports(of: server) { self.settleReports(of: server) }
        server.endTurn()
        self.resume(after: .heldMessage)
        if self.mustLeave { self.leaveAsTold() }
    }
}
