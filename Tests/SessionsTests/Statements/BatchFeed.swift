import PGWire
@testable import Sessions

/// A client's bytes on their way through a `BatchPass`, read in pieces of any size as a connection does it, to a server
/// that answers when it is told to.
final class BatchFeed {
    let client = ClientStatements(planner: nil)
    let server: ServerStatements
    let pool: ModelPool
    var scanner = FrontendScanner()
    var ledger = AnswerLedger()
    /// What went to the server, and what the client got from the gateway.
    private(set) var sent: [UInt8] = []
    private(set) var answered: [UInt8] = []
    /// The kinds of the server's answers that the client got.
    private(set) var told = ""
    /// Why nothing is read any more.
    private(set) var stop: FrontendScanner.BatchScan.Stop?
    private(set) var isHeld = false
    /// What the texts passed on do to the session.
    private(set) var marks: StatementTraits = []
    private var unread: [UInt8] = []

    init(capacity: Int = 1000, sharesUnnamed: Bool = true, recentMax: Int = 32) {
        self.server = ServerStatements(capacity: capacity)
        self.pool = ModelPool(capacity: 1000, sharesUnnamed: sharesUnnamed, recentMax: recentMax, hash: .keyed)
    }

    convenience init(reading chunks: [[UInt8]]) {
        self.init()
        for chunk in chunks { self.read(chunk) }
    }

    /// What is due, in order.
    var pending: [AnswerScript.Kind] { self.server.script.tokens[self.server.script.head...].map(\.kind) }

    func read(_ talks: Talk...) { self.read(talks.flatMap(\.bytes)) }

    func readAll(_ talks: [Talk]) { self.read(talks.flatMap(\.bytes)) }

    func read(_ bytes: [UInt8]) {
        self.unread += bytes
        self.isHeld = false
        var offset = self.scanner.takeSkipped(available: self.unread.count)
        while self.stop == nil, !self.isHeld {
            let scan = self.pass(from: offset)
            offset += scan.taken
            switch scan.stop {
            case .none:
                self.unread.removeFirst(offset)
                return
            case .direct: continue
            case .answer: self.server.takeInjected(into: &self.answered)
            case .hold:
                if self.server.script.isInjectionNext {
                    self.server.takeInjected(into: &self.answered)
                } else {
                    self.isHeld = true
                }
            case .skip:
                offset += self.scanner.takeSkipped(available: self.unread.count - offset)
                if !self.scanner.isAtBoundary {
                    self.unread.removeFirst(offset)
                    return
                }
            default: self.stop = scan.stop
            }
        }
        self.unread.removeFirst(offset)
    }

    private func pass(from offset: Int) -> FrontendScanner.BatchScan {
        var pass = BatchPass(
            client: self.client,
            server: self.server,
            source: self.pool,
            status: self.ledger.status,
            out: []
        )
        let bytes = self.unread
        let scan = self.scanner.scan(bytes.span, from: offset, pass: &pass, ledger: &self.ledger)
        self.marks.formUnion(pass.marks)
        self.sent += pass.takeOut()
        self.sent += bytes[scan.direct]
        return scan
    }

    // MARK: The server's answers

    /// The server answers with messages of these kinds, `Z` with the given status.
    func answer(_ kinds: String, status: TransactionStatus = .idle) {
        for kind in kinds {
            let code = kind.asciiValue ?? 0
            self.server.takeInjected(into: &self.answered)
            if kind == "Z" {
                self.ledger.readyReceived(status)
            } else if self.ledger.isDoubtful {
                self.ledger.answerReceived()
            }
            if !self.server.script.received(code) {
                self.told.append(kind)
            } else if kind == "3", self.server.script.isSkipping {
                self.ledger.skipGoesOn()
            }
            if kind == "Z" { self.server.readyReceived() }
        }
        self.server.takeInjected(into: &self.answered)
        self.read([])
    }

    /// The server asks for COPY data.
    func beginCopy() {
        self.ledger.copyInReceived()
        if !self.server.script.copyInReceived() { self.ledger.isHeldMixed = true }
        self.read([])
    }

    @discardableResult
    func fail(
        _ state: SQLState = .syntaxError,
        routine: String? = nil,
        position: String? = nil
    ) -> ServerStatements.Verdict {
        self.server.takeInjected(into: &self.answered)
        self.server.isMixed = self.ledger.isHeldMixed
        if !self.server.script.isEchoDue { self.ledger.errorReceived() }
        var error = ServerMessageFields(severity: .error, sqlState: state, message: "failed")
        error.routine = routine
        error.position = position
        let verdict = self.server.errorReceived(error, client: self.client)
        self.read([])
        return verdict
    }

    /// The statement's name on servers.
    func serverName(_ name: String) -> String? {
        self.client.names.find(Array(name.utf8)).map { FakeBackend.string($0.serverName) }
    }

    func takeTold() -> String {
        defer { self.told = "" }
        return self.told
    }

    func takeSent() -> [UInt8] {
        defer { self.sent = [] }
        return self.sent
    }
}

/// Messages as bytes.
func bytes(of talks: Talk...) -> [UInt8] { talks.flatMap(\.bytes) }
