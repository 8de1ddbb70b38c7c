/// Towards the client: what each answer of the server means for the script.
extension AnswerScript {
    /// A message that is neither an error nor asynchronous has come. True when the client must not see it.
    mutating func received(_ kind: UInt8) -> Bool {
        guard self.head < self.tokens.count else { return kind == Backend.readyForQuery ? self.readyReceived() : false }
        let token = self.tokens[self.head]
        let isEnd =
            switch kind {
            case Backend.parseComplete: token.kind == .parse
            case Backend.bindComplete: token.kind == .bind
            case Backend.closeComplete: token.kind == .close || token.kind == .probe
            case Backend.rowDescription, Backend.noData:
                token.kind == .describeStatement || token.kind == .describePortal
            case Backend.commandComplete, Backend.emptyQueryResponse, Backend.portalSuspended: token.kind == .execute
            case Backend.readyForQuery: true
            default: false
            }
        if kind == Backend.readyForQuery { return self.readyReceived() }
        if isEnd { self.pop() }
        guard token.edit == .swallow || token.edit == .hide else { return false }
        if token.kind == .probe, isEnd { self.probeAnswered() }
        return true
    }

    private mutating func readyReceived() -> Bool {
        if self.inquiry.isOpen, let isOwn = self.readyReceivedInDoubt() { return isOwn }
        while self.head < self.tokens.count, !self.tokens[self.head].kind.isTerminator { self.head &+= 1 }
        guard self.head < self.tokens.count else {
            self.drained()
            self.isSkipping = false
            return false
        }
        let isSwallowed = self.tokens[self.head].edit == .swallow
        self.answeredBatch &+= 1
        self.pop()
        return isSwallowed
    }

    /// What an ErrorResponse means.
    struct Failure {
        /// The sequence number of the message that failed, and its batch; nil when the batch goes on (an error within a
        /// simple query or at a Sync) or nobody asked for anything.
        var sequence: Int?
        var batch = 0
        /// The statement that was bound or described.
        var statement: StatementID?
        /// The client's name of it, when it was bound.
        var name: [UInt8]?
        /// What the client gets instead.
        var substitute: [UInt8]?
    }

    mutating func errorReceived() -> Failure {
        guard self.head < self.tokens.count else { return Failure() }
        let token = self.tokens[self.head]
        var failure = Failure(batch: self.answeredBatch)
        if token.edit == .substitute {
            failure.substitute = self.texts[Int(token.payload)]
        } else if token.edit == .hide {
            failure.substitute = []
        } else if token.kind == .bind || token.kind == .describeStatement {
            failure.statement = token.payload
            if token.kind == .bind { failure.name = self.name(of: token) }
        }
        if token.kind.isTerminator { return failure }
        failure.sequence = self.base &+ self.head
        // The server skips to the next Sync: nothing before it is answered.
        while self.head < self.tokens.count, !self.tokens[self.head].kind.isTerminator { self.head &+= 1 }
        if self.head == self.tokens.count {
            self.isSkipping = true
            self.isUnflushed = false
            self.openCount = 0
            self.drained()
        } else {
            self.refresh()
        }
        return failure
    }

    /// The request at the head waits for COPY data: the server ignores the Syncs sent behind it. False when there are
    /// also requests behind it, which its text did not let expect.
    @discardableResult
    mutating func copyInReceived() -> Bool {
        var index = self.head + 1
        scan: while index < self.tokens.count {
            switch self.tokens[index].kind {
            case .sync:
                self.tokens[index].kind = .void
                self.batch &-= 1
            case .void: break
            default: break scan
            }
            index += 1
        }
        // A COPY by Execute is closed by the Sync behind its data.
        if self.head < self.tokens.count, self.tokens[self.head].kind == .execute { self.openCount = 1 }
        return index >= self.tokens.count
    }

    /// The gateway's own answers that are next, for the client.
    mutating func takeInjected(into out: inout [UInt8]) {
        while self.head < self.tokens.count, self.tokens[self.head].kind == .inject {
            switch self.tokens[self.head].payload {
            case Self.parseComplete: out.append(contentsOf: [Backend.parseComplete, 0, 0, 0, 4])
            case Self.closeComplete: out.append(contentsOf: [Backend.closeComplete, 0, 0, 0, 4])
            case let index: if index >= 0 { out.append(contentsOf: self.texts[Int(index)]) }
            }
            self.pop()
        }
    }

    private mutating func pop() {
        self.head &+= 1
        if self.head == self.tokens.count {
            self.drained()
        } else {
            if self.head >= 4096 { self.compact() }
            self.refresh()
        }
    }

    private mutating func compact() {
        self.tokens.removeSubrange(0..<self.head)
        self.base &+= self.head
        self.head = 0
        self.forgetAnsweredTexts()
        self.forgetAnsweredNames()
    }

    /// Texts stand in the order of their messages: those in front of the first one that is still due were told.
    private mutating func forgetAnsweredTexts() {
        let first = self.tokens.first { $0.hasText }.map { Int($0.payload) } ?? self.texts.count
        guard first > 0, first <= self.texts.count else { return }
        for text in self.texts[..<first] { self.textBytes &-= text.count }
        self.texts.removeSubrange(0..<first)
        for index in self.tokens.indices where self.tokens[index].hasText {
            self.tokens[index].payload &-= Int64(first)
        }
    }

    /// As the texts.
    private mutating func forgetAnsweredNames() {
        let first = self.tokens.first { $0.hasName }.map { Int($0.name) } ?? self.names.count
        guard first > 0, first <= self.names.count else { return }
        self.names.removeSubrange(0..<first)
        for index in self.tokens.indices where self.tokens[index].hasName {
            self.tokens[index].name &-= Int32(clamping: first)
        }
    }

    private mutating func drained() {
        self.base &+= self.tokens.count
        // As in `AnswerLedger.compact`.
        if self.head == 1, self.tokens.count == 1 {
            _ = self.tokens.popLast()
        } else {
            self.tokens.removeAll(keepingCapacity: true)
        }
        if !self.texts.isEmpty { self.texts.removeAll(keepingCapacity: true) }
        self.textBytes = 0
        if !self.names.isEmpty { self.names.removeAll(keepingCapacity: true) }
        self.head = 0
        self.isEditing = false
        self.isInjectionNext = false
    }

    mutating func refresh() {
        while self.head < self.tokens.count, self.tokens[self.head].kind == .void { self.head &+= 1 }
        guard self.head < self.tokens.count else {
            self.drained()
            return
        }
        let token = self.tokens[self.head]
        self.isInjectionNext = token.kind == .inject
        self.isEditing = token.edit != .none || self.isInjectionNext
    }
}
