import Gateway
import PGWire
import Testing

/// One message of the console as a client sees it.
enum ConsoleReply: Equatable {
    case columns([String], types: [Int32], formats: [Int16])
    case row([[UInt8]?])
    case complete(String)
    case ready(TransactionStatus)
    case error(String, message: String)
    case fatal(String)
    case warning(String)
    case emptyQuery
    case parsed
    case bound
    case closed
    case noData
    case suspended
    case parameters([Int32])
    case unexpected(UInt8)

    /// A row of text values.
    static func text(_ values: String?...) -> ConsoleReply {
        .row(values.map { value in value.map { Array($0.utf8) } })
    }

    /// The SQLSTATE of an error that leaves the session open.
    var sqlState: String? {
        if case .error(let state, message: _) = self { state } else { nil }
    }
}

/// Plays a client against a console session, and the gateway behind it: messages are fed through an assembler, held
/// back while a request is outstanding, and requests are answered from a table.
struct ConsoleScript {
    var session = ConsoleSession(facts: ConsoleFacts(version: "9.8.7", database: "pggateway", user: "admin"))
    var outcomes: [ConsoleRequest: ConsoleOutcome] = ConsoleScript.sampleOutcomes
    private(set) var requests: [ConsoleRequest] = []
    private(set) var isClosed = false
    private var input = MessageAssembler(maximumBodyLength: ConsoleLimits.messageBytes)

    static let user = UserRow(name: "app", poolMode: "transaction")
    static let sampleOutcomes: [ConsoleRequest: ConsoleOutcome] = [
        .users: .rows(["a", "b", "c"].map { UserRow(name: $0, poolMode: "session") }),
        .connections: .rows([ConnectionsRow(total: 7, errors: 1, tls: 0, plain: 5, cancel: 2)]),
        .reload: .done,
        .shutdown: .rows([ShutdownRow(success: true)]),
        .config: .failure(
            ServerMessageFields(severity: .error, sqlState: .systemError, message: "settings cannot be read")
        ),
    ]

    /// Sends what `compose` writes and returns all replies.
    mutating func send(_ compose: (inout MessageWriter) -> Void) throws -> [ConsoleReply] {
        var writer = MessageWriter()
        compose(&writer)
        return try self.send(bytes: writer.take())
    }

    mutating func query(_ text: String) throws -> [ConsoleReply] {
        try self.send { $0.query(text) }
    }

    mutating func send(bytes: [UInt8]) throws -> [ConsoleReply] {
        self.input.append(bytes)
        var answer: [UInt8] = []
        while !self.isClosed, let message = try self.input.next() {
            var step = self.session.receive(message)
            answer += step.bytes
            while case .perform(let request) = step.next {
                self.requests.append(request)
                #expect(self.session.isBusy)
                step = self.session.complete(try #require(self.outcomes[request]))
                answer += step.bytes
            }
            #expect(!self.session.isBusy)
            self.isClosed = step.next == .close
        }
        return try Self.decode(answer)
    }

    static func decode(_ bytes: [UInt8]) throws -> [ConsoleReply] {
        var assembler = MessageAssembler(maximumBodyLength: 1 << 24)
        assembler.append(bytes)
        var replies: [ConsoleReply] = []
        while let message = try assembler.next() { replies.append(try Self.decode(message)) }
        #expect(assembler.unreadCount == 0)
        return replies
    }

    private static func decode(_ message: WireMessage) throws -> ConsoleReply {
        var body = ByteReader(message.body)
        switch message.kind {
        case BackendMessageKind.rowDescription:
            return try self.columns(&body)
        case BackendMessageKind.dataRow:
            let count = Int(try body.int16())
            return .row(
                try (0..<count).map { _ in
                    let length = Int(try body.int32())
                    return length < 0 ? nil : try body.bytes(length)
                }
            )
        case BackendMessageKind.commandComplete: return .complete(try body.cString())
        case BackendMessageKind.readyForQuery:
            return .ready(try #require(TransactionStatus(rawValue: try body.uint8())))
        case BackendMessageKind.errorResponse:
            let fields = try ServerMessageFields.decode(body: message.body)
            let state = try #require(fields.sqlState).text
            return fields.severity == .error ? .error(state, message: fields.message) : .fatal(state)
        case BackendMessageKind.noticeResponse:
            let fields = try ServerMessageFields.decode(body: message.body)
            #expect(fields.severity == .warning)
            return .warning(try #require(fields.sqlState).text)
        case BackendMessageKind.emptyQueryResponse: return .emptyQuery
        case BackendMessageKind.parseComplete: return .parsed
        case BackendMessageKind.bindComplete: return .bound
        case BackendMessageKind.closeComplete: return .closed
        case BackendMessageKind.noData: return .noData
        case BackendMessageKind.portalSuspended: return .suspended
        case BackendMessageKind.parameterDescription:
            let count = Int(try body.int16())
            return .parameters(try (0..<count).map { _ in try body.int32() })
        default: return .unexpected(message.kind)
        }
    }

    private static func columns(_ body: inout ByteReader) throws -> ConsoleReply {
        var names: [String] = []
        var types: [Int32] = []
        var formats: [Int16] = []
        for _ in 0..<(try body.int16()) {
            names.append(try body.cString())
            _ = try body.int32()
            _ = try body.int16()
            types.append(try body.int32())
            #expect(try body.int16() == (types.last == 20 ? 8 : -1))
            _ = try body.int32()
            formats.append(try body.int16())
        }
        return .columns(names, types: types, formats: formats)
    }
}

extension ConsoleReply {
    /// What `SHOW USERS` answers from the sample outcomes.
    static let usersColumns = ConsoleReply.columns(["name", "pool_mode"], types: [25, 25], formats: [0, 0])
    static let usersRows: [ConsoleReply] = ["a", "b", "c"].map { .text($0, "session") }

    /// The index-th of these rows, from 0.
    static func usersRow(_ index: Int) -> ConsoleReply {
        self.usersRows[index]
    }
}
