import PGWire
import Sessions

/// A message as it stands on the wire.
func frame(_ kind: Character, _ body: [UInt8] = []) -> [UInt8] {
    header(kind, length: Int32(body.count + 4)) + body
}

/// Kind and length field alone, whatever the length says.
func header(_ kind: Character, length: Int32) -> [UInt8] {
    Array(String(kind).utf8) + [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: length >> $0) }
}

/// `stream` cut in two at every place, in single bytes, and at random.
func splits(of stream: [UInt8], randomCount: Int = 60) -> [[[UInt8]]] {
    var all = (0...stream.count).map { [Array(stream[..<$0]), Array(stream[$0...])] }
    all.append(stream.map { [$0] })
    var random = SeededRandom(seed: UInt64(stream.count))
    for _ in 0..<randomCount {
        var chunks: [[UInt8]] = []
        var rest = stream[...]
        while !rest.isEmpty {
            let count = Int.random(in: 1...min(rest.count, 23), using: &random)
            chunks.append(Array(rest.prefix(count)))
            rest = rest.dropFirst(count)
        }
        all.append(chunks)
    }
    return all
}

/// What can be seen of a ledger.
struct LedgerState: Equatable {
    let owedCount: Int
    let isUnsynced: Bool
    let isCopyIn: Bool
    let isAmbiguous: Bool
    let status: TransactionStatus
    let queries: Int

    init(_ ledger: AnswerLedger) {
        var ledger = ledger
        self.owedCount = ledger.owedCount
        self.isUnsynced = ledger.isUnsynced
        self.isCopyIn = ledger.isCopyIn
        self.isAmbiguous = ledger.isAmbiguous
        self.status = ledger.status
        self.queries = ledger.takeCounts().queries
    }
}

/// Reads of any size from a client, handled the way a connection does it: what was not consumed stands at the beginning
/// of the next read.
struct FrontendFeed {
    var scanner = FrontendScanner()
    var ledger = AnswerLedger()
    var forwarded: [UInt8] = []
    var stops: [FrontendScanner.Stop] = []
    private var unread: [UInt8] = []
    private var isOver = false

    init() {}

    var unreadCount: Int { self.unread.count }

    mutating func read(_ bytes: [UInt8]) {
        if self.isOver { return }
        self.unread += bytes
        let buffer = self.unread
        var offset = self.scanner.takeSkipped(available: buffer.count)
        while offset < buffer.count, !self.isOver {
            let scan = self.scanner.scan(buffer.span, from: offset, ledger: &self.ledger)
            self.forwarded += buffer[offset..<(offset + scan.forwarded)]
            offset += scan.forwarded
            if scan.stop == .none { break }
            self.stops.append(scan.stop)
            self.isOver = true
        }
        self.unread = Array(buffer[offset...])
    }
}

/// The same for a server.
struct BackendFeed {
    var scanner = BackendScanner()
    var ledger = AnswerLedger()
    var taken: [UInt8] = []
    var stops: [BackendScanner.Stop] = []
    var bodies: [[UInt8]] = []
    var stopsAtReady = false
    private var unread: [UInt8] = []
    private var isOver = false

    init(stopsAtReady: Bool = false) { self.stopsAtReady = stopsAtReady }

    var unreadCount: Int { self.unread.count }

    mutating func read(_ bytes: [UInt8]) {
        if self.isOver { return }
        self.unread += bytes
        let buffer = self.unread
        var offset = 0
        while !self.isOver {
            let scan = self.scanner.scan(
                buffer.span,
                from: offset,
                stopsAtReady: self.stopsAtReady,
                ledger: &self.ledger
            )
            self.taken += buffer[offset..<(offset + scan.taken)]
            offset += scan.taken
            if scan.stop == .none { break }
            self.stops.append(scan.stop)
            if scan.stop == .error || scan.stop == .parameterStatus { self.bodies.append(Array(buffer[scan.body])) }
            if scan.stop == .invalid { self.isOver = true }
        }
        self.unread = Array(buffer[offset...])
    }
}
