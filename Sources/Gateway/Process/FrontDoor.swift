import AuthProviders
import Logging
import Reactor
import Settings
import Synchronization

/// The listening sockets. Opened before any worker runs, so that a bad address stops the start.
final class FrontDoor: Sendable {
    /// The one that listens on TCP first; empty once it is closed.
    private let descriptors: Mutex<[Int32]>
    private let socketFile: SocketFile?
    let description: String
    let gateway: Gateway
    private let duty = AcceptDuty()

    /// - Parameter address: of the TCP socket.
    init(_ general: GeneralSettings, at address: SocketAddress, gateway: Gateway) throws(ReactorError) {
        self.gateway = gateway
        let backlog = Int32(clamping: general.backlog)
        var descriptors = [try ListeningSocket.tcp(address, backlog: backlog, options: gateway.snapshot.socketOptions)]
        var text = address.description
        if let folder = general.unixSocketDir {
            let path = "\(folder)/.s.PGSQL.\(general.port)"
            descriptors.append(
                try ListeningSocket.unix(path: path, backlog: backlog, mode: Int32(clamping: general.unixSocketMode))
            )
            self.socketFile = SocketFile(path: path)
            text += ", \(path)"
        } else {
            self.socketFile = nil
        }
        self.descriptors = Mutex(descriptors)
        self.description = text
    }

    /// Where to listen. Blocks while a name is looked up: on the main thread, at the start.
    static func address(host: String, port: UInt16) throws(GatewayStartError) -> SocketAddress {
        if let numeric = SocketAddress(numericHost: host, port: port) { return numeric }
        var reason = "it has no address"
        switch SocketAddress.resolve(host: host, port: port) {
        case .found(let addresses):
            if let first = addresses.first { return first }
        case .failed(let text), .unavailable(let text): reason = text
        }
        throw GatewayStartError(description: "cannot listen: general.host \"\(host)\" cannot be resolved: \(reason)")
    }

    /// Makes one worker listen. On that worker's thread.
    func open(on home: WorkerHome) {
        for descriptor in self.descriptors.withLock({ $0 }) {
            guard let duplicate = ListeningSocket.duplicate(descriptor) else {
                self.gateway.log.error("no descriptor left for a listener")
                continue
            }
            let listener = ClientListener(descriptor: duplicate, home: home, duty: self.duty)
            home.listeners.append(listener)
            home.worker.attach(listener)
        }
    }

    /// New socket options after a reload: TCP connections accepted from now on inherit them. Those over the unix socket
    /// get theirs one by one.
    func apply(_ options: SocketOptions) {
        self.descriptors.withLock { descriptors in
            if let listening = descriptors.first { ListeningSocket.apply(options, to: listening) }
        }
    }

    /// The worker that takes the next connection, and how another comes to do so. Any thread.
    var workerOnDuty: Int { self.duty.worker }
    func handDuty(to home: WorkerHome) { self.duty.hand(to: home.worker.index) }

    /// Once the workers' listeners are closed, too, whoever comes is refused at once by the system: it does not wait
    /// in a queue that nobody serves.
    func close() {
        // While the socket is open, no other file can have the number of its own.
        self.socketFile?.remove()
        self.descriptors.withLock { descriptors in
            for descriptor in descriptors { ListeningSocket.close(descriptor) }
            descriptors = []
        }
    }
}

/// Takes connections on one worker and gives each to the worker that has the fewest clients.
final class ClientListener: Listener, @unchecked Sendable {
    let home: WorkerHome
    private var lastComplaint = MonotonicMicroseconds.min
    /// Connections turned away since the last line about them, and when that was.
    private var turnedAway = (count: 0, told: MonotonicMicroseconds.min)
    private static let complaintInterval: MonotonicMicroseconds = 5_000_000
    /// Connections beyond `max_connections` that may stand in the door: to be told so, or to cancel.
    static let standingRoom = 256

    init(descriptor: Int32, home: WorkerHome, duty: AcceptDuty) {
        self.home = home
        super.init(descriptor: descriptor, worker: home.worker, duty: duty)
    }

    override func accepted(descriptor: Int32, peer: SocketAddress) {
        let gateway = self.home.gateway
        gateway.statistics.accepted.add(1, ordering: .relaxed)
        guard gateway.clientCount < self.home.snapshot.maxConnections + Self.standingRoom else {
            gateway.statistics.loginFailures.add(1, ordering: .relaxed)
            gateway.auditTurnedAway(peer)
            self.turnedAway.count += 1
            self.tellTurnedAway()
            ListeningSocket.close(descriptor)
            return
        }
        if self.turnedAway.count > 0 { self.tellTurnedAway() }
        if !peer.isTCP { ListeningSocket.apply(self.home.snapshot.socketOptions, toAcceptedUnixSocket: descriptor) }
        let target = gateway.leastLoaded(from: self.home)
        // Before it gets there: the next one must not be sent the same way for that.
        target.worker.clientCount.add(1, ordering: .relaxed)
        let number = gateway.makeClientNumber()
        if target === self.home {
            Self.welcome(descriptor, peer, number, target)
        } else {
            target.worker.execute { Self.welcome(descriptor, peer, number, target) }
        }
    }

    /// One line for all that came since the last one: they come in floods. The last ones of a flood are told when the
    /// next connection comes.
    private func tellTurnedAway() {
        let now = self.home.worker.now
        guard now - Self.complaintInterval >= self.turnedAway.told else { return }
        self.home.gateway.log.warning(
            "login failed",
            metadata: [
                "reason": .string(Gateway.turnedAwayText),
                "code": .string(AuthFailure.Reason.tooManyClients.rawValue),
                "connections": .stringConvertible(self.turnedAway.count),
            ]
        )
        self.turnedAway = (0, now)
    }

    private static func welcome(_ descriptor: Int32, _ peer: SocketAddress, _ number: Int32, _ home: WorkerHome) {
        home.briefVisits.noteArrival()
        let client = ClientConnection(descriptor: descriptor, peer: peer, number: number, home: home)
        home.worker.attach(client)
        // The kernel has kept a connection over TCP until its client spoke (`tcp_defer_accept`): no need to be told.
        // First of all: who is sent away at once is read to its end if anything has come.
        if peer.isTCP || home.gateway.stopping.load(ordering: .relaxed) { home.worker.look(client) }
        client.attached()
    }

    override func acceptedAll() { self.home.gateway.passDuty(from: self.home) }

    override func acceptingFailed(_ error: Int32) {
        self.home.gateway.statistics.acceptFailures.add(1, ordering: .relaxed)
        let now = self.home.worker.now
        guard now - Self.complaintInterval >= self.lastComplaint else { return }
        self.lastComplaint = now
        self.home.gateway.log.error(
            "Failed to accept new connection",
            metadata: ["reason": .string(SystemErrorText.of(error))]
        )
    }
}
