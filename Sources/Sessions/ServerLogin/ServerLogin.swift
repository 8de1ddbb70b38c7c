package import PGWire

/// The way of one server connection from its startup message to its first ReadyForQuery, with us as the client
/// (protocol chapter 55.2.1).
///
/// A value owned by the worker that opens the connection. It does no I/O: the driver writes what `start` and `receive`
/// return and feeds in whole messages. Deadlines and the framing limit are the driver's.
package struct ServerLogin: Sendable {
    /// Whether the login is bound to the server's certificate: the words of libpq's `channel_binding`.
    package enum ChannelBinding: String, Sendable, CaseIterable {
        case disable
        /// Where the server offers it.
        case prefer
        /// A server that does not offer it is not given any proof.
        case require
    }

    /// Where the login stands.
    ///
    /// `.created` -> `.started` -> (`.answered` | `.scramStarted` -> `.scramProven` -> `.answered`) -> `.authenticated`
    /// -> `.finished`; `.started` -> `.authenticated` when the server trusts us. Every failure leads to `.finished`.
    enum State: Sendable {
        case created
        /// The startup message is out; the server asks for proof or lets us in.
        case started
        /// client-first-message is out.
        case scramStarted(SCRAMClient)
        /// client-final-message is out; the server has to prove itself before it may let us in.
        case scramProven(SCRAMClient)
        /// The proof is given; AuthenticationOk is due.
        case answered
        /// Parameters and the cancel key arrive.
        case authenticated
        case finished
    }

    let user: String
    let credential: ServerCredential
    let knownKeys: SCRAMKeys?
    let limits: ServerLoginLimits
    let channelBinding: ChannelBinding
    /// `tls-server-end-point` of the server's certificate.
    let bindingData: [UInt8]?
    private let startupParameters: [(name: String, value: String)]
    private let requestedVersion: ProtocolVersion

    var state = State.created
    /// The SCRAM keys of the proof, for the greeting.
    var scramKeys: SCRAMKeys?
    private var version: ProtocolVersion
    private var parameters: [(name: String, value: String)] = []
    private var parameterBytes = 0
    private var key: (processID: Int32, secret: [UInt8])?
    private var messages = 0

    /// Bounds of a cancel secret (protocol 3.2).
    private static let secretBytes = 4...256

    /// - Parameters:
    ///   - parameters: further startup parameters; `user` and `database` among them are dropped.
    ///   - credential: what proves the user; see `ServerCredential` for what answers which method.
    ///   - version: the protocol version asked for.
    ///   - knownKeys: keys derived from the same cleartext password in an earlier login (`ServerGreeting.scramKeys`).
    ///   - bindingData: `tls-server-end-point` of the server's certificate; nil without TLS, and for certificates that
    ///     have none.
    package init(
        user: String,
        database: String,
        parameters: [(name: String, value: String)] = [],
        credential: ServerCredential,
        protocol version: ProtocolVersion = .v3_0,
        knownKeys: SCRAMKeys? = nil,
        limits: ServerLoginLimits = ServerLoginLimits(),
        channelBinding: ChannelBinding = .prefer,
        bindingData: [UInt8]? = nil
    ) {
        let rest = parameters.filter { parameter in parameter.name != "user" && parameter.name != "database" }
        self.user = user
        self.startupParameters = [("user", user), ("database", database)] + rest
        self.credential = credential
        self.knownKeys = knownKeys
        self.requestedVersion = version
        self.version = version
        self.limits = limits
        self.channelBinding = channelBinding
        self.bindingData = bindingData
    }

    /// The startup message, to be written first.
    package mutating func start() -> [UInt8] {
        self.state = .started
        var writer = MessageWriter()
        writer.startupMessage(version: self.requestedVersion, parameters: self.startupParameters)
        return writer.bytes
    }

    /// Takes the server's next message.
    ///
    /// - Parameter nonce: the client nonce, asked for only when a SCRAM exchange begins.
    package mutating func receive(
        _ message: WireMessage,
        nonce: @autoclosure () -> [UInt8] = RandomBytes.nonce()
    ) -> ServerLoginStep {
        do throws(ServerLoginFailure) {
            return try self.handle(message, nonce: nonce)
        } catch {
            self.state = .finished
            return .failed(error)
        }
    }

    private mutating func handle(
        _ message: WireMessage,
        nonce: () -> [UInt8]
    ) throws(ServerLoginFailure) -> ServerLoginStep {
        self.messages += 1
        guard self.messages <= self.limits.messagesMax else { throw .protocolViolation("too many messages") }
        switch (message.kind, self.state) {
        case (_, .created), (_, .finished):
            throw .protocolViolation("message \(Self.name(message.kind)) outside of a login")
        case (BackendMessageKind.errorResponse, _):
            throw .serverError(
                try Self.reading { () throws(WireError) in try ServerMessageFields.decode(body: message.body) }
            )
        case (BackendMessageKind.noticeResponse, _):
            return .wait
        case (BackendMessageKind.authentication, _):
            return try self.authenticationReceived(message.body, nonce: nonce)
        case (BackendMessageKind.negotiateProtocolVersion, .started):
            return try self.versionReceived(message.body)
        case (BackendMessageKind.parameterStatus, .authenticated):
            return try self.parameterReceived(message.body)
        case (BackendMessageKind.backendKeyData, .authenticated):
            return try self.keyReceived(message.body)
        case (BackendMessageKind.readyForQuery, .authenticated):
            return try self.readyReceived(message.body)
        default:
            throw .protocolViolation("unexpected message \(Self.name(message.kind))")
        }
    }

    /// The server speaks an older minor version, or does not know one of our `_pq_.` options.
    private mutating func versionReceived(_ body: [UInt8]) throws(ServerLoginFailure) -> ServerLoginStep {
        let code = try Self.reading { () throws(WireError) in
            var reader = ByteReader(body)
            let code = try reader.int32()
            let count = try reader.int32()
            guard count >= 0 else { throw WireError.truncated(needed: 0, available: reader.remaining) }
            var left = count
            while left > 0 {
                _ = try reader.cStringBytes()
                left -= 1
            }
            try reader.expectEnd()
            return code
        }
        // PostgreSQL sends the whole version code; a bare minor number, as the chapter words it, means the same.
        let offered =
            code < 0x1_0000 ? ProtocolVersion(major: 3, minor: UInt16(clamping: code)) : ProtocolVersion(code: code)
        guard code >= 0, offered.major == 3, offered <= self.requestedVersion else {
            throw .protocolViolation("protocol version \(offered) offered, \(self.requestedVersion) requested")
        }
        self.version = offered
        return .wait
    }

    private mutating func parameterReceived(_ body: [UInt8]) throws(ServerLoginFailure) -> ServerLoginStep {
        let (name, value) = try Self.reading { () throws(WireError) in
            var reader = ByteReader(body)
            let pair = (try reader.cString(), try reader.cString())
            try reader.expectEnd()
            return pair
        }
        if let index = self.parameters.firstIndex(where: { parameter in parameter.name == name }) {
            self.parameterBytes += value.utf8.count - self.parameters[index].value.utf8.count
            self.parameters[index].value = value
        } else {
            self.parameterBytes += name.utf8.count + value.utf8.count
            self.parameters.append((name, value))
        }
        guard self.parameters.count <= self.limits.parametersMax,
            self.parameterBytes <= self.limits.parameterBytesMax
        else { throw .protocolViolation("too many parameters") }
        return .wait
    }

    private mutating func keyReceived(_ body: [UInt8]) throws(ServerLoginFailure) -> ServerLoginStep {
        guard self.key == nil else { throw .protocolViolation("second BackendKeyData") }
        var reader = ByteReader(body)
        let processID = try Self.reading { () throws(WireError) in try reader.int32() }
        let secret = reader.rest()
        let isLegal = self.version < .v3_2 ? secret.count == 4 : Self.secretBytes.contains(secret.count)
        guard isLegal else { throw .protocolViolation("cancel key of \(secret.count) bytes") }
        self.key = (processID, secret)
        return .wait
    }

    private mutating func readyReceived(_ body: [UInt8]) throws(ServerLoginFailure) -> ServerLoginStep {
        guard body.count == 1, let byte = body.first, let status = TransactionStatus(rawValue: byte) else {
            throw .protocolViolation("malformed ReadyForQuery")
        }
        self.state = .finished
        return .ready(
            ServerGreeting(
                parameters: self.parameters,
                processID: self.key?.processID ?? 0,
                secret: self.key?.secret ?? [],
                status: status,
                version: self.version,
                scramKeys: self.scramKeys
            )
        )
    }

    /// Runs a decoder and turns its complaint into the failure of this login.
    static func reading<Value>(_ body: () throws(WireError) -> Value) throws(ServerLoginFailure) -> Value {
        do {
            return try body()
        } catch {
            throw .protocolViolation(error.description)
        }
    }

    /// A message kind for a log line: the letter where it is printable, else its number.
    private static func name(_ kind: UInt8) -> String {
        kind > 0x20 && kind < 0x7f ? "'\(String(decoding: [kind], as: UTF8.self))'" : "\(kind)"
    }
}
