/// The sum of several `PoolCounters`: of one pool over all workers, or of all pools. A plain value.
package struct CounterTotals: Sendable, Equatable {
    package var transactions: UInt64 = 0
    package var queries: UInt64 = 0
    package var receivedBytes: UInt64 = 0
    package var sentBytes: UInt64 = 0
    /// Microseconds.
    package var transactionTime: UInt64 = 0
    /// Microseconds.
    package var queryTime: UInt64 = 0
    package var checkouts: UInt64 = 0
    /// Microseconds.
    package var waitTime: UInt64 = 0
    package var errors: UInt64 = 0
    package var serverLogins: UInt64 = 0
    package var serverLoginFailures: UInt64 = 0
    package var serverCloses: UInt64 = 0
    package var waitTimeouts: UInt64 = 0
    package var statementHits: UInt64 = 0
    package var statementMisses: UInt64 = 0
    package var statementEvictions: UInt64 = 0

    package init() {}

    package init(summing counters: some Sequence<PoolCounters>) {
        for counters in counters {
            self.add(counters)
        }
    }

    package mutating func add(_ counters: PoolCounters) {
        self.transactions &+= counters.transactions.value
        self.queries &+= counters.queries.value
        self.receivedBytes &+= counters.receivedBytes.value
        self.sentBytes &+= counters.sentBytes.value
        self.transactionTime &+= counters.transactionTime.value
        self.queryTime &+= counters.queryTime.value
        self.checkouts &+= counters.checkouts.value
        self.waitTime &+= counters.waitTime.value
        self.errors &+= counters.errors.value
        self.serverLogins &+= counters.serverLogins.value
        self.serverLoginFailures &+= counters.serverLoginFailures.value
        self.serverCloses &+= counters.serverCloses.value
        self.waitTimeouts &+= counters.waitTimeouts.value
        self.statementHits &+= counters.statementHits.value
        self.statementMisses &+= counters.statementMisses.value
        self.statementEvictions &+= counters.statementEvictions.value
    }

    package mutating func add(_ other: CounterTotals) {
        for field in Self.fields {
            self[keyPath: field] &+= other[keyPath: field]
        }
    }

    /// What was added since an earlier sum; zero where a sum shrank because a pool went away.
    package func since(_ earlier: CounterTotals) -> CounterTotals {
        var difference = CounterTotals()
        for field in Self.fields where self[keyPath: field] > earlier[keyPath: field] {
            difference[keyPath: field] = self[keyPath: field] - earlier[keyPath: field]
        }
        return difference
    }

    static var fields: [WritableKeyPath<CounterTotals, UInt64>] {
        [
            \.transactions, \.queries, \.receivedBytes, \.sentBytes, \.transactionTime, \.queryTime, \.checkouts,
            \.waitTime, \.errors, \.serverLogins, \.serverLoginFailures, \.serverCloses, \.waitTimeouts,
            \.statementHits, \.statementMisses, \.statementEvictions,
        ]
    }
}
