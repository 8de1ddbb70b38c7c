import PGWire

/// A PostgreSQL backend without I/O, reduced to what prepared statements and portals are about, in the order of checks
/// of `exec_parse_message`, `exec_bind_message` and their neighbours in PostgreSQL's `postgres.c`.
///
/// One thing is told otherwise: within an aborted transaction everything but the end of the transaction is refused with
/// 25P02 at once. PostgreSQL still describes statements without rows there, and complains about the number of
/// parameters first; a server that lacks the statement can do neither.
struct FakeBackend {
    struct Statement: Equatable {
        var text: [UInt8]
        var types: [Int32]
        /// The `search_path` when it was prepared.
        var path: String
        var command: FakeCommand
    }

    struct Portal {
        var statement: Statement
        var parameters: [[UInt8]?] = []
        var sent = 0
        var isDone = false
    }

    struct Failure: Error {
        var code: String
        var message: String
        var routine: String?

        init(_ code: String, _ message: String, routine: String? = nil) {
            self.code = code
            self.message = message
            self.routine = routine
        }

        static let aborted = Failure(
            "25P02",
            "current transaction is aborted, commands ignored until end of transaction block"
        )
        static let malformed = Failure("08P01", "invalid message format")
    }

    /// Bytes of a name that count.
    static let nameBytes = 63

    /// By name; the unnamed one is `""`.
    var statements: [[UInt8]: Statement] = [:]
    var portals: [[UInt8]: Portal] = [:]
    /// Within a transaction block, which has failed.
    var isInBlock = false
    var isFailed = false
    /// Up to the next Sync.
    var isSkipping = false
    /// Reads COPY data.
    var copy: Copy?
    /// It has ended the session.
    var isDead = false
    var path: String
    /// Everything ever answered, and how much of it was flushed.
    var output: [UInt8] = []
    var flushed = 0
    var messageCount = 0
    private var unread: [UInt8] = []

    struct Copy {
        var command: FakeCommand
        var isExtended: Bool
        var rows = 0
        /// Pieces of data and Syncs.
        var read = 0
    }

    init(path: String = "public") { self.path = path }

    var status: TransactionStatus { !self.isInBlock ? .idle : self.isFailed ? .failed : .inTransaction }

    /// Nothing of a message is there that is not whole.
    var isAtBoundary: Bool { self.unread.isEmpty }

    mutating func receive(_ bytes: some Collection<UInt8>) {
        self.unread += bytes
        var offset = 0
        while let header = MessageHeader.read(self.unread.span, at: offset),
            header.isValid, header.wireLength <= self.unread.count - offset
        {
            let body = Array(self.unread[(offset + MessageHeader.size)..<(offset + header.wireLength)])
            offset += header.wireLength
            self.messageCount += 1
            self.handle(header.kind, body)
        }
        self.unread.removeFirst(offset)
    }

    // MARK: Messages

    private mutating func handle(_ kind: UInt8, _ body: [UInt8]) {
        if self.isDead { return }
        if self.copy != nil {
            self.copyMessage(kind, body)
            return
        }
        if kind == UInt8(ascii: "S") {
            self.isSkipping = false
            self.endImplicitTransaction()
            self.ready()
            return
        }
        if self.isSkipping { return }
        switch kind {
        case UInt8(ascii: "Q"): self.query(body)
        case UInt8(ascii: "F"): self.functionCall(body)
        case UInt8(ascii: "H"): self.flush()
        case UInt8(ascii: "d"), UInt8(ascii: "c"), UInt8(ascii: "f"): return
        default:
            do throws(Failure) {
                try self.extended(kind, body)
            } catch {
                self.fail(error)
                self.isSkipping = true
            }
        }
    }

    private mutating func extended(_ kind: UInt8, _ body: [UInt8]) throws(Failure) {
        var reader = ByteReader(body)
        switch kind {
        case UInt8(ascii: "P"): try self.parse(&reader)
        case UInt8(ascii: "B"): try self.bind(&reader)
        case UInt8(ascii: "E"): try self.execute(&reader)
        default:
            let subject = try Self.read { () throws(WireError) in try reader.uint8() }
            let name = try Self.read { () throws(WireError) in try reader.cStringBytes() }
            try Self.read { () throws(WireError) in try reader.expectEnd() }
            guard let object = NamedObject(rawValue: subject) else {
                throw Failure("08P01", "invalid message subtype \(subject)")
            }
            if kind == UInt8(ascii: "D") { try self.describe(object, name) } else { self.close(object, name) }
        }
    }

    static func read<Value>(_ body: () throws(WireError) -> Value) throws(Failure) -> Value {
        do throws(WireError) { return try body() } catch { throw .malformed }
    }

    // MARK: Answers

    mutating func answer(_ kind: Character, _ body: [UInt8] = []) { self.output += frame(kind, body) }

    mutating func complete(_ tag: String) { self.answer("C", Array(tag.utf8) + [0]) }

    mutating func flush() { self.flushed = self.output.count }

    mutating func ready() {
        self.answer("Z", [self.status.rawValue])
        self.flush()
    }

    mutating func notice(_ text: String) {
        self.answer("N", Array("SWARNING\0C01000\0M\(text)\0\0".utf8))
    }

    /// An error is flushed at once. It aborts the transaction.
    mutating func fail(_ failure: Failure) {
        self.report("ERROR", failure)
        if self.isInBlock { self.isFailed = true } else { self.portals.removeAll() }
    }

    /// The session ends.
    mutating func die(of failure: Failure) {
        self.fail(failure)
        self.report("FATAL", Failure("08P01", "protocol synchronization was lost"))
        self.isDead = true
    }

    private mutating func report(_ severity: String, _ failure: Failure) {
        let routine = failure.routine.map { "R\($0)\0" } ?? ""
        let head = "S\(severity)\0V\(severity)\0"
        self.answer("E", Array("\(head)C\(failure.code)\0M\(failure.message)\0Fpostgres.c\0\(routine)\0".utf8))
        self.flush()
    }

    // MARK: Transactions

    func checkAborted(_ command: FakeCommand) throws(Failure) {
        if self.isFailed, command != .empty, !command.isExit { throw .aborted }
    }

    mutating func endImplicitTransaction() { if !self.isInBlock { self.portals.removeAll() } }
}
