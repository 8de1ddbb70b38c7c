import PGWire

/// The simple query that a pool answers by itself once a server has answered it (`pooler_check_query`). Immutable.
package struct CheckQuery: Sendable, Equatable {
    /// The whole Query message; empty when the text is none that could be answered so.
    private let message: [UInt8]

    package init(_ text: String) {
        let bytes = Array(text.utf8)
        let scan = SQLScan(bytes.span, 0..<bytes.count)
        // What concerns prepared statements is different for every client.
        let isOwn = !scan.traits.isDisjoint(with: [.prepare, .execute, .deallocate, .deallocateAll, .discardAll])
        guard !isOwn, !bytes.contains(0) else {
            self.message = []
            return
        }
        var writer = MessageWriter()
        writer.query(text)
        self.message = writer.bytes
    }

    /// Bytes of the message; 0 when nothing matches.
    package var wireLength: Int { self.message.count }

    /// Exactly this message stands at `offset`.
    package func matches(_ bytes: borrowing Span<UInt8>, at offset: Int) -> Bool {
        let count = self.message.count
        guard count > 0, bytes.count &- offset >= count else { return false }
        // From the end: the head is the same for all queries of that length.
        var index = count &- 1
        while index >= 0 {
            if bytes[offset &+ index] != self.message[index] { return false }
            index &-= 1
        }
        return true
    }
}

/// What a server sends while a check query is answered. Belongs to a server connection, for one answer.
package struct CheckAnswer: Sendable {
    package enum Verdict: Sendable, Equatable {
        /// The answer is not complete yet.
        case incomplete
        /// Whole messages up to ReadyForQuery that can be told to any client.
        case answer([UInt8])
        /// An error, a notice or what else is true only once; or more than is kept.
        case unfit
    }

    /// Longer answers are not kept.
    package static let bytesMax = 64 * 1024

    private var bytes: [UInt8] = []
    /// ReadyForQuery messages of the gateway's own queries that come first.
    private var skipped: Int
    /// Up to where messages were looked at, and where the answer begins.
    private var position = 0
    private var start = 0
    private var isUnfit = false

    package init(skipping skipped: Int) { self.skipped = skipped }

    /// Takes what the server sent next.
    package mutating func take(_ part: borrowing Span<UInt8>) -> Verdict {
        if self.isUnfit || part.count > Self.bytesMax - self.bytes.count { return self.refuse() }
        unsafe part.withUnsafeBufferPointer { unsafe self.bytes.append(contentsOf: $0) }
        while let header = MessageHeader.read(self.bytes.span, at: self.position) {
            guard header.isValid else { return self.refuse() }
            let end = self.position + header.wireLength
            guard end <= self.bytes.count else { return .incomplete }
            let body = self.position + MessageHeader.size
            self.position = end
            if header.kind == BackendMessageKind.readyForQuery {
                if self.skipped > 0 {
                    self.skipped -= 1
                    self.start = end
                    continue
                }
                let isIdle = header.bodyLength == 1 && self.bytes[body] == TransactionStatus.idle.rawValue
                return isIdle && body > self.start + MessageHeader.size
                    ? .answer(Array(self.bytes[self.start..<end])) : self.refuse()
            }
            if self.skipped == 0, !Self.isFit(header.kind) { return self.refuse() }
        }
        return .incomplete
    }

    private mutating func refuse() -> Verdict {
        self.isUnfit = true
        self.bytes = []
        return .unfit
    }

    private static func isFit(_ kind: UInt8) -> Bool {
        switch kind {
        case BackendMessageKind.rowDescription, BackendMessageKind.dataRow, BackendMessageKind.commandComplete,
            BackendMessageKind.emptyQueryResponse:
            return true
        default: return false
        }
    }
}

/// The answers to the check query that a pool has: one for each set of parameters that clients ask for, because these
/// may change what an answer looks like. A plain value; its owner puts it under a lock.
package struct CheckAnswers: Sendable {
    private static let answersMax = 16

    private var query: CheckQuery?
    private var answers: [[SessionParameters.Entry]: [UInt8]] = [:]

    package init() {}

    package func answer(to query: CheckQuery, for parameters: SessionParameters) -> [UInt8]? {
        self.query == query ? self.answers[parameters.reportedEntries] : nil
    }

    /// An answer to another query than before ends those to that one.
    package mutating func remember(_ answer: [UInt8], to query: CheckQuery, for parameters: SessionParameters) {
        if self.query != query || self.answers.count >= Self.answersMax { self.answers.removeAll() }
        self.query = query
        self.answers[parameters.reportedEntries] = answer
    }
}
