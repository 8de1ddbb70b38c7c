import Logging
import PGWire
import Reactor
import Sessions
import Synchronization

/// The cancel keys given to clients, and the way from a key to its client. Any worker.
///
/// A key means the client, not a server: a request reaches whatever server the client holds at that moment, and
/// nobody when it holds none. So a late, repeated or invented key harms nobody.
final class CancelKeys: Sendable {
    private struct Entry {
        let secret: [UInt8]
        let client: ClientConnection
    }

    private let entries = Mutex<[Int32: Entry]>([:])

    /// A new secret for `client`: 4 bytes in protocol 3.0, 32 from 3.2 on. The process ID is the client's number.
    func makeKey(for client: ClientConnection, version: ProtocolVersion) -> [UInt8] {
        let secret = RandomPool.shared.take(version >= .v3_2 ? 32 : 4)
        self.entries.withLock { $0[client.number] = Entry(secret: secret, client: client) }
        return secret
    }

    func remove(_ client: ClientConnection) {
        self.entries.withLock { entries in
            guard let place = entries.index(forKey: client.number), entries.values[place].client === client
            else { return }
            entries.remove(at: place)
        }
    }

    /// Passes a request on if its key is right. The comparison takes the same time wherever keys differ.
    /// `canceller` is told when the request can have no effect any more that it has not had.
    func cancel(_ request: CancelRequest, for canceller: ClientConnection) {
        let client = self.entries.withLock { entries -> ClientConnection? in
            guard let entry = entries[request.processID] else { return nil }
            return ConstantTime.areEqual(entry.secret, request.secret) ? entry.client : nil
        }
        guard let client else {
            canceller.cancelIsThrough()
            return
        }
        client.home.worker.execute { client.cancelRequested(by: canceller) }
    }
}

extension ClientConnection {
    /// A cancel request with this client's key came in.
    func cancelRequested(by canceller: ClientConnection) {
        if self.isPreparing, self.phase == .waiting || self.phase == .active {
            return self.cancellersAhead.append(canceller)
        }
        guard let server = self.server else { return canceller.cancelIsThrough() }
        server.cancel(for: canceller)
    }

    /// The request that cancel requests are waiting for may have gone out.
    func passCancellersOn() {
        if self.server?.isRestoring == true { return }
        self.isPreparing = false
        guard let server = self.server, server.client === self, !server.ledger.isSettled else { return }
        let waiting = self.cancellersAhead
        self.cancellersAhead = []
        for canceller in waiting { server.cancel(for: canceller) }
    }
}

extension ServerConnection {
    /// Cancels what runs for the present client, if anything does.
    func cancel(for canceller: ClientConnection) {
        guard !self.ledger.isSettled, let address = self.address, !self.secret.isEmpty else {
            canceller.cancelIsThrough()
            return
        }
        let answers = self.answersOfTurn
        defer { self.answersBeforeCancel = answers }
        if self.preludeOwed > 0, !self.isAnsweringReplay {
            // It is meant for the client's request, not for what the gateway has put in front of that: see
            // `sendLaterCancels`. Parameters and BEGIN wait for nothing; statements that follow a client may wait for
            // locks, and may be cancelled.
            self.laterCancellers.append(canceller)
            return
        }
        guard self.cancelsInFlight > 0 else {
            self.cancellers.append(canceller)
            CancelConnection.start(for: self, address: address)
            return
        }
        // One is enough: a second signal to a backend that has not answered the first changes nothing. Where it has
        // answered, the first is spent although PostgreSQL has not closed its connection yet, and what runs now needs
        // one of its own. Not before that end: the two could overtake each other.
        if self.laterCancellers.isEmpty, self.answersBeforeCancel == answers {
            self.cancellers.append(canceller)
        } else {
            self.laterCancellers.append(canceller)
        }
    }

    /// What stood in front of the client's request has been answered: cancel requests that came meanwhile go out.
    func sendLaterCancels() {
        // The end of one that is in flight brings the next.
        guard self.cancelsInFlight == 0 else { return }
        let wanted = self.takeLaterCancellers()
        self.letCancellersGo()
        for canceller in wanted { self.cancel(for: canceller) }
    }

    /// Those for whom another cancel request has to go out. None when what they meant has been answered meanwhile:
    /// the next request of the client must not be hit by it.
    func takeLaterCancellers() -> [ClientConnection] {
        guard self.phase == .active || self.phase == .finishing, self.answersBeforeCancel == self.answersOfTurn
        else { return [] }
        let wanted = self.laterCancellers
        self.laterCancellers = []
        return wanted
    }
}

/// One CancelRequest on its way to PostgreSQL. The server it is meant for is not handed to anybody else until
/// PostgreSQL has closed this connection, which it does after it has signalled the backend (protocol chapter,
/// "Canceling Requests in Progress"). Belongs to the server's worker.
final class CancelConnection: Endpoint, TransportUser, @unchecked Sendable {
    let home: WorkerHome
    private var server: ServerConnection?
    /// Nil where the server's own connection is in clear text.
    private let transport: OutgoingTransport?
    private let request: [UInt8]

    private init(server: ServerConnection, request: [UInt8], address: SocketAddress) {
        let plan = server.pool.plan
        self.home = server.home
        self.server = server
        self.request = request
        self.transport = server.tls.flatMap { _ in
            plan.tls.map { OutgoingTransport($0, host: plan.serverHost, address: address, isDemanded: true) }
        }
        super.init(descriptor: -1, worker: server.home.worker)
    }

    /// One at a time: `server` has none in flight.
    static func start(for server: ServerConnection, address: SocketAddress) {
        server.cancelsInFlight += 1
        var writer = MessageWriter()
        writer.cancelRequest(processID: server.processID, secret: server.secret)
        let connection = CancelConnection(server: server, request: writer.bytes, address: address)
        let worker = server.home.worker
        worker.connect(connection, to: address, options: server.home.gateway.snapshot.socketOptions)
        connection.setDeadline(worker.now + server.home.gateway.snapshot.cancelWaitTimeout)
    }

    override func connected() {
        if let transport { transport.connected(self) } else { self.send(self.request) }
    }

    override func received(_ bytes: Span<UInt8>) -> Int {
        self.transport?.received(bytes)
        return bytes.count
    }

    func transportReady() { self.send(self.request) }
    /// Nothing was asked of the server.
    func transportFailed(_ failure: ServerLoginFailure) {
        self.home.gateway.log.warning(
            "cancel request cannot be sent",
            metadata: [
                "reason": .string(failure.logText), "server_pid": .stringConvertible(self.server?.processID ?? 0),
            ]
        )
        self.finish(isCertain: true)
    }

    override func ended() { self.finish(isCertain: true) }
    override func failed(_ error: Int32) {
        // PostgreSQL may close with a reset; refused connections carry no request at all.
        self.finish(isCertain: true)
    }
    override func deadlinePassed() { self.finish(isCertain: false) }

    private func finish(isCertain: Bool) {
        self.transport?.abandon()
        self.close()
        let server = self.server
        self.server = nil
        server?.cancelEnded(isCertain: isCertain)
    }
}
