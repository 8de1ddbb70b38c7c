/// What the gateway asks a server whose COPY has failed, and which of the answers are not the client's.
///
/// PostgreSQL ignores a Sync that it reads within COPY and answers one that it reads after the failure; behind the COPY
/// of an Execute it skips everything until it has read one. The client's next request waits until it is known what
/// PostgreSQL does with it. The question is a Close of a statement that does not exist (`probe`): whatever comes before
/// its answer answers something in front of it. Where the server may be skipping, a Sync goes ahead; that server then
/// skips no more, so the gateway does it in its place.
///
/// All ReadyForQuery messages around a failed COPY say the same. So those of the gateway's own are only counted: it
/// does not matter which of them are kept from the client.
extension AnswerScript {
    struct Inquiry: Sendable {
        /// Answers are due that no token stands for.
        var isOpen = false
        /// ReadyForQuery messages for Syncs and the like of the gateway's own, due before the probe is answered.
        var ownReadies = 0
        /// The server skips to a Sync that the client has yet to send, unless a ReadyForQuery for an earlier one comes.
        var maySkip = false
        /// The kind of the message that was sent into the COPY in place of the client's (`BatchPass.withinCopy`); 0
        /// when there is none. Then: the COPY's own error has come; so has that of the message.
        var challenge: UInt8 = 0
        var hasFailed = false
        var isEchoed = false
        /// PostgreSQL was in COPY when it read that message, and ends the session.
        var isEnding = false
    }

    /// The next error is that of the gateway's own message.
    var isEchoDue: Bool { self.inquiry.challenge != 0 && self.inquiry.hasFailed && !self.inquiry.isEchoed }

    mutating func challengeSent(_ kind: UInt8) {
        self.inquiry = Inquiry(isOpen: true, challenge: kind)
        // Errors are flushed.
        self.flushed()
    }

    mutating func copyFailed(isEnding: Bool) {
        self.inquiry.hasFailed = true
        self.inquiry.isEnding = isEnding
    }

    mutating func echoReceived() {
        self.inquiry.isEchoed = true
        // Query and FunctionCall end with ReadyForQuery even so.
        let challenge = self.inquiry.challenge
        if challenge == Frontend.query || challenge == Frontend.functionCall { self.inquiry.ownReadies += 1 }
    }

    /// - Parameters:
    ///   - isLed: a Sync went ahead.
    ///   - maySkip: see `Inquiry`.
    mutating func pushProbe(isLed: Bool = false, maySkip: Bool = false) {
        self.inquiry.isOpen = true
        self.inquiry.maySkip = maySkip
        if isLed { self.inquiry.ownReadies += 1 }
        self.push(.probe, edit: .swallow)
        self.pushTerminator(.sync, edit: .swallow)
    }

    /// Whether a ReadyForQuery is the gateway's own; nil when the tokens tell.
    mutating func readyReceivedInDoubt() -> Bool? {
        let isDue = self.head < self.tokens.count
        if isDue, self.tokens[self.head].kind != .probe { return nil }
        if self.inquiry.ownReadies > 0 {
            self.inquiry.ownReadies -= 1
            return true
        }
        // A Sync that may have been ignored was not.
        self.inquiry.maySkip = false
        return isDue ? false : nil
    }

    mutating func probeAnswered() {
        if self.inquiry.maySkip { self.isSkipping = true }
        self.inquiry = Inquiry()
    }
}
