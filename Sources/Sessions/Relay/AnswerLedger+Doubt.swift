/// A COPY that failed while Syncs were under way. The server ignores a Sync that it reads within COPY and answers one
/// that it reads after the failure, and nothing in its answers tells which it was. (Drivers do this: they send Bind,
/// Execute, Sync before they know that the command is COPY, and another Sync behind CopyDone.)
///
/// Until the client begins something new, only ReadyForQuery can come, at most one for each Sync. Every new request is
/// answered by something else first, an ErrorResponse at least; when that comes, all ReadyForQuery messages for what
/// stood before it have been seen. `barrier` is the place in the list where the new requests begin.
extension AnswerLedger {
    mutating func beginDoubt() {
        let isQuery = self.head < self.tokens.count && self.tokens[self.head] == Token.query
        let rest = self.tokens[(isQuery ? self.head + 1 : self.head)...]
        // Requests behind those Syncs might already be answered: then no answer settles anything.
        let isClean = rest.allSatisfy { $0 == Token.bareSync || Token.isCopyEnd($0) }
        if self.hasBatch || self.isHeldMixed || !isClean { self.isLost = true }
        self.doubt = self.heldSyncs
        self.barrier = nil
        self.heldSyncs = 0
        self.isHeldMixed = false
    }

    /// The gateway has put a message of its own into the COPY (`BatchPass.withinCopy`). Where the COPY has failed, it
    /// may be answered or not, as a Sync in doubt.
    mutating func challengeSent() {
        self.isCopyIn = false
        self.hasBatch = false
        self.heldSyncs += 1
    }

    /// The server has seen a Sync, the client has not sent it: for the client everything is skipped up to the next one.
    mutating func skipGoesOn() { self.isUnsynced = true }

    mutating func requestSentInDoubt() {
        guard self.barrier == nil else { return }
        // Without a Sync since the failure the server may skip the request or answer it.
        if self.isUnsynced { self.isLost = true }
        self.barrier = self.tokens.count
    }

    mutating func readyReceivedInDoubt() {
        let limit = self.barrier ?? self.tokens.count
        while self.head < limit, Token.isCopyEnd(self.tokens[self.head]) { self.head += 1 }
        if self.head < limit {
            self.head += 1
        } else {
            self.doubt -= 1
        }
        // The server does not skip any more.
        if self.barrier == nil { self.isUnsynced = false }
        if self.doubt == 0 {
            self.barrier = nil
            self.compact()
        }
    }

    /// Anything that answers a request and is not ReadyForQuery; of interest only when `isDoubtful`.
    package mutating func answerReceived() {
        guard let barrier = self.barrier else { return }
        self.head = barrier
        self.doubt = 0
        self.barrier = nil
    }

    mutating func errorReceivedInDoubt() {
        if self.barrier == nil { self.isLost = true }
        self.answerReceived()
    }
}
