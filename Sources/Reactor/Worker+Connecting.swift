import CReactor

/// Outgoing connections.
extension Worker {
    /// A unix socket whose queue is full is asked again after this time.
    private static let pause: MonotonicMicroseconds = 20_000

    /// Starts an outgoing connection for an endpoint with descriptor -1. `connected` or `failed` follows, never from
    /// inside this call. Give it a deadline: a unix socket whose queue is full is asked until it has room.
    public func connect(_ endpoint: Endpoint, to address: SocketAddress, options: SocketOptions) {
        // It may have had another descriptor, whose troubles are over.
        endpoint.channel = Endpoint.Channel(descriptor: -1)
        endpoint.pendingError = 0
        endpoint.channel.isConnecting = true
        self.attach(endpoint)
        self.ask(endpoint, address, options)
    }

    /// - Parameter endpoint: attached, and without a descriptor.
    private func ask(_ endpoint: Endpoint, _ address: SocketAddress, _ options: SocketOptions) {
        var inProgress: Int32 = 0
        var raw = address.raw
        let descriptor = unsafe cr_connect(&raw, &inProgress)
        if descriptor >= 0 {
            options.apply(to: descriptor, isTCP: address.isTCP)
            endpoint.channel.descriptor = descriptor
            self.register(endpoint, modify: false)
            if inProgress == 0 { self.mailbox.push(.finishConnect(endpoint)) }
        } else if Int(descriptor) == -Errno.again, !address.isTCP {
            // Too many connect at once; the server is well. Unlike with TCP, the kernel does not wait for room.
            let slot = endpoint.channel.slot
            let place = Place(slot: slot, generation: self.slots[Int(slot)].generation)
            let retry = ConnectRetry(at: place, worker: self) { $0.ask(endpoint, address, options) }
            self.attach(retry)
            retry.setDeadline(self.now + Self.pause)
        } else {
            endpoint.pendingError = -descriptor
            self.mailbox.push(.finishConnect(endpoint))
        }
    }

    func finishConnect(_ endpoint: Endpoint) {
        guard endpoint.channel.isConnecting, endpoint.channel.slot >= 0 else { return }
        // It was closed after what this is about, and waits for another connection.
        guard endpoint.channel.descriptor >= 0 || endpoint.pendingError != 0 else { return }
        let found = endpoint.channel.descriptor >= 0 ? cr_socket_error(endpoint.channel.descriptor) : 0
        let error = endpoint.pendingError != 0 ? endpoint.pendingError : found
        endpoint.channel.isConnecting = false
        if error != 0 {
            endpoint.pendingError = 0
            endpoint.failed(error)
            return
        }
        self.register(endpoint, modify: true)
        endpoint.connected()
    }
}

/// A pause beside the endpoint that waits, whose own deadline goes on.
private final class ConnectRetry: Endpoint, @unchecked Sendable {
    private let place: Worker.Place
    private let ask: (Worker) -> Void

    init(at place: Worker.Place, worker: Worker, _ ask: @escaping (Worker) -> Void) {
        self.place = place
        self.ask = ask
        super.init(descriptor: -1, worker: worker)
    }

    override func deadlinePassed() {
        let worker = unsafe self.worker
        self.close()
        // The endpoint may have been closed, and its place be another's.
        if worker.owns(self.place) { self.ask(worker) }
    }
}
