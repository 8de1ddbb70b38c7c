/// Why the pool gives a server up. The raw value is the word for the log.
package enum CloseReason: String, Sendable {
    case lifetime = "lifetime"
    case idleTimeout = "idle timeout"
    /// The pool was told to reconnect after this server was asked for.
    case reconnect = "reconnect"
    /// Its host's name leads elsewhere.
    case left = "name leads elsewhere"
    /// The pool size was lowered.
    case overLimit = "pool size"
    /// Another one that had been idle for as long does not answer any more.
    case doubtful = "idle like one that does not answer"
    /// The pool is going away, or the gateway stops, and nobody waits.
    case draining = "pool closed"
    /// The machine does not know this server as one in use: the driver's book-keeping differs from the machine's.
    case unknown = "unknown server"
}

/// What a client that asks for a server gets.
package enum Checkout: Sendable, Equatable {
    /// An idle server, now busy. With `needsCheck` the driver makes sure first that it still answers. When it does
    /// not: `closed(_:)`, then check out again with the client's first arrival time.
    case server(ServerID, needsCheck: Bool)
    /// An idle server past its lifetime was taken out, now closing: close it, call `closed(_:)`, check out again.
    case stale(ServerID, CloseReason)
    /// The client is queued, and this worker opens one more server. When it is open it goes to the first waiter by the
    /// ordinary rule, which may be another one.
    case open(ServerID, WaiterID)
    /// The client is queued.
    case wait(WaiterID)
}

/// Where a server goes that was opened or given back.
package enum Checkin: Sendable, Equatable {
    case idle
    /// It stays busy, for this waiter, which has left the queue.
    case grant(WaiterID, worker: Int)
    /// It is closing: close it, then call `closed(_:)`.
    case close(CloseReason)
}

/// What follows from a server that could not be opened.
package enum OpenFailure: Sendable, Equatable {
    /// No server lives, so this waiter, the oldest, gets the error. It has left the queue.
    case failWaiter(WaiterID, worker: Int)
    /// Servers live: waiters go on waiting for them, and nothing is opened for them before this time.
    case heldBack(until: Microseconds)
    /// No server lives and nobody waits.
    case nobodyWaiting
}

/// An order to open a server: its slot is taken, `worker` does it and reports `opened` or `openFailed`, or `closed`
/// when it gives the opening up.
package struct PlannedOpen: Sendable, Equatable {
    package let server: ServerID
    package let worker: Int

    package init(server: ServerID, worker: Int) {
        self.server = server
        self.worker = worker
    }
}

/// An order to close a server that was idle: it is closing, `closed(_:)` follows.
package struct PlannedClose: Sendable, Equatable {
    package let server: ServerID
    package let reason: CloseReason

    package init(server: ServerID, reason: CloseReason) {
        self.server = server
        self.reason = reason
    }
}

/// What one housekeeping round asks for.
package struct HousekeepingPlan: Sendable, Equatable {
    package var closes: [PlannedClose] = []
    package var opens: [PlannedOpen] = []

    package init() {}
}
