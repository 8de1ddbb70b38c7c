import PGWire

/// A message from a client.
enum Talk: Equatable, Sendable {
    case parse(String, String, [Int32] = [])
    /// Portal, statement, parameters.
    case bind(String, String, [String] = [])
    case describe(NamedObject, String)
    case execute(String, Int32 = 0)
    case close(NamedObject, String)
    case flush, sync, call
    case query(String)
    case copyData(String)
    case copyDone, copyFail
    case terminate
    /// A message whatever its body says.
    case raw(Character, [UInt8])

    var bytes: [UInt8] {
        var writer = MessageWriter()
        switch self {
        case .parse(let name, let query, let types): writer.parse(name: name, query: query, parameterTypes: types)
        case .bind(let portal, let statement, let parameters):
            writer.bind(portal: portal, statement: statement, parameters: parameters.map { Array($0.utf8) })
        case .describe(let kind, let name): writer.describe(kind: kind, name: name)
        case .execute(let portal, let rows): writer.execute(portal: portal, maxRows: rows)
        case .close(let kind, let name): writer.close(kind: kind, name: name)
        case .flush: writer.flush()
        case .sync: writer.sync()
        case .call: return frame("F", [0, 0, 0, 177, 0, 0, 0, 0, 0, 0])
        case .query(let text): writer.query(text)
        case .copyData(let data): writer.copyData(Array(data.utf8))
        case .copyDone: writer.copyDone()
        case .copyFail: writer.copyFail("no more")
        case .terminate: writer.terminate()
        case .raw(let kind, let body): return frame(kind, body)
        }
        return writer.bytes
    }
}

/// What the clients of a conversation do, one after the other or at the same time.
struct ModelStep: Sendable, CustomStringConvertible {
    enum End: Sendable {
        case none
        /// The client is gone when so many bytes of `talks` were read by the gateway, or later ones are under way.
        case vanishes(after: Int)
    }

    var client: Int
    var talks: [Talk]
    var end = End.none
    /// Seeds what happens until the next step.
    var pace: UInt64

    var description: String {
        let talks = self.talks.map { "\($0)" }.joined(separator: ", ")
        switch self.end {
        case .none: return "client \(self.client): \(talks)"
        case .vanishes(let count): return "client \(self.client): \(talks), gone after \(count) bytes"
        }
    }
}

/// A whole message from a server, told so that the gateway's own and PostgreSQL's are equal: of an error counts what
/// drivers look at.
struct ToldAnswer: Equatable, CustomStringConvertible {
    let kind: UInt8
    let body: [UInt8]

    /// Takes the first whole message off `bytes`.
    init?(takenFrom bytes: inout ArraySlice<UInt8>) {
        guard bytes.count >= MessageHeader.size else { return nil }
        let head = Array(bytes.prefix(MessageHeader.size))
        guard let header = MessageHeader.read(head.span, at: 0), header.isValid, header.wireLength <= bytes.count else {
            return nil
        }
        let body = Array(bytes.dropFirst(MessageHeader.size).prefix(header.bodyLength))
        bytes = bytes.dropFirst(header.wireLength)
        self.kind = header.kind
        guard header.kind == UInt8(ascii: "E"), let fields = try? ServerMessageFields.decode(body: body) else {
            self.body = body
            return
        }
        // A name that no statement has is sent on with a question mark.
        let message = fields.message.split(separator: "?\"", omittingEmptySubsequences: false).joined(separator: "\"")
        self.body = Array("\(fields.text(0x53) ?? "-") \(fields.sqlState?.text ?? "-----") \(message)".utf8)
    }

    var description: String {
        let text = self.body.map { (0x20..<0x7F).contains($0) ? String(UnicodeScalar($0)) : "." }.joined()
        return "\(UnicodeScalar(self.kind))(\(text))"
    }
}
