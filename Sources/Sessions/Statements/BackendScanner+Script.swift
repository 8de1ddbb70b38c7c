package import PGWire

/// The scan of a server's answers where its script may keep some from the client, or put others in between.
///
/// As long as nothing of that is due, it runs on like the plain `scan`, and whole chunks go to the client untouched.
extension BackendScanner {
    package struct ScriptScan: Sendable {
        package enum Stop: Sendable {
            case none
            case ready
            /// An ErrorResponse: its body is `body`; see `ServerStatements.errorReceived`.
            case error
            case parameterStatus
            /// Answers of the gateway's own come next (`AnswerScript.takeInjected`).
            case injected
            /// The last message taken is not for the client.
            case dropped
            case invalid
        }

        /// Bytes taken from the given offset on, and how many of them, from the front, are for the client.
        package var taken: Int
        package var kept: Int
        package var stop: Stop
        package var body: Range<Int> = 0..<0
    }

    package mutating func scan(
        _ bytes: borrowing Span<UInt8>,
        from offset: Int,
        stopsAtReady: Bool,
        ledger: inout AnswerLedger,
        statements: ServerStatements,
        client: ClientStatements?
    ) -> ScriptScan {
        var position = offset
        let end = bytes.count
        if self.bodyRemaining > 0 {
            let taken = min(self.bodyRemaining, end &- position)
            self.bodyRemaining &-= taken
            position &+= taken
        }
        while let header = MessageHeader.read(bytes, at: position) {
            guard header.isValid else { return Self.stop(.invalid, taken: position &- offset) }
            let isEditing = statements.script.isEditing
            if isEditing, statements.script.isInjectionNext {
                return Self.stop(.injected, taken: position &- offset)
            }
            let available = end &- position
            let isWhole = header.wireLength <= available
            if !isWhole, isEditing || Self.isInspected(header.kind), header.wireLength <= Self.inspectedLimit { break }
            let next = isWhole ? position &+ header.wireLength : end
            if !isWhole { self.bodyRemaining = header.wireLength &- available }
            let start = position
            let body = (position &+ MessageHeader.size)..<next
            position = next
            switch header.kind {
            case Backend.dataRow, Backend.copyData: continue
            case Backend.errorResponse:
                self.noteErrorResponse(ledger: &ledger, statements)
                return ScriptScan(
                    taken: position &- offset,
                    kept: start &- offset,
                    stop: .error,
                    body: isWhole ? body : body.lowerBound..<body.lowerBound
                )
            case Backend.parameterStatus:
                if isWhole { return Self.stop(.parameterStatus, taken: position &- offset, body: body) }
                continue
            case Backend.notificationResponse, Backend.noticeResponse: continue
            case Backend.copyInResponse:
                ledger.copyInReceived()
                if !statements.script.copyInReceived() { ledger.isHeldMixed = true }
                continue
            case Backend.copyBothResponse: self.noteUnknowable()
            case Backend.commandComplete:
                if isWhole { self.noteCompletion(CommandTag.classify(bytes, body), statements, client) }
                ledger.completionReceived()
            case Backend.readyForQuery:
                guard header.bodyLength == 1, let status = TransactionStatus(byte: bytes[body.lowerBound]) else {
                    return self.invalid(at: start &- offset)
                }
                self.noteReady(status)
                ledger.readyReceived(status)
            default:
                guard Self.isKnown(header.kind) else { return self.invalid(at: start &- offset) }
                if ledger.isDoubtful { ledger.answerReceived() }
            }
            if Self.settle(header.kind, ledger: &ledger, statements, client) {
                return ScriptScan(taken: position &- offset, kept: start &- offset, stop: .dropped)
            }
            if stopsAtReady, header.kind == Backend.readyForQuery {
                return Self.stop(.ready, taken: position &- offset)
            }
        }
        return Self.stop(.none, taken: position &- offset)
    }

    private static func stop(_ stop: ScriptScan.Stop, taken: Int, body: Range<Int> = 0..<0) -> ScriptScan {
        ScriptScan(taken: taken, kept: taken, stop: stop, body: body)
    }

    /// Nothing of the message that is not of the protocol is taken.
    private mutating func invalid(at taken: Int) -> ScriptScan {
        self.bodyRemaining = 0
        return Self.stop(.invalid, taken: taken)
    }

    /// The script hears of the answer, and what ends with a ReadyForQuery ends. True when the client must not see it.
    @inline(__always)
    private static func settle(
        _ kind: UInt8,
        ledger: inout AnswerLedger,
        _ statements: ServerStatements,
        _ client: ClientStatements?
    ) -> Bool {
        let isDropped = statements.script.received(kind)
        if kind == Backend.readyForQuery {
            statements.readyReceived()
            if ledger.isOutsideTransaction { client?.endPortals(before: statements.script.answeredBatch) }
        }
        guard isDropped else { return false }
        if kind == Backend.readyForQuery { ledger.uncountReady() }
        if kind == Backend.closeComplete, statements.script.isSkipping { ledger.skipGoesOn() }
        return true
    }

