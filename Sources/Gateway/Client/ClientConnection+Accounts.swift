import Reactor
import Sessions
import Telemetry

/// What requests are counted and timed by.
extension ClientConnection {
    func requestBegins(_ server: ServerConnection) {
        let now = self.home.worker.now
        self.requestBegan = now
        if server.ledger.isOutsideTransaction { self.transactionBegan = now }
    }

    /// Enters what was answered since the last time into the books of the client, the server and the pool.
    func account(_ server: ServerConnection) {
        let now = self.home.worker.now
        let counts = server.ledger.takeCounts()
        let (queries, transactions) = (UInt64(counts.queries), UInt64(counts.transactions))
        self.queryCount &+= queries
        self.transactionCount &+= transactions
        server.turn.queries &+= queries
        server.turn.transactions &+= transactions
        let counters = self.home.counters(of: server.pool)
        if queries > 0 {
            counters.queries.add(queries)
            counters.queryTime.add(UInt64(max(now - self.requestBegan, 0)))
        }
        if transactions > 0 {
            counters.transactions.add(transactions)
            counters.transactionTime.add(UInt64(max(now - self.transactionBegan, 0)))
        }
        counters.sentBytes.add(server.turn.receivedBytes &- server.accountedReceived)
        counters.receivedBytes.add(server.turn.sentBytes &- server.accountedSent)
        server.accountedReceived = server.turn.receivedBytes
        server.accountedSent = server.turn.sentBytes
        if let statements = server.statements {
            let counts = statements.takeCounts()
            guard counts.hits | counts.misses | counts.evictions != 0 else { return }
            server.turn.statementHits &+= counts.hits
            server.turn.statementMisses &+= counts.misses
            counters.statementHits.add(counts.hits)
            counters.statementMisses.add(counts.misses)
            counters.statementEvictions.add(counts.evictions)
        }
    }
}
