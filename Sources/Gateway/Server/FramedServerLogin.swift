import PGWire
import Sessions

/// What every connection of ours to a server goes through between connect and its first ReadyForQuery: login, framing
/// of messages. Whoever owns the socket writes what it returns and feeds in what arrives.
///
/// A value of one connection's worker.
struct FramedServerLogin: Sendable {
    private var login: ServerLogin
    private var assembler = MessageAssembler(maximumBodyLength: 64 * 1024)
    /// The login has ended well.
    private var ready: Step?
    private let leavesRest: Bool

    /// A message whose answer waits for keys.
    private var held: WireMessage?

    /// What came of the bytes that were taken; `.ready` and `.failed` are the end.
    enum Step: Sendable {
        case wait
        case send([UInt8])
        case ready(ServerGreeting)
        case failed(ServerLoginFailure)
        /// To be computed off the worker, for `take(_:)`; nothing is due before.
        case derive(SCRAMDerivation)

        fileprivate init(_ step: ServerLoginStep) {
            switch step {
            case .wait: self = .wait
            case .send(let bytes): self = .send(bytes)
            case .ready(let greeting): self = .ready(greeting)
            case .failed(let failure): self = .failed(failure)
            }
        }
    }

    /// - Parameter leavesRest: what comes in one piece with the end of the login is for `takeUnread`, not judged here.
    init(
        user: String,
        database: String,
        parameters: [(name: String, value: String)],
        credential: ServerCredential,
        knownKeys: SCRAMKeys?,
        channelBinding: ServerLogin.ChannelBinding = .prefer,
        bindingData: [UInt8]? = nil,
        leavesRest: Bool = false
    ) {
        self.leavesRest = leavesRest
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

    /// What came behind the end of the login and was left to the session.
    mutating func takeUnread() -> [UInt8] { self.assembler.takeUnread() }

    /// The next thing to do for what was appended; nil when a message is still incomplete.
    mutating func next() -> Step? {
        do throws(WireError) {
            if self.ready == nil {
                guard self.held == nil, let message = try self.assembler.next() else { return nil }
                if let derivation = self.login.derivation(for: message) {
                    self.held = message
                    return .derive(derivation)
                }
                let step = Step(self.login.receive(message))
                guard case .ready(let greeting) = step else { return step }
                guard greeting.status == .idle else { return .failed(.protocolViolation("it is in a transaction")) }
                if self.leavesRest { return step }
                self.ready = step
            }
            return try self.readyStep()
        } catch {
            return .failed(.protocolViolation(error.description))
        }
    }

    /// The keys that were asked for by `.derive`. Returns what to do now; nil when nobody waits for them.
    mutating func take(_ keys: SCRAMKeys) -> Step? {
        guard let message = self.held else { return nil }
        self.held = nil
        self.login.take(keys)
        return Step(self.login.receive(message))
    }

    /// What came in one piece with the end of the login. Reports and notices are nothing to act on, but have to be
    /// whole before the session may be used; an error is the server's last word.
    private mutating func readyStep() throws(WireError) -> Step? {
        while let message = try self.assembler.next() {
            switch message.kind {
            case BackendMessageKind.noticeResponse, BackendMessageKind.parameterStatus,
                BackendMessageKind.notificationResponse:
                continue
            case BackendMessageKind.errorResponse:
                return .failed(.serverError(try ServerMessageFields.decode(body: message.body)))
            default:
                return .failed(.protocolViolation("it answers what nobody asked"))
            }
        }
        return self.assembler.unreadCount == 0 ? self.ready : nil
    }
}
