import Logging
import PGWire
import Reactor
import Sessions

/// One CancelRequest on its way to PostgreSQL. The server it is meant for is not handed to anybody else until
/// PostgreSQL has closed this connection, which it does after it has signalled the backend (protocol chapter,
/// "Canceling Requests in Progress"). Belongs to the server's worker.
final class CancelConnection: Endpoint, TransportDelegate, @unchecked Sendable {
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
        server.isCancelInFlight = true
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
