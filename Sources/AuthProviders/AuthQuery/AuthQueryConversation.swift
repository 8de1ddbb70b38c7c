package import PGWire

/// One query with one parameter, in the extended protocol: the bytes to send, and what the server's answer amounts to.
///
/// A value of one connection and one query; bounded in rows and bytes. The statement is parsed anew each time, so that
/// a changed table or view cannot invalidate it.
package struct AuthQueryConversation: Sendable {
    /// What an incoming message leads to.
    package enum Step: Sendable, Equatable {
        case wait
        /// The query is over and the connection free for the next.
        case done(AuthQueryReply)
        /// The connection is of no use any more.
        case broken(AuthQueryReply)
    }

    /// Bytes of all values of an answer.
    package static let answerBytesMax = 512 * 1024
    /// Bytes of one message.
    package static let messageBytesMax = 64 * 1024
    private static let columnsMax = 1664

    private let rowsMax: Int
    private var columns: [String] = []
    private var hasColumns = false
    private var rows: [[[UInt8]?]] = []
    private var bytes = 0
    private var error: ServerMessageFields?

    package init(rowsMax: Int) { self.rowsMax = rowsMax }

    /// Parse, Bind, Describe, Execute and Sync in one piece.
    package static func request(sql: String, parameter: String, rowsMax: Int) -> [UInt8] {
        var writer = MessageWriter()
        writer.parse(name: "", query: sql)
        writer.bind(portal: "", statement: "", parameters: [Array(parameter.utf8)])
        writer.describe(kind: .portal, name: "")
        writer.execute(portal: "", maxRows: Int32(clamping: rowsMax))
        writer.sync()
        return writer.bytes
    }

    package mutating func receive(_ message: WireMessage) -> Step {
        do throws(WireError) {
            switch message.kind {
            case BackendMessageKind.parseComplete, BackendMessageKind.bindComplete, BackendMessageKind.noData,
                BackendMessageKind.commandComplete, BackendMessageKind.emptyQueryResponse,
                BackendMessageKind.portalSuspended, BackendMessageKind.noticeResponse,
                BackendMessageKind.parameterStatus, BackendMessageKind.notificationResponse:
                return .wait
            case BackendMessageKind.rowDescription:
                try self.readColumns(message.body)
                return .wait
            case BackendMessageKind.dataRow:
                return try self.readRow(message.body)
            case BackendMessageKind.errorResponse:
                let fields = try ServerMessageFields.decode(body: message.body)
                self.error = self.error ?? fields
                return .wait
            case BackendMessageKind.readyForQuery:
                guard message.body == [UInt8(ascii: "I")] else { return Self.broken("the query began a transaction") }
                return .done(self.reply)
            default:
                return Self.broken("the server sent message \(message.kind)")
            }
        } catch {
            return Self.broken(error.description)
        }
    }

    /// The server's last words, when its connection ends in the middle.
    package var lastError: String? { self.error?.description }

    private static func broken(_ reason: String) -> Step { .broken(.failed("auth_query: \(reason)")) }

    private var reply: AuthQueryReply {
        if let error = self.error {
            let code = error.sqlState?.text ?? ""
            if Self.isAboutTheName(code) { return .refused(error.description) }
            return .failed("auth_query: \(error.description)\(Self.hint(for: code))")
        }
        guard self.hasColumns else { return .failed("auth_query returns no columns") }
        return .rows(AuthQueryRows(columns: self.columns, rows: self.rows))
    }

    /// Data exceptions (class 22, bad encodings among them) come from the name alone, P0001 and P0002 (RAISE, INTO
    /// STRICT without a row) from a function that does not know it. Nobody may make the service look unavailable by
    /// choosing a name, or tell unknown names by that.
    private static func isAboutTheName(_ code: String) -> Bool {
        code.hasPrefix("22") || code == "P0001" || code == "P0002"
    }

    /// For tables and functions that are not found: with pg_doorman they need no schema.
    private static func hint(for code: String) -> String {
        code == "42P01" || code == "42883" ? " (it runs with search_path = pg_catalog: name the schema)" : ""
    }

    private mutating func readColumns(_ body: [UInt8]) throws(WireError) {
        var reader = ByteReader(body)
        let count = Int(try reader.int16())
        guard count >= 0, count <= Self.columnsMax else { throw .truncated(needed: count, available: body.count) }
        var names: [String] = []
        for _ in 0..<count {
            names.append(try reader.repairedCString())
            _ = try reader.bytes(18)
        }
        try reader.expectEnd()
        self.columns = names
        self.hasColumns = count > 0
    }

    private mutating func readRow(_ body: [UInt8]) throws(WireError) -> Step {
        var reader = ByteReader(body)
        guard try reader.int16() == self.columns.count else { return Self.broken("a row does not fit its columns") }
        var row: [[UInt8]?] = []
        for _ in self.columns.indices {
            let length = try reader.int32()
            row.append(length == -1 ? nil : try reader.bytes(Int(length)))
        }
        try reader.expectEnd()
        self.bytes += body.count
        guard self.rows.count < self.rowsMax, self.bytes <= Self.answerBytesMax else {
            return Self.broken("the answer is larger than \(self.rowsMax) rows or \(Self.answerBytesMax) bytes")
        }
        self.rows.append(row)
        return .wait
    }
}
