/// The averages that `SHOW STATS` and `SHOW POOLS` print, over one period. A plain value.
package struct PeriodAverages: Sendable, Equatable {
    /// `avg_xact_count`, per second.
    package var transactions: UInt64 = 0
    /// `avg_query_count`, per second.
    package var queries: UInt64 = 0
    /// `avg_recv`, bytes per second.
    package var receivedBytes: UInt64 = 0
    /// `avg_sent`, bytes per second.
    package var sentBytes: UInt64 = 0
    /// `avg_errors`, per second.
    package var errors: UInt64 = 0
    /// `avg_xact_time`, microseconds per transaction.
    package var transactionTime: UInt64 = 0
    /// `avg_query_time`, microseconds per query.
    package var queryTime: UInt64 = 0
    /// `avg_wait_time`, microseconds per wait, whether a checkout, the deadline or the client's leaving
    /// ended it.
    package var waitTime: UInt64 = 0

    package init() {}

    /// - Parameters:
    ///   - period: what was added during the period.
    ///   - microseconds: the length of the period; averages of an empty one are zero.
    package init(of period: CounterTotals, overMicroseconds microseconds: UInt64) {
        let perSecond = { (count: UInt64) in Self.rate(count, perMicroseconds: microseconds) }
        self.transactions = perSecond(period.transactions)
        self.queries = perSecond(period.queries)
        self.receivedBytes = perSecond(period.receivedBytes)
        self.sentBytes = perSecond(period.sentBytes)
        self.errors = perSecond(period.errors)
        self.transactionTime = Self.mean(period.transactionTime, period.transactions)
        self.queryTime = Self.mean(period.queryTime, period.queries)
        self.waitTime = Self.mean(period.waitTime, period.checkouts &+ period.waitTimeouts)
    }

    private static func rate(_ count: UInt64, perMicroseconds microseconds: UInt64) -> UInt64 {
        guard microseconds > 0 else { return 0 }
        let product = count.multipliedFullWidth(by: 1_000_000)
        // A quotient beyond 64 bits cannot be divided; the largest number stands for it.
        guard product.high < microseconds else { return .max }
        return microseconds.dividingFullWidth(product).quotient
    }

    private static func mean(_ sum: UInt64, _ count: UInt64) -> UInt64 {
        count == 0 ? 0 : sum / count
    }
}

/// Rolls one sum of counters from period to period. Belongs to whoever owns the pool's statistics; time is passed in.
package struct AveragingPeriod: Sendable {
    /// The length of a period.
    package static let microseconds: UInt64 = 15_000_000

    /// Averages of the last whole period; zeros before the first one ends.
    package private(set) var averages = PeriodAverages()
    private var startTotals: CounterTotals
    private var startMicroseconds: UInt64

    /// - Parameter now: monotonic time in microseconds.
    package init(startingWith totals: CounterTotals = CounterTotals(), now: UInt64) {
        self.startTotals = totals
        self.startMicroseconds = now
    }

    /// Ends the period when it is old enough; called at any rate. A late call averages over the time that has passed.
    /// - Returns: whether a period ended.
    @discardableResult
    package mutating func advance(to totals: CounterTotals, now: UInt64) -> Bool {
        let elapsed = now > self.startMicroseconds ? now - self.startMicroseconds : 0
        guard elapsed >= Self.microseconds else { return false }
        self.averages = PeriodAverages(of: totals.since(self.startTotals), overMicroseconds: elapsed)
        self.startTotals = totals
        self.startMicroseconds = now
        return true
    }
}
