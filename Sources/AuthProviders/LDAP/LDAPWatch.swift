import CLDAP
import Dispatch
import Glibc
import Synchronization

/// Ends what libldap does not end by itself: it waits without a bound for the rest of an answer that has begun, and for
/// TLS to be agreed on, where it moreover keeps a core busy all the time as long as it has a timeout of its own.
///
/// Knows the sockets of one handle. One that is still needed by the same call when its time is over is shut down, which
/// libldap takes for the end of the connection. The sockets are guarded by a lock; `callbacks` is written once.
@safe
final class LDAPWatch: @unchecked Sendable {
    /// Longer than libldap's own timeout for an answer, which has the better text for the log.
    static let timeout = Duration.seconds(15)

    private struct Sockets {
        /// What an open one is watched as; 0 while nobody waits for it.
        var watches: [Int32: Int] = [:]
        private var last = 0

        mutating func watch(_ socket: Int32) -> Int {
            self.last += 1
            self.watches[socket] = self.last
            return self.last
        }
    }

    private let timeout: Duration
    private let sockets = Mutex(Sockets())
    /// libldap keeps the address, and the watch's in it, for the life of the handle.
    private let callbacks: UnsafeMutablePointer<ldap_conncb>

    init(timeout: Duration = LDAPWatch.timeout) {
        self.timeout = timeout
        unsafe self.callbacks = UnsafeMutablePointer<ldap_conncb>.allocate(capacity: 1)
        unsafe self.callbacks.initialize(to: unsafe ldap_conncb())
        unsafe self.callbacks.pointee.lc_arg = Unmanaged.passUnretained(self).toOpaque()
        unsafe self.callbacks.pointee.lc_add = { handle, socket, _, _, callbacks in
            guard let watch = unsafe LDAPWatch.of(callbacks), let socket = unsafe LDAPWatch.descriptor(of: socket)
            else { return 0 }
            // With a timeout for the network libldap would now ask for the server's part of the handshake again and
            // again without a pause.
            var none = timeval(tv_sec: -1, tv_usec: 0)
            _ = unsafe ldap_set_option(handle, LDAP_OPT_NETWORK_TIMEOUT, &none)
            watch.opened(socket)
            return 0
        }
        unsafe self.callbacks.pointee.lc_del = { _, socket, callbacks in
            guard let watch = unsafe LDAPWatch.of(callbacks), let socket = unsafe LDAPWatch.descriptor(of: socket)
            else { return }
            watch.closed(socket)
        }
    }

    deinit { unsafe self.callbacks.deallocate() }

    /// Has to outlive the handle. Returns libldap's code.
    func attach(to handle: OpaquePointer) -> Int32 {
        unsafe ldap_set_option(handle, LDAP_OPT_CONNECT_CB, self.callbacks)
    }

    /// One call of libldap.
    func during(_ call: () -> Int32) -> Int32 {
        for socket in self.sockets.withLock({ Array($0.watches.keys) }) { self.opened(socket) }
        defer {
            self.sockets.withLock { sockets in
                for socket in sockets.watches.keys { sockets.watches[socket] = 0 }
            }
        }
        return call()
    }

    /// Its time begins now.
    func opened(_ socket: Int32) {
        let watch = self.sockets.withLock { $0.watch(socket) }
        DispatchQueue.global().asyncAfter(deadline: .now() + self.timeout.seconds) {
            self.end(socket, ifStill: watch)
        }
    }

    /// Before the socket is closed: its number may soon be somebody else's.
    func closed(_ socket: Int32) { self.sockets.withLock { _ = $0.watches.removeValue(forKey: socket) } }

    private func end(_ socket: Int32, ifStill watch: Int) {
        self.sockets.withLock { sockets in
            guard sockets.watches[socket] == watch else { return }
            _ = shutdown(socket, Int32(SHUT_RDWR))
        }
    }

    private static func of(_ callbacks: UnsafeMutablePointer<ldap_conncb>?) -> LDAPWatch? {
        guard let argument = unsafe callbacks?.pointee.lc_arg else { return nil }
        return unsafe Unmanaged<LDAPWatch>.fromOpaque(argument).takeUnretainedValue()
    }

    /// Nil for the last call before the end of a handle, which is about no socket.
    private static func descriptor(of socket: OpaquePointer?) -> Int32? {
        guard let socket = unsafe socket else { return nil }
        var descriptor: Int32 = -1
        _ = unsafe ber_sockbuf_ctrl(socket, LBER_SB_OPT_GET_FD, &descriptor)
        return descriptor >= 0 ? descriptor : nil
    }
}
