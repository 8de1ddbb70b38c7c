package import PGWire

/// Carries a client's messages over to a server whose prepared statements are shared: decides, message by message,
/// what goes to the server, what is answered here, and enters both in the server's script.
///
/// Made for one chunk of a client's bytes; `out` collects what is to be sent. Nothing here waits: where an answer must
/// be known first, the pass stops with `hold`, and the same bytes are offered again when answers have come.
package struct BatchPass<Source: StatementSource>: ~Copyable {
    /// What becomes of the message at hand.
    enum Step {
        /// It was dealt with; nothing of it goes on as it is.
        case done
        /// It goes to the server as it is.
        case forward
        /// Its first `head` bytes were dealt with; the rest goes on as it is.
        case forwardRest(head: Int)
        /// More of it must be there first.
        case wait
        /// An earlier answer must be there first.
        case hold
        /// Answers of the gateway's own are due at once.
        case answer
        /// The server would ignore it: it does not get it.
        case skip
        /// Something else that fails has gone in its place; nothing of it goes on, though not all of it may be there.
        case refused
        /// A name is longer than anybody's.
        case nameTooLong
    }

    /// A name must end within so many bytes of its message.
    static var nameLimit: Int { 8 * 1024 }
    /// What a refused message is sent as: it names a statement that no server has, so that PostgreSQL itself fails it
    /// and skips or aborts whatever has to be. The client gets another text.
    static var probe: [UInt8] { Array("Spggateway_refused\0".utf8) }

    let client: ClientStatements
    let server: ServerStatements
    let source: Source
    /// The last ReadyForQuery said `E`.
    let isFailed: Bool
    package var out: [UInt8]
    /// What the texts passed on do to the session.
    package private(set) var marks: StatementTraits = []

    package init(
        client: ClientStatements,
        server: ServerStatements,
        source: Source,
        status: TransactionStatus,
        out: consuming [UInt8]
    ) {
        self.client = client
        self.server = server
        self.source = source
        self.isFailed = status == .failed
        self.out = out
    }

    package consuming func takeOut() -> [UInt8] { self.out }

    mutating func mark(_ traits: StatementTraits) { self.marks.formUnion(traits) }

    /// Messages that depend on statements wait while a request is under way that may drop some. And whatever stands
    /// behind a request that takes parameters back waits for the end of that: if it ends the turn, the next one applies
    /// the client's parameters first.
    var mustHold: Bool {
        if self.server.script.isEmpty { return false }
        if self.server.mustSettle || self.server.script.isFull { return true }
        return self.server.isResetting && self.server.script.openCount == 0
    }

    /// What a held message waits for is answered without the client's help.
    mutating func prepareToHold() {
        if self.server.script.isUnflushed {
            self.append(kind: Frontend.flush, body: [])
            self.server.script.flushed()
        }
    }

    // MARK: Output

    mutating func append(_ bytes: borrowing Span<UInt8>, _ range: Range<Int>) {
        let part = bytes.extracting(range)
        unsafe part.withUnsafeBufferPointer { unsafe self.out.append(contentsOf: $0) }
    }

    /// A whole message of the gateway's own.
    mutating func append(kind: UInt8, body: [UInt8]) {
        self.appendHeader(kind, bodyLength: body.count)
        self.out.append(contentsOf: body)
    }

    /// Close of a prepared statement.
    mutating func appendClose(_ name: [UInt8]) {
        self.append(kind: Frontend.close, body: [UInt8(ascii: "S")] + name + [0])
    }

    mutating func appendHeader(_ kind: UInt8, bodyLength: Int) {
        let length = UInt32(clamping: bodyLength &+ 4)
        self.out.append(kind)
        self.out.append(UInt8(truncatingIfNeeded: length >> 24))
        self.out.append(UInt8(truncatingIfNeeded: length >> 16))
        self.out.append(UInt8(truncatingIfNeeded: length >> 8))
        self.out.append(UInt8(truncatingIfNeeded: length))
    }

    /// Where the zero byte that ends a name stands.
    static func terminator(_ bytes: borrowing Span<UInt8>, in range: Range<Int>) -> Int? {
        var index = range.lowerBound
        while index < range.upperBound {
            if bytes[index] == 0 { return index }
            index &+= 1
        }
        return nil
    }

    static func name(_ bytes: borrowing Span<UInt8>, _ range: Range<Int>) -> [UInt8] {
        var name: [UInt8] = []
        for index in range.prefix(StatementNames.significantBytes) { name.append(bytes[index]) }
        return name
    }

    // MARK: Refusals

    /// The message fails, with `error` for the client, in its place and with all that a failure brings.
    mutating func refuse(_ error: ServerMessageFields) -> Step { self.refuse(StatementError.encoded(error)) }

    /// - Parameter error: a whole ErrorResponse.
    mutating func refuse(_ error: [UInt8]) -> Step {
        self.append(kind: Frontend.describe, body: Self.probe)
        self.server.script.pushRefused(.describeStatement, error: error)
        return .done
    }
}
