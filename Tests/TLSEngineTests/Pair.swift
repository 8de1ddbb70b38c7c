@testable import TLSEngine

/// Two sessions joined by buffers.
struct Pair {
    let server: TLSSession
    let client: TLSSession
    /// Bytes on their way to each side.
    var toServer: [UInt8] = []
    var toClient: [UInt8] = []
    /// How many bytes a side is given at once.
    var step = Int.max

    struct Unconnected: Error {}

    /// A pair behind its handshake.
    static func connected(_ version: TLSVersion = .tls13, ciphers: String? = nil) throws -> Self {
        let client = try Contexts.client {
            $0.maximumVersion = version
            $0.cipherList = ciphers
        }
        var pair = try Self(server: Contexts.server(), client: client)
        guard pair.handshake().isDone, pair.server.open(pair.toServer).state == .goesOn,
            pair.client.open(pair.toClient).state == .goesOn
        else { throw Unconnected() }
        return pair
    }

    init(
        server: TLSContext, client: TLSContext, host: String? = "db.example.com", isDirect: Bool = false,
        resuming: TLSSession? = nil
    ) throws {
        self.server = try TLSSession(accepting: server)
        self.client = try TLSSession(
            connectingWith: client, host: host, isDirect: isDirect, resuming: resuming)
    }

    /// Both sides' last words.
    struct Outcome {
        var server: TLSHandshake
        var client: TLSHandshake

        var serverFailure: TLSFailure? { if case .failed(let failure) = self.server { failure } else { nil } }
        var clientFailure: TLSFailure? { if case .failed(let failure) = self.client { failure } else { nil } }
        var isDone: Bool { self.server == .done && self.client == .done }
    }

    /// Both sides speak until nobody has more to say.
    mutating func handshake() -> Outcome {
        var outcome = Outcome(server: .needsInput, client: self.client.step([], &self.toServer))
        while !self.toServer.isEmpty || !self.toClient.isEmpty {
            let forServer = Self.take(&self.toServer, self.step)
            if !forServer.isEmpty { outcome.server = self.server.step(forServer, &self.toClient) }
            let forClient = Self.take(&self.toClient, self.step)
            if !forClient.isEmpty { outcome.client = self.client.step(forClient, &self.toServer) }
            if outcome.server != .needsInput, outcome.client != .needsInput { break }
        }
        return outcome
    }

    static func take(_ bytes: inout [UInt8], _ count: Int) -> [UInt8] {
        let taken = Array(bytes.prefix(count))
        bytes.removeFirst(taken.count)
        return taken
    }
}

extension TLSSession {
    func step(_ sealed: [UInt8], _ output: inout [UInt8]) -> TLSHandshake {
        unsafe sealed.withUnsafeBytes { unsafe self.handshake($0, output: &output) }
    }

    struct Opened: Equatable {
        var plain: [UInt8]
        var replies: [UInt8]
        var state: TLSOpened.State
    }

    func open(_ sealed: [UInt8], room: Int = 65536, replyRoom: Int = 512) -> Opened {
        var plain = [UInt8](repeating: 0, count: sealed.count + room)
        var replies = [UInt8](repeating: 0, count: replyRoom)
        let opened = unsafe sealed.withUnsafeBytes { sealed in
            unsafe plain.withUnsafeMutableBytes { plain in
                unsafe replies.withUnsafeMutableBytes { unsafe self.open(sealed, into: plain, replies: $0) }
            }
        }
        return Opened(
            plain: Array(plain.prefix(opened.count)), replies: Array(replies.prefix(opened.replyCount)),
            state: opened.state)
    }

    struct Sealed: Equatable {
        var taken: Int
        var bytes: [UInt8]
    }

    func seal(_ plain: [UInt8], room: Int? = nil) -> Sealed {
        var sealed = [UInt8](repeating: 0, count: room ?? TLSSession.sealedBound(plain.count))
        let result = unsafe plain.withUnsafeBytes { plain in
            unsafe sealed.withUnsafeMutableBytes { unsafe self.seal(plain, into: $0) }
        }
        return Sealed(taken: result.taken, bytes: Array(sealed.prefix(result.written)))
    }

    /// New keys, without data behind them.
    func newKeys() -> [UInt8] {
        var sealed = [UInt8](repeating: 0, count: 64)
        let count = unsafe sealed.withUnsafeMutableBytes { unsafe self.sealKeys(asksPeer: false, into: $0) }
        return Array(sealed.prefix(count))
    }

    func close() -> [UInt8] {
        var sealed = [UInt8](repeating: 0, count: 64)
        let count = unsafe sealed.withUnsafeMutableBytes { unsafe self.closing(into: $0) }
        return Array(sealed.prefix(count))
    }
}

/// Contexts that many tests need.
enum Contexts {
    static func server(
        _ identity: CertificateWorkshop.Identity? = nil, _ change: (inout TLSServerOptions) -> Void = { _ in }
    ) throws -> TLSContext {
        let identity = try identity ?? Certificates.server.get()
        var options = TLSServerOptions(certificateChain: identity.certificate, privateKey: identity.key)
        change(&options)
        return try TLSContext(server: options)
    }

    static func client(_ change: (inout TLSClientOptions) -> Void = { _ in }) throws -> TLSContext {
        var options = TLSClientOptions()
        change(&options)
        return try TLSContext(client: options)
    }

    /// Trusts the authority of `Certificates`.
    static func trustingClient(_ change: (inout TLSClientOptions) -> Void = { _ in }) throws -> TLSContext {
        let authority = try Certificates.authority.get()
        return try Self.client { options in
            options.authorities = authority.certificate
            options.verification = .chainAndHost
            change(&options)
        }
    }
}
