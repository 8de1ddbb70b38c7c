import CReactor
import Glibc

/// A listening socket as one worker sees it. Each worker has a listener of its own on a duplicate of the same
/// descriptor; those that share an `AcceptDuty` are told of connections while their worker is on duty. Belongs to its
/// worker.
open class Listener: Endpoint, @unchecked Sendable {
    /// Connections taken per event: the rest stays in the backlog for other workers.
    private static let acceptsPerEvent = 8
    /// Connections that come closer together than this are taken several at a time. Otherwise looking for a second one
    /// would be a system call in vain; the event is level-triggered, so that nothing is missed.
    private static let burstInterval: MonotonicMicroseconds = 100
    private var lastAccept = MonotonicMicroseconds.min / 2
    /// How long accepting rests when the process has no descriptor left, or may not accept.
    package static let failurePause: MonotonicMicroseconds = 100_000
    package let duty: AcceptDuty
    /// Where the kernel's events lead. Set before the duty knows this listener, and left alone as long as it does.
    private var place = Worker.Place(slot: -1, generation: 0)
    /// Under the lock of the duty.
    private var isWatched = false

    /// - Parameter duty: shared by the listeners of several workers; one of its own listens all the time.
    package init(descriptor: Int32, worker: Worker, duty: AcceptDuty = AcceptDuty()) {
        self.duty = duty
        super.init(descriptor: descriptor, worker: worker)
        self.channel.isListener = true
    }

    /// A constant: a listener stays on its worker. Any thread.
    final var workerIndex: Int { unsafe self.worker.index }

    /// A connection came in: the callee owns the descriptor.
    open func accepted(descriptor: Int32, peer: SocketAddress) {}
    /// What came with one event has been passed to `accepted`.
    open func acceptedAll() {}
    /// No descriptor or memory was left for a connection, or the system lets nothing be accepted; accepting rests for
    /// `failurePause`.
    open func acceptingFailed(_ error: Int32) {}

    final override func acceptPending() {
        self.acceptBurst()
        if self.isOpen { self.acceptedAll() }
    }

    private func acceptBurst() {
        let now = unsafe self.worker.now
        let accepts = now - self.lastAccept < Self.burstInterval ? Self.acceptsPerEvent : 1
        self.lastAccept = now
        for _ in 0..<accepts {
            var peer = cr_address()
            let descriptor = unsafe cr_accept(self.channel.descriptor, &peer)
            if descriptor >= 0 {
                self.accepted(descriptor: descriptor, peer: SocketAddress(peer))
                if !self.isOpen { return }
                continue
            }
            if !Self.isPassing(-descriptor) {
                // What failed is still there, so the level-triggered event would fire again at once: stop listening
                // for a moment instead of spinning.
                self.duty.suspend(self)
                self.rest(-descriptor)
            }
            return
        }
    }

    /// Nothing waits any more, or the error is that of one connection, which is gone with it: accept(2) passes on what
    /// the network has told of it. All others (no descriptor or memory, a security module that forbids it) come again.
    private static func isPassing(_ error: Int32) -> Bool {
        switch error {
        case EAGAIN, ECONNABORTED, EPROTO, ENOPROTOOPT, EOPNOTSUPP, ENONET, ENETDOWN, ENETUNREACH, EHOSTDOWN,
            EHOSTUNREACH:
            true
        default: false
        }
    }

    private func rest(_ error: Int32) {
        self.setDeadline(unsafe self.worker.now + Self.failurePause)
        self.acceptingFailed(error)
    }

    open override func deadlinePassed() {
        let result = self.duty.resume(self)
        // The kernel may have no memory for that either.
        if result < 0 { self.rest(-result) }
    }

    // MARK: Registration

    final override func listen(at place: Worker.Place) {
        self.place = place
        self.noteRegistration(self.duty.join(self))
    }

    final override func stopListening() { self.duty.leave(self) }

    private func noteRegistration(_ result: Int32) {
        if result < 0 { unsafe self.worker.noteBroken(self, error: -result) }
    }

    /// Under the lock of the duty, on any thread. 0 or a negative errno.
    final func watch() -> Int32 {
        if self.isWatched { return 0 }
        let result = unsafe cr_epoll_add(
            self.worker.epoll,
            self.channel.descriptor,
            EventFlags.readable,
            UInt32(bitPattern: self.place.slot),
            self.place.generation
        )
        self.isWatched = result >= 0
        return result
    }

    /// Under the lock of the duty, on any thread.
    final func unwatch() {
        guard self.isWatched else { return }
        self.isWatched = false
        _ = unsafe cr_epoll_remove(self.worker.epoll, self.channel.descriptor)
    }
}

/// Opens listening sockets; the descriptors are handed to `Listener`s.
package enum ListeningSocket {
    /// - Returns: a descriptor listening on `address`, with `options` set so that accepted sockets inherit them.
    package static func tcp(
        _ address: SocketAddress,
        backlog: Int32,
        options: SocketOptions
    ) throws(ReactorError) -> Int32 {
        var raw = address.raw
        let descriptor = try ReactorError.check(unsafe cr_listen_tcp(&raw, backlog), doing: "listen on \(address)")
        Self.apply(options, to: descriptor)
        return descriptor
    }

    /// Creates the socket file `path` with the permission bits `mode`. A dead file is replaced, a live one is an error.
    package static func unix(
        path: String,
        backlog: Int32,
        mode: Int32
    ) throws(ReactorError) -> Int32 {
        try ReactorError.check(unsafe cr_listen_unix(path, backlog, mode), doing: "listen on \(path)")
    }

    /// The port a TCP descriptor is bound to (useful after binding port 0).
    package static func port(of descriptor: Int32) -> UInt16 { cr_local_port(descriptor) }

    package static func close(_ descriptor: Int32) { _ = cr_close(descriptor) }

    /// Sets options of a listening TCP socket that those accepted from now on inherit.
    package static func apply(_ options: SocketOptions, to descriptor: Int32) {
        options.apply(to: descriptor, isTCP: true)
        cr_set_defer_accept(descriptor, options.deferAcceptSeconds)
    }

    /// Sets options of a unix socket that has just been accepted: it inherits none.
    package static func apply(_ options: SocketOptions, toAcceptedUnixSocket descriptor: Int32) {
        options.applyToUnixSocket(descriptor)
    }

    /// Another descriptor for the same listening socket; nil when none is left.
    package static func duplicate(_ descriptor: Int32) -> Int32? {
        let duplicate = fcntl(descriptor, F_DUPFD_CLOEXEC, 0)
        return duplicate >= 0 ? duplicate : nil
    }
}
