import PGWire

/// Walks over what a server sends, message by message, without collecting bodies. Only the kinds in `scan`'s switch are
/// looked into; those are held back until they are whole (as long as they are short), everything else flows.
///
/// Belongs to a server connection.
@usableFromInline
package struct BackendScanner: Sendable {
    package enum Stop: UInt8, Sendable {
        /// Everything that can be taken was taken.
        case none
        /// A ReadyForQuery was taken, and the caller had asked to stop there.
        case ready
        /// An ErrorResponse / a ParameterStatus was taken: its body is `body`.
        case error
        case parameterStatus
        /// Length or kind are not of the protocol: the stream cannot be trusted any more.
        case invalid
    }

    package struct Scan: Sendable {
        /// Bytes taken from the given offset on.
        package var taken: Int
        package var stop: Stop
        /// Where the body of the message that made the scan stop stands in the span.
        package var body: Range<Int> = 0..<0
    }

    /// Messages that are looked into are held back up to this length; longer ones pass unseen.
    package static let inspectedLimit = 8 * 1024

    @usableFromInline var bodyRemaining = 0
    /// An ErrorResponse was the last thing of substance; cleared by ReadyForQuery.
    package private(set) var endedWithError = false
    /// Session state that the client has changed and that must be cleaned before the next client.
    package var residue = SessionResidue()
    /// DISCARD ALL ran: all parameters applied in the client's name are gone.
    package var lostParameters = false
    /// RESET ran: some of them may be gone; its tag does not tell which.
    package var hasReset = false
    /// The transaction has changed the types of columns, by which statements prepared before may have been read.
    private var hasAltered = false

    package init() {}

    @inlinable
    package var isAtBoundary: Bool { self.bodyRemaining == 0 }

    /// Bytes of the present message that are still to come.
    @inlinable
    package var bytesToCome: Int { self.bodyRemaining }

    /// Scans from `offset` on.
    ///
    /// - Parameter stopsAtReady: return after each ReadyForQuery (the gateway's own queries).
    package mutating func scan(
        _ bytes: borrowing Span<UInt8>,
        from offset: Int,
        stopsAtReady: Bool,
        ledger: inout AnswerLedger
    ) -> Scan {
        var position = offset
        let end = bytes.count
        if self.bodyRemaining > 0 {
            let taken = min(self.bodyRemaining, end &- position)
            self.bodyRemaining &-= taken
            position &+= taken
        }
        while let header = MessageHeader.read(bytes, at: position) {
            guard header.isValid else { return Scan(taken: position - offset, stop: .invalid) }
            let available = end &- position
            let isWhole = header.wireLength <= available
            if !isWhole, Self.isInspected(header.kind), header.wireLength <= Self.inspectedLimit { break }
            let next = isWhole ? position &+ header.wireLength : end
            if !isWhole { self.bodyRemaining = header.wireLength &- available }
            let start = position
            let body = (position &+ MessageHeader.size)..<next
            position = next
            switch header.kind {
            case Backend.dataRow, Backend.copyData: continue
            case Backend.readyForQuery:
                guard header.bodyLength == 1, let status = TransactionStatus(byte: bytes[body.lowerBound]) else {
                    return self.invalid(at: start &- offset)
                }
                self.noteReady(status)
                ledger.readyReceived(status)
                if stopsAtReady { return Scan(taken: position - offset, stop: .ready) }
            case Backend.commandComplete:
                if isWhole { self.note(CommandTag.classify(bytes, body)) }
                ledger.completionReceived()
            case Backend.errorResponse:
                self.noteErrorResponse(ledger: &ledger)
                // Of one that is too long to be held back, what has come says nothing but that it is one.
                return Scan(taken: position - offset, stop: .error, body: isWhole ? body : next..<next)
            case Backend.parameterStatus:
                if isWhole { return Scan(taken: position - offset, stop: .parameterStatus, body: body) }
            case Backend.copyInResponse: ledger.copyInReceived()
            case Backend.copyBothResponse: self.residue.isUnknowable = true
            default:
                guard Self.isKnown(header.kind) else { return self.invalid(at: start &- offset) }
                if ledger.isDoubtful, !Self.isAsynchronous(header.kind) { ledger.answerReceived() }
            }
        }
        return Scan(taken: position - offset, stop: .none)
    }

    /// Nothing of the message that is not of the protocol is taken.
    private mutating func invalid(at taken: Int) -> Scan {
        self.bodyRemaining = 0
        return Scan(taken: taken, stop: .invalid)
    }

    mutating func noteErrorResponse(ledger: inout AnswerLedger) {
        self.endedWithError = true
        self.residue.noteError()
        ledger.errorReceived()
    }

    /// It answers nothing of the client's.
    mutating func noteHiddenError() { self.endedWithError = true }

    mutating func noteReady(_ status: TransactionStatus) {
        self.endedWithError = false
        // Others see what was altered when the transaction is over, and have prepared by the old types until then.
        guard self.hasAltered, status == .idle else { return }
        self.hasAltered = false
        PreparedStatement.outdateAll()
    }

    /// The last ErrorResponse was not passed on.
    package mutating func withheldError() { self.endedWithError = false }

    mutating func noteUnknowable() { self.residue.isUnknowable = true }

    mutating func note(_ tag: CommandTag) {
        self.residue.note(tag)
        switch tag {
        case .discardAll: (self.lostParameters, self.hasReset) = (true, false)
        case .reset: self.hasReset = true
        case .alter:
            // The transaction itself sees it at once.
            self.hasAltered = true
            PreparedStatement.outdateAll()
        default: return
        }
    }

    /// What the gateway's own queries did to parameters, it knows.
    package mutating func forgetResets() { (self.lostParameters, self.hasReset) = (false, false) }

    static func isInspected(_ kind: UInt8) -> Bool {
        switch kind {
        case Backend.readyForQuery, Backend.commandComplete, Backend.errorResponse, Backend.parameterStatus: return true
        default: return false
        }
    }

    /// The other messages a server may send after login.
    static func isKnown(_ kind: UInt8) -> Bool {
        switch kind {
        case Backend.parseComplete, Backend.bindComplete, Backend.closeComplete, Backend.notificationResponse,
            Backend.copyOutResponse, Backend.emptyQueryResponse, Backend.noticeResponse, Backend.rowDescription,
            Backend.functionCallResponse, Backend.copyDone, Backend.noData, Backend.portalSuspended,
            Backend.parameterDescription:
            return true
        default: return false
        }
    }

    /// NotificationResponse and NoticeResponse answer no request.
    private static func isAsynchronous(_ kind: UInt8) -> Bool {
        kind == Backend.notificationResponse || kind == Backend.noticeResponse
    }
}
