import CReactor

/// What is set on every socket. Zero is the system's default; buffers that once had a size do not return to it.
public struct SocketOptions: Sendable, Equatable {
    /// Keepalives are always on; 0 of each of the three is the system's own value.
    package var keepaliveIdleSeconds: Int32 = 0
    package var keepaliveCount: Int32 = 0
    package var keepaliveIntervalSeconds: Int32 = 0
    package var userTimeoutMilliseconds: Int32 = 0
    /// Listening sockets only: how long the kernel waits for a client's first bytes before it hands a connection over.
    package var deferAcceptSeconds: Int32 = 0
    package var bufferBytes: Int32 = 0
    package var unixBufferBytes: Int32 = 0
    package var isNoDelay = true

    package init() {}

    func apply(to descriptor: Int32, isTCP: Bool) {
        if !isTCP {
            self.applyToUnixSocket(descriptor)
            return
        }
        var raw = cr_socket_options()
        raw.keepalive_idle_seconds = self.keepaliveIdleSeconds
        raw.keepalive_count = self.keepaliveCount
        raw.keepalive_interval_seconds = self.keepaliveIntervalSeconds
        raw.user_timeout_milliseconds = self.userTimeoutMilliseconds
        raw.buffer_bytes = self.bufferBytes
        raw.no_delay = self.isNoDelay ? 1 : 0
        unsafe cr_set_tcp_options(descriptor, &raw)
    }

    /// A connected or accepted one: a unix socket inherits nothing from the one that listens.
    func applyToUnixSocket(_ descriptor: Int32) {
        if self.unixBufferBytes > 0 { cr_set_buffer(descriptor, self.unixBufferBytes) }
    }
}
