import PGWire
@testable import Sessions

/// A client as the gateway sees it, and the PostgreSQL of its own that it would have without a gateway.
final class ModelClient {
    let number: Int
    let statements: ClientStatements
    let path: String
    var scanner = FrontendScanner()
    var server: ModelServer?
    var isHeld = false
    /// The gateway waits for a server to be free.
    var isWaiting = false
    var isTerminating = false
    var isGone = false
    /// Sent and not read by the gateway; read and not dealt with.
    var wire: [UInt8] = []
    var unread: [UInt8] = []
    /// What came back and was not compared yet.
    var received: ArraySlice<UInt8> = []
    var direct: FakeBackend
    /// Bytes of the direct answers that were compared.
    var compared = 0

    init(number: Int, path: String) {
        self.number = number
        self.path = path
        let parameters = try? SessionParameters.parse(path == "public" ? [] : [("search_path", path)])
        self.statements = ClientStatements(planner: parameters?.planner)
        self.direct = FakeBackend(path: path)
    }
}

/// A server connection: the backend, the bytes on their way, and what the gateway believes.
final class ModelServer {
    let statements: ServerStatements
    var scanner = BackendScanner()
    var ledger = AnswerLedger()
    var backend = FakeBackend()
    var client: ModelClient?
    /// To the backend; from the backend, up to which it was read; read and not dealt with.
    var wire: [UInt8] = []
    var fetched = 0
    var unread: [UInt8] = []

    init(capacity: Int) { self.statements = ServerStatements(capacity: capacity) }

    var isSettled: Bool { self.ledger.isSettled && self.statements.script.isEmpty }

    /// A simple query of the gateway's own, whose answers nobody sees. Only while nothing is due; a Flush may be under
    /// way.
    func run(_ text: String) {
        self.backend.receive(self.wire + Talk.query(text).bytes)
        self.wire = []
        self.fetched = self.backend.output.count
        self.statements.queryRan()
    }

    /// What contradicts the belief of the gateway; to be asked when everything sent was answered.
    func falsehood(_ pool: ModelPool) -> String? {
        let prepared = self.statements.prepared.ids
        let believed = Set((prepared + self.statements.unwanted).map(PreparedStatement.serverName))
        // What was lent to be deallocated and was not goes when the turn ends.
        let named = self.backend.statements.filter { name, _ in
            !name.isEmpty && (self.statements.lentCount == 0 || name.starts(with: PreparedStatement.namePrefix))
        }
        if believed != Set(named.keys) {
            let ours = believed.map(FakeBackend.string).sorted()
            let theirs = named.keys.map(FakeBackend.string).sorted()
            return "the server has \(theirs), the gateway believes in \(ours)"
        }
        for (name, statement) in named where pool.texts[name] != statement.text {
            return "\(FakeBackend.string(name)) is \(FakeBackend.string(statement.text)) on the server"
        }
        if prepared.count > max(self.statements.prepared.capacity, 1) { return "too many statements: \(prepared)" }
        if !self.statements.changes.isEmpty { return "changes are left: \(self.statements.changes.map(\.subject))" }
        if self.statements.mustSettle { return "it must settle and is settled" }
        if self.statements.script.tokens.capacity > 4096 { return "the script keeps its memory" }
        return self.unnamedFalsehood()
    }

    private func unnamedFalsehood() -> String? {
        let real = self.backend.statements[[]]?.text
        switch self.statements.unnamed {
        case .none: return real == nil ? nil : "the server has an unnamed statement"
        case .statement(let statement): return real == statement.text ? nil : "another unnamed statement on the server"
        case .other: return nil
        }
    }
}
