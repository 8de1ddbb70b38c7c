import CReactor

/// What is set on every TCP socket. Zero leaves the system's default.
public struct SocketOptions: Sendable, Equatable {
    package var keepaliveIdleSeconds: Int32 = 0
    package var keepaliveCount: Int32 = 0
    package var keepaliveIntervalSeconds: Int32 = 0
    package var userTimeoutMilliseconds: Int32 = 0
    /// Listening sockets only: how long the kernel waits for a client's first bytes before it hands a connection over.
    package var deferAcceptSeconds: Int32 = 0
    package var lingerSeconds: Int32 = 0
    package var bufferBytes: Int32 = 0
    package var unixBufferBytes: Int32 = 0
    package var isNoDelay = true

    package init() {}

    func apply(to descriptor: Int32, isTCP: Bool) {
        if !isTCP {
            if self.unixBufferBytes > 0 { cr_set_buffer(descriptor, self.unixBufferBytes) }
            return
        }
        var raw = cr_socket_options()
        raw.keepalive_idle_seconds = self.keepaliveIdleSeconds
        raw.keepalive_count = self.keepaliveCount
        raw.keepalive_interval_seconds = self.keepaliveIntervalSeconds
        raw.user_timeout_milliseconds = self.userTimeoutMilliseconds
        raw.linger_seconds = self.lingerSeconds
        raw.buffer_bytes = self.bufferBytes
        raw.no_delay = self.isNoDelay ? 1 : 0
        unsafe cr_set_tcp_options(descriptor, &raw)
    }
}
