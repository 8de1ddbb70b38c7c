import AuthProviders
import Logging
import PGWire
import Reactor
import Sessions
import TLSEngine

/// The handshake of one client. Belongs to its worker; gone when the handshake is done.
final class ClientHandshake: HandshakeQueue.Subject {
    private let client: ClientConnection
    let session: TLSSession
    /// Without SSLRequest; ALPN must have named the protocol then.
    let isDirect: Bool
    let began: MonotonicMicroseconds
    var input: [UInt8] = []
    private var isQueued = false
    private var isAdmitted = false

    init(_ client: ClientConnection, _ session: TLSSession, isDirect: Bool) {
        self.client = client
        self.session = session
        self.isDirect = isDirect
        self.began = client.home.worker.now
    }

    /// Bytes have come: they are worked on when it is this handshake's turn.
    func enqueue(_ home: WorkerHome) {
        if self.isQueued { return }
        self.isQueued = true
        if self.isAdmitted {
            home.handshakes.add(self)
        } else {
            self.isAdmitted = true
            home.handshakes.admit(self)
        }
    }

    var isOver: Bool { self.client.handshake !== self }

    func handshakeStep() {
        self.isQueued = false
        self.client.handshakeStep(self)
    }
}

/// TLS with clients: after SSLRequest, or from the first byte on.
extension ClientConnection {
    /// What this client can have; decided when it connects.
    var tlsOffer: ClientStartup.TLSOffer {
        guard self.peer.isTCP, let tls = self.home.snapshot.clientTLS else { return .none }
        return tls.isRequired ? .required : .offered
    }

    func beginHandshake(isDirect: Bool) {
        // A reload may have taken TLS away meanwhile.
        guard let tls = self.home.snapshot.clientTLS else {
            let text = "TLS is not offered any more"
            self.refusedAtStartup(.startupInvalid, text)
            self.finish(.ended("startup: \(text)"))
            return
        }
        do throws(TLSFailure) {
            let session = try TLSSession(accepting: tls.context)
            self.gateway.clientHandshakes.begins()
            self.handshake = ClientHandshake(self, session, isDirect: isDirect)
        } catch {
            self.refusedAtStartup(.startupInvalid, error.text)
            self.finish(.ended("startup: \(error.text)"))
            return
        }
        if !isDirect { self.send([UInt8(ascii: "S")]) }
    }

    func handshakeReceived(_ bytes: borrowing Span<UInt8>, _ handshake: ClientHandshake) {
        guard handshake.input.count + bytes.count <= TLSSession.handshakeInputMax else {
            self.handshakeFailed(TLSFailure(reason: .protocolError, text: "the handshake is too long"))
            return
        }
        unsafe bytes.withUnsafeBufferPointer { unsafe handshake.input.append(contentsOf: $0) }
        handshake.enqueue(self.home)
    }

    func handshakeStep(_ handshake: ClientHandshake) {
        guard self.handshake === handshake, self.isOpen, self.phase == .startup else { return }
        var output: [UInt8] = []
        let step = unsafe handshake.input.withUnsafeBytes { input in
            unsafe handshake.session.handshake(input, output: &output)
        }
        handshake.input.removeAll(keepingCapacity: true)
        self.send(output)
        switch step {
        case .needsInput: return
        case .failed(let failure): self.handshakeFailed(failure)
        case .done: self.handshakeDone(handshake)
        }
    }

    private func handshakeDone(_ handshake: ClientHandshake) {
        let session = handshake.session
        guard !handshake.isDirect || session.alpn == "postgresql" else {
            let text = "direct TLS without the protocol postgresql (ALPN)"
            self.handshakeFailed(TLSFailure(reason: .noApplicationProtocol, text: text))
            return
        }
        let duration = MonotonicClock.now() - handshake.began
        self.gateway.clientHandshakes.ended(session, isDirect: handshake.isDirect, after: duration)
        self.handshake = nil
        self.tls = TLSFacts(session)
        self.startup?.tlsStarted()
        self.secure(by: TLSCodec(session))
    }

    private func handshakeFailed(_ failure: TLSFailure) {
        self.endHandshake(failure.reason)
        self.log.notice(
            "TLS handshake failed",
            metadata: self.logMetadata(["reason": .string(failure.text), "code": .string(failure.reason.rawValue)])
        )
        self.noteRefusedAtStartup(.tlsHandshakeFailed, failure.text)
        // The alert says why. A client that believes the handshake done sends on: were the connection closed by then, a
        // reset would answer, and could overtake the alert. What it sends is dropped as it is.
        self.sayGoodbye(lingering: true)
    }

    func handshakeAbandoned() { self.endHandshake(.closed) }

    func handshakeTimedOut() { self.endHandshake(.deadlinePassed) }

    /// A handshake that will not go on.
    private func endHandshake(_ reason: TLSFailure.Reason) {
        guard let handshake = self.handshake else { return }
        handshake.input = []
        self.handshake = nil
        self.home.handshakes.noteDeparture()
        self.gateway.clientHandshakes.failed(reason)
    }
}
