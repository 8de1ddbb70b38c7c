/// What the console shows of a server, brought up to date under the pool's lock whenever the server changes hands.
struct ServerFacts: Sendable {
    /// Unique in this process.
    var number: UInt32 = 0
    var processID: Int32 = 0
    var applicationName = ""
    var counts = ServerCounts()
    var isLoggedIn = false
    var tls: TLSFacts?
}

/// What a server has done, in all or in one client's turn. Numbers alone: it is copied at every check-in.
struct ServerCounts: Sendable {
    var transactions: UInt64 = 0
    var queries: UInt64 = 0
    var sentBytes: UInt64 = 0
    var receivedBytes: UInt64 = 0
    var statementHits: UInt64 = 0
    var statementMisses: UInt64 = 0
    /// Prepared statements on the server when it last changed hands.
    var statementCount = 0
}

extension ServerCounts {
    /// Adds the counts of one client's turn.
    mutating func add(_ turn: ServerCounts) {
        self.transactions &+= turn.transactions
        self.queries &+= turn.queries
        self.sentBytes &+= turn.sentBytes
        self.receivedBytes &+= turn.receivedBytes
        self.statementHits &+= turn.statementHits
        self.statementMisses &+= turn.statementMisses
        self.statementCount = turn.statementCount
    }

    /// The later of two pictures of one server, of which the other one is known to be of a time when a client held it.
    func later(_ other: ServerCounts) -> ServerCounts {
        ServerCounts(
            transactions: max(self.transactions, other.transactions),
            queries: max(self.queries, other.queries),
            sentBytes: max(self.sentBytes, other.sentBytes),
            receivedBytes: max(self.receivedBytes, other.receivedBytes),
            statementHits: max(self.statementHits, other.statementHits),
            statementMisses: max(self.statementMisses, other.statementMisses),
            statementCount: other.statementCount
        )
    }
}
