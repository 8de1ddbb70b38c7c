/// Monotonic time in microseconds. The pool reads no clock: every caller says what time it is.
package typealias Microseconds = Int64

/// What the settings say about one pool. An immutable value; a reload hands the machine a new one.
///
/// A duration of 0 switches that rule off. Values outside their range are brought into it by `clamped`,
/// so a machine never works with a size below 1 or with a duration that could overflow an addition.
package struct PoolLimits: Sendable, Equatable {
    /// How many younger waiters of the checking-in worker may go before an older waiter of another worker.
    ///
    /// Keeping a server on its worker saves the move of a descriptor and a wake-up of the other worker, so a bounded
    /// preference pays; 32 is about one and a half rounds of a pool of 20 and hides in the median wait of a long queue.
    package static let defaultSameWorkerWindow = 32

    /// Largest duration the machine works with: one hundred years.
    static let longestDuration: Microseconds = 100 * 366 * 86_400 * 1_000_000

    /// Largest count the machine works with; slots are made on demand, so a large limit costs nothing.
    static let largestCount = 1_000_000

    /// Servers at most: idle, busy, opening and closing together.
    package var poolSize: Int
    /// Servers kept open when nobody asks for them.
    package var minPoolSize: Int
    /// Servers being opened at the same time at most.
    package var maxConcurrentCreates: Int
    /// An idle server that was used at least once is closed after this time, ±20 % drawn per server.
    package var idleTimeout: Microseconds
    /// A server is closed at this age, ±20 % drawn per server.
    package var serverLifetime: Microseconds
    /// A server that has been idle for longer is checked before it is used.
    package var serverIdleCheckTimeout: Microseconds
    /// How long a client may wait for a server.
    package var queryWaitTimeout: Microseconds
    /// `true` hands out the server that has been idle longest, `false` the one used last.
    package var isRoundRobin: Bool
    /// See `defaultSameWorkerWindow`; 0 is strictly first in, first out.
    package var sameWorkerWindow: Int

    package init(
        poolSize: Int,
        minPoolSize: Int = 0,
        maxConcurrentCreates: Int,
        idleTimeout: Microseconds,
        serverLifetime: Microseconds,
        serverIdleCheckTimeout: Microseconds,
        queryWaitTimeout: Microseconds,
        isRoundRobin: Bool = false,
        sameWorkerWindow: Int = PoolLimits.defaultSameWorkerWindow
    ) {
        self.poolSize = poolSize
        self.minPoolSize = minPoolSize
        self.maxConcurrentCreates = maxConcurrentCreates
        self.idleTimeout = idleTimeout
        self.serverLifetime = serverLifetime
        self.serverIdleCheckTimeout = serverIdleCheckTimeout
        self.queryWaitTimeout = queryWaitTimeout
        self.isRoundRobin = isRoundRobin
        self.sameWorkerWindow = sameWorkerWindow
    }

    /// The same limits with every value in the range the machine works with.
    var clamped: PoolLimits {
        var limits = self
        limits.poolSize = min(max(self.poolSize, 1), Self.largestCount)
        limits.minPoolSize = min(max(self.minPoolSize, 0), limits.poolSize)
        limits.maxConcurrentCreates = min(max(self.maxConcurrentCreates, 1), Self.largestCount)
        limits.idleTimeout = Self.clamp(self.idleTimeout)
        limits.serverLifetime = Self.clamp(self.serverLifetime)
        limits.serverIdleCheckTimeout = Self.clamp(self.serverIdleCheckTimeout)
        limits.queryWaitTimeout = Self.clamp(self.queryWaitTimeout)
        limits.sameWorkerWindow = min(max(self.sameWorkerWindow, 0), Self.largestCount)
        return limits
    }

    private static func clamp(_ duration: Microseconds) -> Microseconds {
        min(max(duration, 0), Self.longestDuration)
    }
}
