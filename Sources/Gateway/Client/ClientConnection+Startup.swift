import AuthProviders
import Logging
import PGWire
import Reactor
import Sessions
import Settings
import Synchronization

/// Before login: encryption requests, cancel requests, the StartupMessage.
extension ClientConnection {
    func startupReceived(_ bytes: Span<UInt8>) -> Int {
        if let handshake = self.handshake {
            self.handshakeReceived(bytes, handshake)
            return bytes.count
        }
        if self.startup?.takesStartupMessage == true, let known = self.home.startups.recall(bytes) {
            self.startupUnderstood(known.login, known.parameters)
            return bytes.count
        }
        var offset = 0
        while self.phase == .startup, offset < bytes.count, self.isOpen {
            // In place: a copy would make the collected bytes be copied too.
            let isWhole = self.startup?.isBetweenPackets == true
            guard let (consumed, step) = self.startup?.receive(bytes.extracting(offset..<bytes.count)) else { break }
            let packet = isWhole ? offset..<(offset + consumed) : 0..<0
            offset += consumed
            switch step {
            case .wait: return offset
            case .reply(let answer): self.send(answer)
            case .startTLS: self.beginHandshake(isDirect: false)
            case .startDirectTLS:
                self.beginHandshake(isDirect: true)
                if let handshake = self.handshake { self.handshakeReceived(bytes, handshake) }
                return bytes.count
            case .cancel(let request): self.cancelRequested(request)
            case .refuse(let fields):
                self.refusedAtStartup(.startupInvalid, fields.message)
                self.leave(with: fields, logging: nil)
            case .hangUp(let error):
                self.refusedAtStartup(.startupInvalid, error.description)
                self.finish(.ended("startup: \(error.description)"))
            case .login(let login): self.startupUnderstood(login, bytes.extracting(packet))
            }
        }
        return offset
    }

    private func cancelRequested(_ request: CancelRequest) {
        self.gateway.statistics.cancelRequests.add(1, ordering: .relaxed)
        self.countPlain()
        self.phase = .closing
        // It may wait for another one that is on its way, or for what stands in front of the client's request.
        self.setDeadline(self.home.worker.now + 2 * self.home.snapshot.cancelWaitTimeout)
        // The protocol gives no answer, neither to a right key nor to a wrong one.
        self.gateway.cancelKeys.cancel(request, for: self)
    }

    /// - Parameter packet: the packet, if it came in one piece.
    private func startupUnderstood(_ login: ClientStartup.Login, _ packet: borrowing Span<UInt8>) {
        do throws(SessionParameters.Refusal) {
            let parameters = try SessionParameters.parse(login.message.parameters)
            if !packet.isEmpty { self.home.startups.remember(packet, login, parameters) }
            self.startupUnderstood(login, parameters)
        } catch {
            // As late as it would be found without memory: a gateway that takes nobody says so first.
            self.startupUnderstood(login, nil, refusal: error)
        }
    }

    private func startupUnderstood(
        _ login: ClientStartup.Login,
        _ parameters: SessionParameters?,
        refusal: SessionParameters.Refusal? = nil
    ) {
        self.startup = nil
        self.countPlain()
        self.user = login.user
        self.database = self.routed(login.database)
        if !login.negotiation.isEmpty { self.send(login.negotiation) }
        if let refusal = self.gateway.admit(self) {
            let isFull = refusal.sqlState == .tooManyConnections
            self.refusedAtStartup(isFull ? .tooManyClients : .shuttingDown, refusal.message)
            self.leave(with: refusal, logging: nil)
            return
        }
        if let fields = refusal?.fields {
            self.refusedAtStartup(.startupInvalid, fields.message)
            self.leave(with: fields, logging: nil)
            return
        }
        self.requested = parameters ?? .none
        self.parameters = self.requested
        self.beginLogin(version: login.version)
    }
}

extension ClientConnection {
    /// It has said what it wants. Those that came by TLS are counted at their handshakes.
    private func countPlain() {
        if self.tls == nil { self.gateway.statistics.plain.add(1, ordering: .relaxed) }
    }

    /// The pool that the host name of the handshake (SNI) leads to, in the place of the database asked for.
    private func routed(_ database: String) -> String {
        guard let serverName = self.tls?.serverName else { return database }
        return self.home.snapshot.settings.serverNames.pool(serverName: serverName, database: database) ?? database
    }
}

extension SessionParameters.Refusal {
    var fields: ServerMessageFields {
        switch self {
        case .unsupportedOptions(let word):
            return .fatal(
                .featureNotSupported,
                "unsupported startup option \"\(word)\": only -c name=value and --name=value can be honoured"
            )
        case .invalidName(let name):
            return .fatal(.undefinedObject, "invalid configuration parameter name \"\(name)\"")
        case .replicationUnsupported:
            return .fatal(.featureNotSupported, "replication connections are not supported by the gateway")
        }
    }
}