    private mutating func noteErrorResponse(ledger: inout AnswerLedger, _ statements: ServerStatements) {
        statements.isMixed = ledger.isHeldMixed
        if statements.script.isEchoDue {
            self.noteHiddenError()
        } else {
            self.noteErrorResponse(ledger: &ledger)
        }
    }

    private mutating func noteCompletion(
        _ tag: CommandTag,
        _ statements: ServerStatements,
        _ client: ClientStatements?
    ) {
        self.note(tag)
        switch tag {
        case .deallocateAll, .discardAll:
            statements.droppedAll()
            client?.names.removeAll()
        case .deallocate:
            let isLent = statements.lentCount > 0
            if isLent { statements.lentCount -= 1 }
            guard !statements.deallocating.isEmpty else {
                // The text was not read: whose statement that was, nobody knows.
                if !isLent { self.residue.hasStatements = true }
                return
            }
            client?.names.set(statements.deallocating.removeFirst(), to: nil)
        default: return
        }
    }
}

extension ServerStatements {
    /// ReadyForQuery has come.
    func readyReceived() {
        self.settleChanges()
        if self.mustSettle || self.isResetting, self.script.isEmpty {
            self.mustSettle = false
            self.isResetting = false
            self.deallocating.removeAll()
        }
    }

    /// What is done about an error of the server.
    package struct Verdict: Sendable {
        /// What the client gets in place of the server's words.
        package var substitute: [UInt8]?
        /// PostgreSQL will not run this statement any more: its pool needs a fresh one.
        package var staleStatement: StatementID?
        /// The server lacks a statement that it should have: its session was meddled with.
        package var isMissingStatement = false
        /// The server's name of the statement that was bound, and the client's.
        package var names: (server: [UInt8], client: [UInt8])?
        /// Nobody can tell which of the messages sent behind a failed COPY will be answered.
        package var isUncountable = false
    }

    /// An ErrorResponse has come; `error` is what it says, if it could be read.
    package func errorReceived(_ error: ServerMessageFields?, client: ClientStatements?) -> Verdict {
        let (sqlState, routine) = (error?.sqlState, error?.routine)
        let isFatal = error?.endsConnection ?? false
        if self.script.isEchoDue, !isFatal {
            self.script.echoReceived()
            return Verdict(substitute: [])
        }
        let failure = self.script.errorReceived()
        var verdict = Verdict(substitute: failure.substitute)
        // "unexpected message type 0x51 during COPY from stdin": that it ends the session, PostgreSQL says next.
        let isEnding = isFatal || (sqlState == .protocolViolation && routine == "CopyGetData")
        if self.script.inquiry.challenge != 0 { self.script.copyFailed(isEnding: isEnding) }
        verdict.isUncountable = self.isMixed && !isEnding
        if let sequence = failure.sequence {
            self.takeBack(from: sequence, batch: failure.batch, client: client)
        }
        guard let id = failure.statement, id > 0 else { return verdict }
        verdict.names = failure.name.map { (PreparedStatement.serverName(id), $0) }
        if sqlState == .featureNotSupported, routine == "RevalidateCachedQuery" {
            // "cached plan must not change result type"
            if self.prepared.contains(id) {
                self.prepared.remove(id)
                self.unwanted.append(id)
            }
            client?.expire(id)
            verdict.staleStatement = id
        } else if sqlState == .invalidStatementName, self.prepared.contains(id) {
            self.prepared.remove(id)
            verdict.isMissingStatement = true
        } else if let error, Self.saysUnreadable(error) {
            client?.outdate(id)
        }
        return verdict
    }

    /// Bind and Describe have PostgreSQL read a statement again when what it names has changed. "operator does not
    /// exist: text = integer" and "cache lookup failed for type 16662" (of a type made anew) would else come for as
    /// long as the server lives, also to those who prepare the text behind the change.
    ///
    /// Only what is found while a text is read says where in it: a value that does not fit may have the same SQLSTATEs
    /// (`$1::regclass`, a mistyped text search), and leaves the statement as it is.
    private static func saysUnreadable(_ error: ServerMessageFields) -> Bool {
        if error.sqlState == .internalError { return true }
        guard error.position != nil else { return false }
        return error.sqlState?.isSyntaxOrAccessRule ?? false && error.sqlState != .insufficientPrivilege
    }
}
