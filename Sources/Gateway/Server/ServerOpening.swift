import PGWire
import Sessions

/// What every connection of ours to a server goes through between connect and its first ReadyForQuery: login, framing
/// of messages. Whoever owns the socket writes what it returns and feeds in what arrives.
///
/// A value of one connection's worker.
struct ServerOpening: Sendable {
    private var login: ServerLogin
    private var assembler = MessageAssembler(maximumBodyLength: 64 * 1024)

    /// What came of the bytes that were taken; `.send` and `.wait` go on, the others are the end.
    typealias Step = ServerLoginStep

    init(
        user: String,
        database: String,
        parameters: [(name: String, value: String)],
        credential: ServerCredential,
        knownKeys: SCRAMKeys?,
        channelBinding: ServerLogin.ChannelBinding = .prefer,
        bindingData: [UInt8]? = nil
    ) {
        self.login = ServerLogin(
            user: user,
            database: database,
            parameters: parameters,
            credential: credential,
            knownKeys: knownKeys,
            channelBinding: channelBinding,
            bindingData: bindingData
        )
    }

    /// The first bytes to write.
    mutating func start() -> [UInt8] { self.login.start() }

    mutating func append(_ bytes: borrowing Span<UInt8>) { self.assembler.append(bytes) }

    /// What came behind the end of the login, such as a part of a notice; it belongs to the session.
    mutating func takeUnread() -> [UInt8] { self.assembler.takeUnread() }

    /// The next thing to do for what was appended; nil when a message is still incomplete.
    mutating func next() -> Step? {
        do throws(WireError) {
            guard let message = try self.assembler.next() else { return nil }
            let step = self.login.receive(message)
            if case .ready(let greeting) = step, greeting.status != .idle {
                return .failed(.protocolViolation("it is in a transaction"))
            }
            return step
        } catch {
            return .failed(.protocolViolation(error.description))
        }
    }
}
