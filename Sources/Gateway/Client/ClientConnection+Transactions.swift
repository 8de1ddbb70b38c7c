import PGWire
import Reactor
import Sessions
import Telemetry

/// Requests of a client without a server that take none: a BEGIN, which is told to the server in front of the request
/// behind it, the end of a transaction of which no server knows, and the check query.
extension ClientConnection {
    /// Answers the request at `offset` if it is one of these. Returns its length; 0 when a server is needed.
    func answerWithoutServer(_ bytes: Span<UInt8>, at offset: Int) -> Int {
        guard bytes[offset] == FrontendMessageKind.query, let header = MessageHeader.read(bytes, at: offset) else {
            return 0
        }
        if self.deferredBegin == nil, header.wireLength == self.home.checkQuery.wireLength,
            self.home.checkQuery.matches(bytes, at: offset)
        {
            return self.answerCheck() ? header.wireLength : 0
        }
        guard let command = TransactionCommand(bytes, at: offset, header),
            command.begins == (self.deferredBegin == nil), let pool = self.followPool()
        else { return 0 }
        if command.begins {
            // In session mode a server stays anyway; in statement mode there are no transactions.
            if pool.isSessionMode || pool.isStatementMode { return 0 }
            self.deferredBegin = command
        } else {
            self.deferredBegin = nil
            self.transactionCount &+= 1
            self.home.counters(of: pool).transactions.add(1)
        }
        self.answerHere(header.wireLength, by: command.answer, pool)
        return header.wireLength
    }

    /// Tells the client the answer to a query that no server has seen, and enters it in the books.
    func answerHere(_ received: Int, by answer: [UInt8], _ pool: Pool) {
        self.statements?.queryAnswered()
        // What they were meant for needs no server any more.
        if !self.cancellersAhead.isEmpty { self.letCancellersGo() }
        self.queryCount &+= 1
        let counters = self.home.counters(of: pool)
        counters.queries.add(1)
        counters.receivedBytes.add(UInt64(received))
        counters.sentBytes.add(UInt64(answer.count))
        self.send(answer)
        if self.mustLeave, self.deferredBegin == nil {
            self.leaveAsTold()
        }
    }
}

extension ServerConnection {
    /// Begins the transaction that the client was told of, in front of its first request.
    func openTransaction(by command: TransactionCommand) {
        self.ledger.transactionBegun()
        self.sendPrelude(command.message)
    }
}
