package import PGWire

/// What a server still owes the client that holds it, derived from the kinds of messages passed on. It answers one
/// question: may the server go to somebody else now?
///
/// Query, FunctionCall and Sync each bring exactly one ReadyForQuery, with exceptions around COPY: while the server
/// reads COPY data it ignores Sync (protocol chapter, "COPY Operations"), so Syncs that were passed on before
/// CopyInResponse was seen must be struck from the list. Where the count cannot be known (mixing forms that no driver
/// mixes, an error in the middle of such COPY), the ledger becomes `isAmbiguous`, and the server stays with its client
/// until the client leaves: slower, never wrong.
///
/// Belongs to a server connection; reset at every checkout.
package struct AnswerLedger: Sendable {
    /// A request passed on and not yet answered.
    private enum Token {
        static let query: UInt8 = 1
        static let sync: UInt8 = 2
        /// CopyDone or CopyFail sent before the server was seen to be in COPY.
        static let copyEnd: UInt8 = 3
    }

    private var tokens: ContiguousArray<UInt8> = []
    private var head = 0
    /// Extended-protocol messages are under way for which no Sync was sent yet.
    package private(set) var isUnsynced = false
    /// The server waits for COPY data.
    package private(set) var isCopyIn = false
    package private(set) var isAmbiguous = false
    private var sawSyncDuringCopy = false
    package private(set) var status = TransactionStatus.idle
    /// ReadyForQuery messages since the last `takeCounts`: all, and those outside of a transaction.
    private var readyCount = 0
    private var idleCount = 0

    package init() {
        self.tokens.reserveCapacity(16)
    }

    /// Nothing is owed and nothing half-sent: the next bytes from the client begin something new.
    package var isSettled: Bool {
        self.head == self.tokens.count && !self.isUnsynced && !self.isCopyIn && !self.isAmbiguous
    }

    /// Settled outside of a transaction: the server may be handed to somebody else.
    package var isReleasable: Bool { self.isSettled && self.status == .idle }

    /// Requests passed on and not yet answered by ReadyForQuery.
    package var owedCount: Int { self.tokens.count - self.head }

    /// Begins anew for another client. The server's state is idle by then.
    package mutating func reset() {
        self.tokens.removeAll(keepingCapacity: true)
        self.head = 0
        self.isUnsynced = false
        self.isCopyIn = false
        self.isAmbiguous = false
        self.sawSyncDuringCopy = false
        self.status = .idle
    }

    /// Counts of answered requests (all, and those that ended outside of a transaction) since the last call.
    package mutating func takeCounts() -> (queries: Int, transactions: Int) {
        let counts = (self.readyCount, self.idleCount)
        self.readyCount = 0
        self.idleCount = 0
        return counts
    }

    // MARK: Towards the server

    /// Query or FunctionCall was passed on.
    package mutating func querySent() {
        // A Query behind unsynced messages is skipped by the server if one of those failed: the count is unknowable.
        if self.isUnsynced || self.isCopyIn { self.isAmbiguous = true }
        self.tokens.append(Token.query)
    }

    package mutating func syncSent() {
        if self.isCopyIn {
            self.sawSyncDuringCopy = true
            return
        }
        self.isUnsynced = false
        self.tokens.append(Token.sync)
    }

    /// Parse, Bind, Describe, Execute, Close or Flush was passed on.
    package mutating func extendedSent() {
        if !self.isCopyIn { self.isUnsynced = true }
    }

    /// CopyDone or CopyFail was passed on.
    package mutating func copyEndSent() {
        if self.isCopyIn {
            self.isCopyIn = false
        } else if self.head < self.tokens.count || self.isUnsynced {
            self.tokens.append(Token.copyEnd)
        }
    }

    // MARK: From the server

    package mutating func readyReceived(_ status: TransactionStatus) {
        self.status = status
        self.readyCount += 1
        if status == .idle { self.idleCount += 1 }
        while self.head < self.tokens.count {
            let token = self.tokens[self.head]
            self.head += 1
            if token != Token.copyEnd { break }
        }
        // What ended the COPY of the request just answered has no other meaning any more.
        while self.head < self.tokens.count, self.tokens[self.head] == Token.copyEnd { self.head += 1 }
        self.isCopyIn = false
        self.sawSyncDuringCopy = false
        self.compact()
    }

    package mutating func copyInReceived() {
        // An Execute's COPY may have been preceded in this list by nothing; a Query's own token stands first.
        var position = self.head
        if position < self.tokens.count, self.tokens[position] == Token.query { position += 1 }
        let isExtended = position == self.head
        var end = position
        while end < self.tokens.count, self.tokens[end] != Token.copyEnd {
            if self.tokens[end] == Token.query { self.isAmbiguous = true }
            end += 1
        }
        let isEnded = end < self.tokens.count
        let struck = end - position
        self.tokens.removeSubrange(position..<(isEnded ? end + 1 : end))
        self.isCopyIn = !isEnded
        if isExtended, struck > 0, position == self.tokens.count { self.isUnsynced = true }
    }

    package mutating func errorReceived() {
        if self.sawSyncDuringCopy { self.isAmbiguous = true }
        self.isCopyIn = false
    }

    private mutating func compact() {
        if self.head == self.tokens.count {
            self.tokens.removeAll(keepingCapacity: true)
            self.head = 0
        } else if self.head >= 1024 {
            self.tokens.removeSubrange(0..<self.head)
            self.head = 0
        }
    }
}
