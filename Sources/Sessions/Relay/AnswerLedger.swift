package import PGWire

/// What a server still owes the client that holds it, derived from the kinds of messages passed on. It answers one
/// question: may the server go to somebody else now?
///
/// Query, FunctionCall and Sync each bring exactly one ReadyForQuery, with exceptions around COPY: while the server
/// reads COPY data it ignores Sync (protocol chapter, "COPY Operations"), so Syncs that were passed on before
/// CopyInResponse was seen must be struck from the list. When such a COPY fails, nobody can tell which of those Syncs
/// the server had read by then: the ledger is in doubt (`AnswerLedger+Doubt.swift`) until a later answer settles it.
///
/// A Query behind extended messages without a Sync (drivers send it when they have seen all answers to these) is
/// answered as any other, or skipped when one of these failed: the count is open until its ReadyForQuery has come.
/// Where it cannot be known at all (forms that no driver mixes), it becomes `isAmbiguous` for good, and the server
/// stays with its client until the client leaves: slower, never wrong.
///
/// Belongs to a server connection; reset at every checkout.
@usableFromInline
package struct AnswerLedger: Sendable {
    /// A request passed on and not yet answered.
    enum Token {
        static let query: UInt8 = 1
        static let sync: UInt8 = 2
        /// A Sync right behind another Sync, a Query or the end of a COPY: nothing but ReadyForQuery comes of it.
        static let bareSync: UInt8 = 3
        /// CopyDone or CopyFail sent behind a Query or Sync, before the server was seen to be in COPY.
        static let copyEnd: UInt8 = 4
        /// The same within a batch that has no Sync yet.
        static let batchCopyEnd: UInt8 = 5

        static func isCopyEnd(_ token: UInt8) -> Bool { token >= self.copyEnd }
    }

    @usableFromInline var tokens: ContiguousArray<UInt8> = []
    @usableFromInline var head = 0
    /// The server has extended-protocol messages for which no Sync was sent yet, or skips to a Sync.
    @usableFromInline package internal(set) var isUnsynced = false
    /// Extended-protocol messages were passed on since the last Sync.
    var hasBatch = false
    /// A Query was passed on behind unsynced messages, and no other answer than its own may be ReadyForQuery.
    @usableFromInline var hasQueryInBatch = false
    /// The server waits for COPY data.
    @usableFromInline package internal(set) var isCopyIn = false
    /// The forms passed on do not tell how many answers are due, nor will any answer.
    @usableFromInline package internal(set) var isLost = false
    /// Syncs passed on since the present COPY began, which the server ignores unless the COPY fails early.
    var heldSyncs = 0
    /// Something other than COPY messages was passed on behind the first of `heldSyncs`.
    var isHeldMixed = false
    /// See `AnswerLedger+Doubt.swift`: Syncs that may or may not be answered, and the first token behind them.
    @usableFromInline var doubt = 0
    var barrier: Int?
    package private(set) var status = TransactionStatus.idle {
        didSet { self.isOutsideTransaction = self.status == .idle }
    }
    /// The last ReadyForQuery said `I`.
    @usableFromInline package internal(set) var isOutsideTransaction = true
    /// ReadyForQuery messages since the last `takeCounts`: all, and those outside of a transaction.
    package private(set) var readyCount = 0
    private var idleCount = 0

    package init() {
        self.tokens.reserveCapacity(16)
    }

    /// How many answers are due is not known, for now (`isDoubtful`, or a Query that may be skipped) or for good.
    @inlinable
    package var isAmbiguous: Bool { self.isLost || self.doubt > 0 || self.hasQueryInBatch }

    /// A COPY failed in a way that leaves the count open until `answerReceived`.
    @inlinable
    package var isDoubtful: Bool { self.doubt > 0 }

    /// Of all that was passed on only the Syncs in doubt may still be answered.
    package var awaitsOnlyDoubtful: Bool {
        self.isDoubtful && self.barrier == nil && self.head == self.tokens.count && !self.isUnsynced && !self.isCopyIn
            && !self.isLost
    }

    /// Nothing is owed and nothing half-sent: the next bytes from the client begin something new.
    @inlinable
    package var isSettled: Bool {
        self.head == self.tokens.count && !self.isUnsynced && !self.isCopyIn && !self.isAmbiguous
    }

    /// Settled outside of a transaction: the server may be handed to somebody else.
    @inlinable
    package var isReleasable: Bool { self.isSettled && self.isOutsideTransaction }

    /// ReadyForQuery is due, and comes without the client's help.
    package var awaitsReady: Bool {
        self.head < self.tokens.count && !self.isUnsynced && !self.isCopyIn && !self.isAmbiguous
    }

    /// No ReadyForQuery is due; the server has extended messages without a Sync.
    package var owesOnlyUnsynced: Bool {
        self.isUnsynced && self.head == self.tokens.count && !self.isCopyIn && !self.isAmbiguous
    }

    /// Requests passed on and not yet answered by ReadyForQuery.
    package var owedCount: Int {
        self.tokens[self.head...].reduce(0) { Token.isCopyEnd($1) ? $0 : $0 + 1 }
    }

    /// Begins anew for another client. The server's state is idle by then.
    package mutating func reset() {
        if !self.tokens.isEmpty { self.tokens.removeAll(keepingCapacity: true) }
        self.head = 0
        self.isUnsynced = false
        self.hasBatch = false
        self.hasQueryInBatch = false
        self.isCopyIn = false
        self.isLost = false
        self.heldSyncs = 0
        self.isHeldMixed = false
        self.doubt = 0
        self.barrier = nil
        self.status = .idle
    }

    /// Counts of answered requests (all, and those that ended outside of a transaction) since the last call.
    package mutating func takeCounts() -> (queries: Int, transactions: Int) {
        let counts = (self.readyCount, self.idleCount)
        self.readyCount = 0
        self.idleCount = 0
        return counts
    }

    /// The ReadyForQuery received last answers a Sync of the gateway's own: nobody's request.
    package mutating func uncountReady() {
        self.readyCount -= 1
        if self.status == .idle { self.idleCount -= 1 }
    }

    /// A query outside of a transaction was answered in the server's place: in the books it is one like any other.
    package mutating func queryAnsweredHere() {
        self.readyCount += 1
        self.idleCount += 1
    }

    /// A transaction was begun in the client's name; the answer to that does not pass this ledger.
    package mutating func transactionBegun() { self.status = .inTransaction }

    // MARK: Towards the server

    /// Query or FunctionCall was passed on.
    package mutating func querySent() {
        if self.isUnsynced || self.isCopyIn { self.querySentInBatch() }
        if self.doubt > 0 { self.requestSentInDoubt() }
        self.tokens.append(Token.query)
    }

    /// The server skips it if one of the unsynced messages failed. With no other ReadyForQuery due, the next one says
    /// that it did not; otherwise nobody can tell whose that is.
    private mutating func querySentInBatch() {
        if self.head == self.tokens.count, self.heldSyncs == 0, self.doubt == 0, !self.isCopyIn {
            self.hasQueryInBatch = true
        } else {
            self.isLost = true
        }
    }

    /// All messages behind the last Sync were answered, without an error: what comes next is no longer part of them.
    package mutating func batchAnswered() {
        guard !self.isCopyIn else { return }
        self.isUnsynced = false
        self.hasBatch = false
    }

    package mutating func syncSent() {
        defer { self.hasBatch = false }
        // Whether it was skipped, ReadyForQuery does not tell any more.
        if self.hasQueryInBatch { self.isLost = true }
        if self.isCopyIn {
            self.heldSyncs += 1
            return
        }
        self.isUnsynced = false
        self.tokens.append(self.hasBatch ? Token.sync : Token.bareSync)
    }

    /// Parse, Bind, Describe, Execute or Close was passed on. (Flush asks for nothing that would not
    /// come anyway.)
    package mutating func extendedSent() {
        // A server in COPY breaks the connection over it; one whose COPY has just failed answers or skips it.
        if self.isCopyIn {
            self.isLost = true
            self.isHeldMixed = true
        }
        if self.isUnsynced {
            // Did that end a COPY of this batch, or was it stray and a COPY is still to come?
            if self.tokens.last == Token.batchCopyEnd { self.isLost = true }
            // It belongs to the same batch if that failed, and to a new one if the Query was answered.
            if self.hasQueryInBatch { self.isLost = true }
        }
        if self.doubt > 0 { self.requestSentInDoubt() }
        self.isUnsynced = true
        self.hasBatch = true
    }

    /// CopyDone or CopyFail was passed on.
    package mutating func copyEndSent() {
        if self.isCopyIn {
            self.isCopyIn = false
        } else if self.isUnsynced {
            // Of the batch, or of the Query behind it?
            if self.hasQueryInBatch { self.isLost = true }
            self.tokens.append(Token.batchCopyEnd)
        } else if self.head < self.tokens.count {
            self.tokens.append(Token.copyEnd)
        }
    }

    // MARK: From the server

    package mutating func readyReceived(_ status: TransactionStatus) {
        self.status = status
        self.readyCount += 1
        if status == .idle { self.idleCount += 1 }
        self.isCopyIn = false
        self.heldSyncs = 0
        self.isHeldMixed = false
        if self.doubt > 0 {
            self.readyReceivedInDoubt()
            return
        }
        if self.hasQueryInBatch {
            // The Query was answered, and with it all that stood before it.
            self.hasQueryInBatch = false
            self.batchAnswered()
        }
        while self.head < self.tokens.count {
            let token = self.tokens[self.head]
            self.head += 1
            if !Token.isCopyEnd(token) { break }
        }
        // What was to end a COPY of the request just answered has no other meaning any more.
        while self.head < self.tokens.count, self.tokens[self.head] == Token.copyEnd { self.head += 1 }
        self.compact()
    }

    package mutating func copyInReceived() {
        if self.doubt > 0 { self.answerReceived() }
        // A Query's own token stands first; an Execute has none but its Sync's.
        var position = self.head
        let isExtended = position == self.tokens.count || self.tokens[position] != Token.query
        if !isExtended { position += 1 }
        // Requests that go on behind it are answered only if the COPY has failed by now.
        if self.hasBatch, !isExtended || position < self.tokens.count { self.isHeldMixed = true }
        var end = position
        while end < self.tokens.count, self.tokens[end] != Token.copyEnd {
            let token = self.tokens[end]
            // The first Sync of an Execute's COPY closes its own batch, which may hold the end of the COPY.
            let isOwnBatch = isExtended && end == position
            if token == Token.batchCopyEnd, isOwnBatch { break }
            if token != Token.bareSync, !isOwnBatch { self.isLost = true }
            self.heldSyncs += 1
            end += 1
        }
        let isEnded = end < self.tokens.count
        if isEnded { end += 1 }
        // One Execute has one COPY: what is to end another is stray. A Query may have several.
        if isExtended { while end < self.tokens.count, self.tokens[end] == Token.copyEnd { end += 1 } }
        self.tokens.removeSubrange(position..<end)
        self.isCopyIn = !isEnded
        guard isExtended else { return }
        // The batch's own Sync may be among those struck: the next one closes it, and a Query before that is a mixture.
        let next = self.tokens[position...].first { !Token.isCopyEnd($0) }
        if next == nil { self.isUnsynced = true }
        if next == Token.query { self.isLost = true }
    }

    /// CommandComplete.
    package mutating func completionReceived() {
        // The COPY is over, and what was ignored during it is known to be.
        self.heldSyncs = 0
        self.isHeldMixed = false
        if self.doubt > 0 { self.answerReceived() }
    }

    package mutating func errorReceived() {
        if self.doubt > 0 { self.errorReceivedInDoubt() }
        if self.heldSyncs > 0 { self.beginDoubt() }
        self.isCopyIn = false
    }

    mutating func compact() {
        if self.head == self.tokens.count {
            // Nearly always one request at a time: taking the last one out is much cheaper than emptying the array.
            if self.head == 1 { _ = self.tokens.popLast() } else { self.tokens.removeAll(keepingCapacity: true) }
            self.head = 0
        } else if self.head >= 1024 {
            self.tokens.removeSubrange(0..<self.head)
            self.head = 0
        }
    }
}
