import PGWire
import Reactor
import Sessions
import TLSEngine

/// An endpoint that speaks to a PostgreSQL server.
protocol TransportDelegate: Endpoint {
    var home: WorkerHome { get }
    /// The way is free: log in, in clear text or inside TLS.
    func transportReady()
    func transportFailed(_ failure: ServerLoginFailure)
}

/// What a connection to a server goes through between connect and login: it is asked for TLS, or begins with it, as the
/// settings of its pool say.
///
/// Belongs to the worker of its endpoint, and is done with when it has called `transportReady` or `transportFailed`.
final class OutgoingTransport: HandshakeQueue.Subject {
    private let tls: ServerTLS
    private let host: String
    private var machine: ServerTransport
    /// Nil when it is done with. Strong, and so a circle until then: an object that was ever referred to weakly keeps
    /// its reference count in a table of its own, which every transaction of its later life would pay for.
    private var endpoint: (any TransportDelegate)?
    private var session: TLSSession?
    private var input: [UInt8] = []
    private var isQueued = false
    private var began: MonotonicMicroseconds = 0
    /// Nil without TLS.
    private(set) var facts: TLSFacts?

    /// - Parameters:
    ///   - host: as in the settings: what the certificate is for, and what the server is asked for (SNI).
    ///   - isDemanded: TLS is a must, also where the mode only allows it.
    init(_ tls: ServerTLS, host: String, address: SocketAddress, isDemanded: Bool = false) {
        self.tls = tls
        self.host = host
        self.machine = ServerTransport(
            mode: isDemanded && !tls.mode.demandsTLS ? .require : tls.mode,
            negotiation: tls.negotiation,
            isUnixSocket: !address.isTCP
        )
    }

    private init(_ machine: ServerTransport, after first: OutgoingTransport) {
        self.tls = first.tls
        self.host = first.host
        self.machine = machine
    }

    /// Why the attempt before this one failed; nil in a first attempt.
    var firstFailure: ServerLoginFailure? { self.machine.firstFailure }

    /// What logins can be bound to.
    var endpointBinding: [UInt8]? { self.facts?.endpointBinding }

    var isEncrypted: Bool { self.facts != nil }

    /// A second attempt on a new socket, if one follows.
    func retry(after failure: ServerLoginFailure) -> OutgoingTransport? {
        self.machine.retry(after: failure).map { OutgoingTransport($0, after: self) }
    }

    /// The socket of `endpoint` is connected.
    func connected(_ endpoint: any TransportDelegate) {
        self.endpoint = endpoint
        self.follow(self.machine.start(), endpoint)
    }

    /// What came before the transport was ready.
    func received(_ bytes: borrowing Span<UInt8>) {
        guard let endpoint else { return }
        guard self.session != nil else {
            self.follow(self.machine.receive(bytes), endpoint)
            return
        }
        guard self.input.count + bytes.count <= TLSSession.handshakeInputMax else {
            self.fail(TLSFailure(reason: .protocolError, text: "the handshake is too long"), endpoint)
            return
        }
        unsafe bytes.withUnsafeBufferPointer { unsafe self.input.append(contentsOf: $0) }
        self.enqueue(endpoint)
    }

    /// Its connection is gone.
    ///
    /// - Returns: the failure of the handshake, if one was under way: another attempt may follow it.
    func interrupted(_ reason: String) -> ServerLoginFailure? {
        guard let endpoint, self.session != nil, self.facts == nil else { return nil }
        self.endpoint = nil
        endpoint.home.gateway.serverHandshakes.failed(.closed)
        return .handshakeFailed("\(reason) (\(TLSFailure.Reason.closed.rawValue))")
    }

    /// Its connection is given up.
    func abandon() {
        guard let endpoint else { return }
        self.endpoint = nil
        if self.session != nil, self.facts == nil { endpoint.home.gateway.serverHandshakes.failed(.closed) }
    }

    private func follow(_ step: ServerTransport.Step, _ endpoint: any TransportDelegate) {
        switch step {
        case .wait: return
        case .send(let bytes): endpoint.send(bytes)
        case .beginTLS: self.beginTLS(endpoint)
        case .beginLogin:
            self.endpoint = nil
            endpoint.transportReady()
        case .failed(let failure):
            self.endpoint = nil
            endpoint.transportFailed(failure)
        }
    }

    private func beginTLS(_ endpoint: any TransportDelegate) {
        guard let context = self.tls.context else {
            self.follow(.failed(.tlsUnavailable("TLS is disabled")), endpoint)
            return
        }
        self.began = endpoint.home.worker.now
        endpoint.home.gateway.serverHandshakes.begins()
        do throws(TLSFailure) {
            let isDirect = self.tls.negotiation == .direct
            self.session = try TLSSession(connectingWith: context, host: self.host, isDirect: isDirect)
            self.enqueue(endpoint)
        } catch {
            self.fail(error, endpoint)
        }
    }

    private func enqueue(_ endpoint: any TransportDelegate) {
        if self.isQueued { return }
        self.isQueued = true
        endpoint.home.handshakes.add(self, isOutgoing: true)
    }

    var isOver: Bool { self.endpoint == nil }

    func handshakeStep() {
        self.isQueued = false
        guard let endpoint, let session, endpoint.isOpen else { return }
        var output: [UInt8] = []
        let step = unsafe self.input.withUnsafeBytes { unsafe session.handshake($0, output: &output) }
        self.input.removeAll(keepingCapacity: true)
        endpoint.send(output)
        switch step {
        case .needsInput: return
        case .failed(let failure): self.fail(failure, endpoint)
        case .done: self.done(session, endpoint)
        }
    }

    private func done(_ session: TLSSession, _ endpoint: any TransportDelegate) {
        let isDirect = self.tls.negotiation == .direct
        guard !isDirect || session.alpn == "postgresql" else {
            let text = "the server took direct TLS without the protocol postgresql (ALPN)"
            self.fail(TLSFailure(reason: .noApplicationProtocol, text: text), endpoint)
            return
        }
        let duration = MonotonicClock.now() - self.began
        endpoint.home.gateway.serverHandshakes.ended(session, isDirect: isDirect, after: duration)
        self.facts = TLSFacts(session)
        endpoint.secure(by: TLSCodec(session))
        self.follow(self.machine.tlsStarted(), endpoint)
    }

    private func fail(_ failure: TLSFailure, _ endpoint: any TransportDelegate) {
        endpoint.home.gateway.serverHandshakes.failed(failure.reason)
        self.endpoint = nil
        endpoint.transportFailed(.handshakeFailed("\(failure.text) (\(failure.reason.rawValue))"))
    }
}
