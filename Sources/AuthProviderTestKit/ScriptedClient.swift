public import AuthProviders
public import Sessions

/// A client dialogue without a client: answers by a script and writes down what was asked.
///
/// Belongs to one login of one test. What `ClientDialogue` promises holds here as well: once a call has thrown, every
/// later one throws the same.
public final class ScriptedClient: ClientDialogue {
    /// How the client behaves.
    public enum Script: Sendable {
        /// Answers whatever is asked, honestly, with this password.
        case password(String)
        /// The same, but starts SASL without initial data.
        case hesitantPassword(String)
        /// Answers whatever is asked, honestly, with this password, and binds SCRAM to the certificate it sees where
        /// that is offered.
        ///
        /// - Parameter endpoint: `tls-server-end-point` of that certificate.
        case boundPassword(String, endpoint: [UInt8])
        /// Sends these, one after the other, and leaves when there are no more.
        ///
        /// - Parameter mechanism: what it chooses when it is asked for SASL.
        case raw(mechanism: String, [[UInt8]?])
        /// Expects these questions in this order, and leaves at any other, and at one after the last.
        case turns([Turn])
        /// Leaves at once.
        case leaves
        /// Says nothing until the login deadline has passed.
        case saysNothing
    }

    private let user: String
    private let script: Script
    private var rawAnswers: [[UInt8]?] = []
    private var turns: [Turn] = []
    private var scram: SCRAMClient?
    private var end: AuthFailure?

    /// What the provider asked for, in order, the question at which the client left included.
    public private(set) var requests: [Request] = []
    /// Why the client left a script of turns early: what it expected, and what it was asked. Nil when all went by it.
    public private(set) var surprise: String?

    /// - Parameter user: the name in the startup message; the md5 method hashes it.
    public init(user: String, _ script: Script) {
        self.user = user
        self.script = script
        switch script {
        case .raw(_, let answers): self.rawAnswers = answers
        case .turns(let turns): self.turns = turns
        case .password, .hesitantPassword, .boundPassword, .leaves, .saysNothing: break
        }
    }

    /// What an observer can tell of the questions; see `Request.shape`.
    public var shapes: [String] { self.requests.map(\.shape) }

    /// How many turns of the script were not played.
    public var turnsLeft: Int { self.turns.count }

    public func requestCleartextPassword() async throws(AuthFailure) -> SecretBytes {
        try self.asked(.cleartext)
        switch self.script {
        case .password(let password), .hesitantPassword(let password), .boundPassword(let password, _):
            return SecretBytes(password)
        case .raw, .turns: return SecretBytes(try self.next(.cleartext).data ?? [])
        case .leaves, .saysNothing: throw self.leave()
        }
    }

    public func requestMD5Password(salt: [UInt8]) async throws(AuthFailure) -> SecretBytes {
        try self.asked(.md5(saltLength: salt.count))
        switch self.script {
        case .password(let password), .hesitantPassword(let password), .boundPassword(let password, _):
            let hash = MD5Password.hash(password: SecretBytes(password), user: self.user)
            return SecretBytes(MD5Password.response(hash: hash, salt: salt))
        case .raw, .turns: return SecretBytes(try self.next(.md5).data ?? [])
        case .leaves, .saysNothing: throw self.leave()
        }
    }

    public func requestSASL(mechanisms: [String]) async throws(AuthFailure) -> (mechanism: String, data: [UInt8]?) {
        try self.asked(.sasl(mechanisms))
        switch self.script {
        case .password(let password): return ("SCRAM-SHA-256", self.startSCRAM(password))
        case .boundPassword(let password, let endpoint):
            let isOffered = mechanisms.contains(SCRAMServer.bindingMechanism)
            let first = self.startSCRAM(password, isOffered ? .bound(endpoint: endpoint) : .notOffered)
            return (isOffered ? SCRAMServer.bindingMechanism : SCRAMServer.mechanism, first)
        case .hesitantPassword: return ("SCRAM-SHA-256", nil)
        case .raw, .turns: return try self.next(.sasl)
        case .leaves, .saysNothing: throw self.leave()
        }
    }

    public func continueSASL(_ challenge: [UInt8]) async throws(AuthFailure) -> [UInt8] {
        try self.asked(.challenge(challenge))
        switch self.script {
        case .hesitantPassword(let password) where self.scram == nil: return self.startSCRAM(password)
        case .password, .hesitantPassword, .boundPassword:
            do {
                return try self.scram?.receiveFirst(challenge) ?? []
            } catch {
                throw self.leave("client does not like the challenge: \(error)")
            }
        case .raw, .turns: return try self.next(.challenge).data ?? []
        case .leaves, .saysNothing: throw self.leave()
        }
    }

    public func finishSASL(_ data: [UInt8]) async throws(AuthFailure) {
        try self.asked(.final(data))
        do {
            try self.scram?.receiveFinal(data)
        } catch {
            throw self.leave("client does not believe the server: \(error)")
        }
    }

    // MARK: The script

    private func asked(_ request: Request) throws(AuthFailure) {
        if let end = self.end { throw end }
        self.requests.append(request)
    }

    /// From now on every call throws this.
    private func leave(_ log: String = "client left during login") -> AuthFailure {
        let end: AuthFailure
        if case .saysNothing = self.script { end = .deadlinePassed() } else { end = .clientLeft(log: log) }
        self.end = end
        return end
    }

    private func next(_ kind: Turn.Kind) throws(AuthFailure) -> (mechanism: String, data: [UInt8]?) {
        if case .raw(let mechanism, _) = self.script {
            guard !self.rawAnswers.isEmpty else { throw self.leave() }
            return (mechanism, self.rawAnswers.removeFirst())
        }
        guard let turn = self.turns.first, turn.kind == kind else {
            let surprise = "expected \(self.turns.first?.kind.rawValue ?? "nothing"), was asked for \(kind.rawValue)"
            self.surprise = surprise
            throw self.leave(surprise)
        }
        self.turns.removeFirst()
        switch turn.answer {
        case .data(let data): return (turn.mechanism, data)
        case .leaves: throw self.leave()
        case .saysNothing:
            self.end = .deadlinePassed()
            throw .deadlinePassed()
        }
    }

    private func startSCRAM(_ password: String, _ binding: SCRAMClient.ChannelBinding = .unsupported) -> [UInt8] {
        var client = SCRAMClient(
            secret: .password(SecretBytes(password)),
            nonce: Array("0123456789abcdefghijklmn".utf8),
            channelBinding: binding
        )
        let first = client.start()
        self.scram = client
        return first
    }
}
