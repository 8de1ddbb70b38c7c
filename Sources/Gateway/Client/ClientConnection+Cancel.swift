import PGWire
import Reactor
import Sessions
import Telemetry

/// A client as the one whose request is to be cancelled, and as the one that asks for that.
extension ClientConnection {
    /// Who waits ahead of one request at most. Each of them wants the same: those beyond are let go at once.
    private static let cancellersAheadMax = 16

    /// A cancel request with this client's key came in.
    func cancelRequested(by canceller: ClientConnection) {
        if self.phase == .waiting, self.cancelInQueue() { return canceller.cancelIsThrough() }
        if self.phase == .waiting || (self.isPreparing && self.phase == .active) {
            guard self.cancellersAhead.count < Self.cancellersAheadMax else { return canceller.cancelIsThrough() }
            return self.cancellersAhead.append(canceller)
        }
        guard let server = self.server else { return canceller.cancelIsThrough() }
        server.cancel(for: canceller)
    }

    /// Takes the client out of the queue of its pool, if it stands there: nothing of its request has gone out, and it
    /// is answered in a server's place (`answerCancelled`). Drivers that bound the time of a statement cancel it once,
    /// and some let nothing else be cancelled until that is through.
    ///
    /// - Returns: false when a server is on its way to the client or is being prepared for it, or when the client
    ///   believes itself in a transaction: to fail that takes a server.
    func cancelInQueue() -> Bool {
        guard self.deferredBegin == nil, let waiter = self.waiter, let pool = self.pool, pool.cancelWait(waiter)
        else { return false }
        self.waiter = nil
        self.countVainWait(in: pool)
        self.askedCheck = nil
        self.letCancellersGo()
        self.phase = .idle
        self.cancelled = .untold
        self.resumeReading()
        return true
    }

    /// The message at `offset` begins the request that was cancelled in the queue, or goes on with it: it is dropped,
    /// and the client is told what PostgreSQL would tell it, which reads over the rest of a batch.
    ///
    /// - Returns: the bytes taken; 0 when the message is none that could be cancelled.
    func answerCancelled(_ bytes: Span<UInt8>, at offset: Int) -> Int {
        guard let header = MessageHeader.read(bytes, at: offset) else { return 0 }
        let isFirst = self.cancelled == .untold
        var isLast = header.kind == FrontendMessageKind.sync
        if isFirst {
            if isLast || header.kind == FrontendMessageKind.flush {
                self.cancelled = .none
                return 0
            }
            if header.kind == FrontendMessageKind.query { self.statements?.queryAnswered() }
            isLast = header.kind == FrontendMessageKind.query || header.kind == FrontendMessageKind.functionCall
        }
        self.cancelled = isLast ? .none : .untilSync
        self.tellCancelled(isFirst: isFirst, isLast: isLast)
        self.scanner.skipMessage(header)
        return self.scanner.takeSkipped(available: bytes.count - offset)
    }

    /// In PostgreSQL's words.
    private static let cancelledInQueue = ServerMessageFields(
        severity: .error, sqlState: .queryCanceled, message: "canceling statement due to user request")

    private func tellCancelled(isFirst: Bool, isLast: Bool) {
        guard isFirst || isLast, let pool = self.pool else { return }
        let counters = self.home.counters(of: pool)
        var writer = MessageWriter()
        if isFirst {
            writer.errorResponse(Self.cancelledInQueue)
            self.errorCount &+= 1
            counters.errors.add(1)
        }
        if isLast {
            writer.readyForQuery(.idle)
            self.queryCount &+= 1
            self.transactionCount &+= 1
            counters.queries.add(1)
            counters.transactions.add(1)
        }
        counters.sentBytes.add(UInt64(writer.bytes.count))
        self.send(writer.bytes)
    }

    /// The request that cancel requests are waiting for may have gone out: the client prepares nothing any more, and
    /// they are passed on.
    ///
    /// - Parameter unread: bytes of the client's that were not passed on.
    func requestMayHaveGoneOut(leaving unread: Int) {
        if self.awaitsParameters { return }
        self.isPreparing = false
        // It has been answered already, or nothing was owed for it: the client's next request is not what they meant.
        if self.phase == .idle { return self.letCancellersGo() }
        guard let server = self.server, server.client === self else { return }
        guard !server.ledger.isSettled else {
            // It was a lone Flush, which asks for nothing: what the client sends next is not what they were meant for.
            let isHeld = self.pauses.contains(.heldMessage) || self.isCollecting
            if unread == 0, !isHeld, self.scanner.isAtBoundary { self.letCancellersGo() }
            return
        }
        let waiting = self.cancellersAhead
        self.cancellersAhead = []
        for canceller in waiting { server.cancel(for: canceller) }
    }

    /// What stands in front of the client's request keeps nobody waiting any more: the request has been answered in a
    /// server's place, or the client leaves.
    func letCancellersGo() {
        for canceller in self.cancellersAhead { canceller.cancelIsThrough() }
        self.cancellersAhead = []
    }

    /// What this cancel request could bring about has happened: only now may whoever sent it go on, and find its next
    /// statement untouched. PostgreSQL, too, closes after it has signalled. Any thread.
    func cancelIsThrough() {
        self.home.worker.execute { self.finish() }
    }
}
