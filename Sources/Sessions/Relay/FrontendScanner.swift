package import PGWire

/// Walks over what a client sends, message by message, without collecting bodies: how much may be passed on, what the
/// server will owe for it, and where the gateway has to step in.
///
/// Bodies are counted; only the kinds below are looked into. Belongs to a client connection.
@usableFromInline
package struct FrontendScanner: Sendable {
    /// Why a scan stopped before the end of the bytes.
    package enum Stop: UInt8, Sendable {
        /// Everything whole was taken; what is left is the beginning of a message.
        case none
        /// A request was taken that takes parameters back, and the caller had asked to stop behind such.
        case reset
        case terminate
        /// Length or kind are not of the protocol.
        case invalidLength
        case invalidKind
    }

    package struct Scan: Sendable {
        /// Bytes from the given offset on that go to the server.
        package var forwarded: Int
        package var stop: Stop
        /// The kind of the message at which the scan stopped.
        package var kind: UInt8 = 0
    }

    /// What an idle client's first bytes call for.
    package enum Opening: Sendable {
        /// Not enough to act on: wait for more.
        case incomplete
        /// A whole message, or the beginning of a long one: a server is needed.
        case request
        /// Messages without meaning outside of COPY: they are skipped (protocol chapter, "COPY Operations").
        case strayCopy
        case terminate
        case invalidLength
        case invalidKind
    }

    /// A message longer than this does not have to be complete before a server is asked for.
    package static let wholeMessageLimit = 16 * 1024
    /// Simple queries whose texts have so many bytes may be looked into: from `RESET x` on.
    private static let resetLengths = 7...512

    /// Bytes of the present message that are still to come, and whether they go to the server.
    @usableFromInline var bodyRemaining = 0
    private var skipsBody = false

    package init() {}

    /// The next byte begins a message.
    @inlinable
    package var isAtBoundary: Bool { self.bodyRemaining == 0 }

    /// Bytes of the present message that are still to come.
    @inlinable
    package var bytesToCome: Int { self.bodyRemaining }

    /// Looks at the message at `offset` without taking anything.
    package func opening(_ bytes: borrowing Span<UInt8>, at offset: Int) -> Opening {
        // Dropping the rest of a message that began before.
        if self.bodyRemaining > 0 { return .incomplete }
        guard let header = MessageHeader.read(bytes, at: offset) else {
            if offset < bytes.count, !Self.isKnown(bytes[offset]) { return .invalidKind }
            return .incomplete
        }
        if !Self.isKnown(header.kind) { return .invalidKind }
        if !Self.isLengthAllowed(header) { return .invalidLength }
        switch header.kind {
        case Frontend.copyData, Frontend.copyDone, Frontend.copyFail: return .strayCopy
        case Frontend.terminate: return .terminate
        default:
            return bytes.count - offset >= min(header.wireLength, Self.wholeMessageLimit) ? .request : .incomplete
        }
    }

    /// Arranges for the whole message at the present boundary to be dropped. `header` is its header.
    package mutating func skipMessage(_ header: MessageHeader) {
        self.bodyRemaining = header.wireLength
        self.skipsBody = true
    }

    /// Takes bytes that are to be dropped; returns how many.
    package mutating func takeSkipped(available: Int) -> Int {
        guard self.skipsBody else { return 0 }
        let taken = min(self.bodyRemaining, available)
        self.bodyRemaining -= taken
        if self.bodyRemaining == 0 { self.skipsBody = false }
        return taken
    }

    /// Scans from `offset` on. Never call while skipped bytes are due (`takeSkipped` first).
    ///
    /// - Parameters:
    ///   - stopsBehindResets: return after each short simple query with a RESET or DISCARD ALL in it. Of a short one
    ///     nothing is taken before all of it has come.
    ///   - ledger: where the requests passed on are entered.
    package mutating func scan(
        _ bytes: borrowing Span<UInt8>,
        from offset: Int,
        stopsBehindResets: Bool = false,
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
            guard Self.isLengthAllowed(header) else {
                let stop = Self.isKnown(header.kind) ? Stop.invalidLength : Stop.invalidKind
                return Scan(forwarded: position - offset, stop: stop, kind: header.kind)
            }
            let available = end &- position
            let mayReset = stopsBehindResets && Self.mayReset(header)
            if mayReset, header.wireLength > available { break }
            switch header.kind {
            case Frontend.query, Frontend.functionCall: ledger.querySent()
            case Frontend.sync:
                // One with a body is answered by an error before its ReadyForQuery.
                if header.bodyLength != 0 { ledger.extendedSent() }
                ledger.syncSent()
            case Frontend.parse, Frontend.bind, Frontend.execute, Frontend.describe, Frontend.close:
                ledger.extendedSent()
            case Frontend.flush:
                // Nothing is owed for it, but one with a body is an error that makes the server skip to Sync.
                if header.bodyLength != 0 { ledger.extendedSent() }
            case Frontend.copyData: break
            case Frontend.copyDone, Frontend.copyFail: ledger.copyEndSent()
            case Frontend.terminate:
                return Scan(forwarded: position - offset, stop: .terminate, kind: header.kind)
            default:
                return Scan(forwarded: position - offset, stop: .invalidKind, kind: header.kind)
            }
            if header.wireLength > available {
                self.bodyRemaining = header.wireLength &- available
                position = end
                break
            }
            position &+= header.wireLength
            if mayReset, Self.resets(bytes, (position &- header.bodyLength)..<position) {
                return Scan(forwarded: position - offset, stop: .reset, kind: header.kind)
            }
        }
        if position < end, !Self.isKnown(bytes[position]) {
            return Scan(forwarded: position - offset, stop: .invalidKind, kind: bytes[position])
        }
        return Scan(forwarded: position - offset, stop: .none)
    }

    private static func mayReset(_ header: MessageHeader) -> Bool {
        header.kind == Frontend.query && self.resetLengths.contains(header.bodyLength &- 1)
    }

    /// - Parameter body: of a simple query.
    private static func resets(_ bytes: borrowing Span<UInt8>, _ body: Range<Int>) -> Bool {
        let text = body.lowerBound..<(body.upperBound &- 1)
        if SQLScan.isPlain(bytes, text) { return false }
        return !SQLScan(bytes, text).traits.isDisjoint(with: [.reset, .discardAll])
    }

    /// PostgreSQL bounds the messages that carry no data at 10 000 bytes, length field included
    /// (`PQ_SMALL_MESSAGE_LIMIT`).
    private static let smallMessageLimit = 10_000

    static func isLengthAllowed(_ header: MessageHeader) -> Bool {
        switch header.kind {
        case Frontend.query, Frontend.functionCall, Frontend.parse, Frontend.bind, Frontend.copyData:
            return header.isValid
        default: return header.isValid && header.bodyLength <= self.smallMessageLimit - 4
        }
    }

    static func isKnown(_ kind: UInt8) -> Bool {
        switch kind {
        case Frontend.query, Frontend.functionCall, Frontend.sync, Frontend.parse, Frontend.bind, Frontend.execute,
            Frontend.describe, Frontend.close,
            Frontend.flush, Frontend.copyData, Frontend.copyDone, Frontend.copyFail, Frontend.terminate:
            return true
        default:
            return false
        }
    }
}
