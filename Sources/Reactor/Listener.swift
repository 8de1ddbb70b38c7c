import CReactor
import Glibc

/// A listening socket as one worker sees it. Each worker has a listener of its own on a duplicate of the same
/// descriptor; the kernel wakes one of them per connection (EPOLLEXCLUSIVE). Belongs to its worker.
open class Listener: Endpoint, @unchecked Sendable {
    /// Connections taken per event: the rest stays in the backlog for other workers.
    private static let acceptsPerEvent = 8
    /// Connections that come closer together than this are taken several at a time. Otherwise looking for a second one
    /// would be a system call in vain; the event is level-triggered, so that nothing is missed.
    private static let burstInterval: MonotonicMicroseconds = 100
    private var lastAccept = MonotonicMicroseconds.min / 2
    /// How long accepting rests when the process has no descriptor left.
    package static let exhaustionPause: MonotonicMicroseconds = 100_000

    public override init(descriptor: Int32, worker: Worker) {
        super.init(descriptor: descriptor, worker: worker)
        self.channel.isListener = true
    }

    /// A connection came in: the callee owns the descriptor.
    open func accepted(descriptor: Int32, peer: SocketAddress) {}
    /// No descriptor or memory was left for a connection; accepting rests for `exhaustionPause`.
    open func exhausted(_ error: Int32) {}

    final override func acceptPending() {
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
            if self.isExhaustion(-descriptor) {
                // The connection stays in the backlog, so the level-triggered event would fire again at once:
                // stop listening for a moment instead of spinning.
                unsafe self.worker.suspend(self)
                self.rest(-descriptor)
            }
            return
        }
    }

    private func isExhaustion(_ error: Int32) -> Bool {
        switch error {
        case Errno.tooManyOpenFiles, Errno.tooManyOpenFilesInSystem, Errno.noBufferSpace, Errno.outOfMemory: true
        default: false
        }
    }

    private func rest(_ error: Int32) {
        self.setDeadline(unsafe self.worker.now + Self.exhaustionPause)
        self.exhausted(error)
    }

    open override func deadlinePassed() {
        unsafe self.worker.register(self, modify: false)
    }
}

extension Worker {
    func suspend(_ listener: Listener) {
        _ = cr_epoll_remove(self.epoll, listener.channel.descriptor)
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
        mode: Int32,
        bufferBytes: Int32
    ) throws(ReactorError) -> Int32 {
        let descriptor = try ReactorError.check(unsafe cr_listen_unix(path, backlog, mode), doing: "listen on \(path)")
        if bufferBytes > 0 { cr_set_buffer(descriptor, bufferBytes) }
        return descriptor
    }

    /// The port a TCP descriptor is bound to (useful after binding port 0).
    package static func port(of descriptor: Int32) -> UInt16 { cr_local_port(descriptor) }

    package static func close(_ descriptor: Int32) { _ = cr_close(descriptor) }

    /// Sets options that sockets accepted from now on inherit. Harmless on a unix socket.
    package static func apply(_ options: SocketOptions, to descriptor: Int32) {
        options.apply(to: descriptor, isTCP: true)
        cr_set_defer_accept(descriptor, options.deferAcceptSeconds)
    }

    /// Another descriptor for the same listening socket; nil when none is left.
    package static func duplicate(_ descriptor: Int32) -> Int32? {
        let duplicate = fcntl(descriptor, F_DUPFD_CLOEXEC, 0)
        return duplicate >= 0 ? duplicate : nil
    }

    package static func removeFile(_ path: String) { _ = unsafe unlink(path) }
}
