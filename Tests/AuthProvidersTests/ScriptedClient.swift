import AuthProviders
import Sessions

/// A client dialogue without a client: answers by a script and writes down what was asked.
///
/// Belongs to one test.
final class ScriptedClient: ClientDialogue {
    /// What a provider asked for, in order.
    enum Request: Equatable {
        case cleartext
        case md5(saltLength: Int)
        case sasl([String])
        case challenge([UInt8])
        case final([UInt8])

        /// All that an observer who does not know the user's salt can tell: kinds, lengths, and where known the text.
        var shape: String {
            switch self {
            case .cleartext: "cleartext"
            case .md5(let saltLength): "md5 \(saltLength)"
            case .sasl(let mechanisms): "sasl \(mechanisms)"
            case .challenge(let bytes): "challenge \(bytes.count) \(Self.withoutSalt(bytes))"
            case .final(let bytes): "final \(bytes.count)"
            }
        }

        private static func withoutSalt(_ challenge: [UInt8]) -> [String] {
            let attributes = challenge.split(separator: UInt8(ascii: ","))
            return attributes.map { attribute in String(decoding: attribute, as: UTF8.self) }
                .filter { attribute in !attribute.hasPrefix("s=") }
        }
    }

    /// How the client behaves.
    enum Script {
        /// Answers whatever is asked, honestly, with this password.
        case password(String)
        /// The same, but starts SASL without initial data.
        case hesitantPassword(String)
        /// Sends these, one after the other, and leaves when there are no more.
        case raw(mechanism: String, [[UInt8]?])
        /// Leaves at once.
        case leaves
    }

    private let user: String
    private let script: Script
    private var rawAnswers: [[UInt8]?] = []
    private var scram: SCRAMClient?
    private(set) var requests: [Request] = []

    init(user: String, _ script: Script) {
        self.user = user
        self.script = script
        if case .raw(_, let answers) = script {
            self.rawAnswers = answers
        }
    }

    var shapes: [String] { self.requests.map(\.shape) }

    func requestCleartextPassword() async throws(AuthFailure) -> SecretBytes {
        self.requests.append(.cleartext)
        switch self.script {
        case .password(let password), .hesitantPassword(let password): return SecretBytes(password)
        case .raw: return SecretBytes(try self.nextRaw() ?? [])
        case .leaves: throw .clientLeft()
        }
    }

    func requestMD5Password(salt: [UInt8]) async throws(AuthFailure) -> SecretBytes {
        self.requests.append(.md5(saltLength: salt.count))
        switch self.script {
        case .password(let password), .hesitantPassword(let password):
            let hash = MD5Password.hash(password: SecretBytes(password), user: self.user)
            return SecretBytes(MD5Password.response(hash: hash, salt: salt))
        case .raw: return SecretBytes(try self.nextRaw() ?? [])
        case .leaves: throw .clientLeft()
        }
    }

    func requestSASL(mechanisms: [String]) async throws(AuthFailure) -> (mechanism: String, data: [UInt8]?) {
        self.requests.append(.sasl(mechanisms))
        switch self.script {
        case .password(let password):
            return ("SCRAM-SHA-256", self.startSCRAM(password))
        case .hesitantPassword:
            return ("SCRAM-SHA-256", nil)
        case .raw(let mechanism, _):
            return (mechanism, try self.nextRaw())
        case .leaves:
            throw .clientLeft()
        }
    }

    func continueSASL(_ challenge: [UInt8]) async throws(AuthFailure) -> [UInt8] {
        self.requests.append(.challenge(challenge))
        switch self.script {
        case .hesitantPassword(let password) where self.scram == nil:
            return self.startSCRAM(password)
        case .password, .hesitantPassword:
            do {
                return try self.scram?.receiveFirst(challenge) ?? []
            } catch {
                throw .clientLeft(log: "client does not like the challenge: \(error)")
            }
        case .raw:
            return try self.nextRaw() ?? []
        case .leaves:
            throw .clientLeft()
        }
    }

    func finishSASL(_ data: [UInt8]) async throws(AuthFailure) {
        self.requests.append(.final(data))
        do {
            try self.scram?.receiveFinal(data)
        } catch {
            throw .clientLeft(log: "client does not believe the server: \(error)")
        }
    }

    private func startSCRAM(_ password: String) -> [UInt8] {
        var client = SCRAMClient(
            secret: .password(SecretBytes(password)),
            nonce: Array("0123456789abcdefghijklmn".utf8)
        )
        let first = client.start()
        self.scram = client
        return first
    }

    private func nextRaw() throws(AuthFailure) -> [UInt8]? {
        guard !self.rawAnswers.isEmpty else { throw .clientLeft() }
        return self.rawAnswers.removeFirst()
    }
}
