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

    /// Enters what was answered since the last time into the books of the client, the server and the pool. What is not
    /// answered yet is timed from here: the time until now is in the books.
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
            self.requestBegan = now
        }
        if transactions > 0 {
            counters.transactions.add(transactions)
            counters.transactionTime.add(UInt64(max(now - self.transactionBegan, 0)))
            self.transactionBegan = now
        }
        server.book(in: counters)
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

    /// A server of the pool came at `moment` that the client had asked for at `waitingSince`.
    func countCheckout(from pool: Pool, at moment: MonotonicMicroseconds) {
        let counters = self.home.counters(of: pool)
        counters.checkouts.add(1)
        counters.waitTime.add(UInt64(max(moment - self.waitingSince, 0)))
    }

    /// The wait for a server of the pool has ended without one, whatever ended it.
    func countVainWait(in pool: Pool) {
        let counters = self.home.counters(of: pool)
        counters.waitTimeouts.add(1)
        counters.waitTime.add(UInt64(max(self.home.worker.now - self.waitingSince, 0)))
    }

    /// The client does not wait for a server of the pool any more. When one is already on its way, it is checked in by
    /// `granted`.
    func giveUpWait(in pool: Pool?) {
        if let waiter = self.waiter {
            self.waiter = nil
            _ = pool?.cancelWait(waiter)
        }
        // Also outside of the queue: its server may be checked for it, or could not be opened. The wait of a login is
        // counted by the login's task.
        if self.phase == .waiting, let pool { self.countVainWait(in: pool) }
    }

    /// A login gets no server of the pool. Where that has been replaced, it may wait on in another one.
    func noServer(_ failure: CheckoutFailure, of pool: Pool) -> Result<Welcome, CheckoutFailure> {
        if case .poolRemoved = failure { return .failure(failure) }
        self.countVainWait(in: pool)
        return .failure(failure)
    }

    /// An error of so many bytes that the gateway itself tells a client of a pool. Those before and within the login
    /// are no pool's.
    func countOwnError(bytes: Int) {
        guard let pool = self.pool else { return }
        self.errorCount &+= 1
        let counters = self.home.counters(of: pool)
        counters.errors.add(1)
        counters.sentBytes.add(UInt64(bytes))
    }

    /// The bytes alone, in the middle of a request or an answer, too: one that takes hours shows while it lasts.
    func accountBytes(_ server: ServerConnection) {
        server.book(in: self.home.counters(of: server.pool))
    }
}

extension ServerConnection {
    /// Enters the bytes of its client.
    fileprivate func book(in counters: PoolCounters) {
        counters.sentBytes.add(self.toClient)
        counters.receivedBytes.add(self.fromClient)
        self.toClient = 0
        self.fromClient = 0
    }
}
