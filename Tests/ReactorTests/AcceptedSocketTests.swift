import Glibc
import Testing

@testable import Reactor

/// The value of an option; -1 when it cannot be told.
private func socketOption(_ level: Int32, _ name: Int32, of descriptor: Int32) -> Int32 {
    var value: Int32 = -1
    var size = socklen_t(MemoryLayout<Int32>.size)
    let result = unsafe getsockopt(descriptor, level, name, &value, &size)
    return result == 0 ? value : -1
}

/// What accepted sockets have of the options in the settings, also of those that came with a reload.
@Suite struct AcceptedSocketTests {
    private static let tcpLevel: Int32 = 6
    private static let noDelay: Int32 = 1
    private static let keepaliveIdle: Int32 = 4
    private static let keepaliveInterval: Int32 = 5
    private static let keepaliveCount: Int32 = 6
    private static let userTimeout: Int32 = 18

    /// A connection to `listening`, as the gateway gets it.
    private func acceptNext(_ listening: Int32) throws -> (descriptor: Int32, peer: Peer) {
        let peer = try #require(Sockets.connect(port: ListeningSocket.port(of: listening)))
        let descriptor = accept(listening, nil, nil)
        try #require(descriptor >= 0)
        return (descriptor, peer)
    }

    private static var everything: SocketOptions {
        var options = SocketOptions()
        options.keepaliveIdleSeconds = 7
        options.keepaliveCount = 3
        options.keepaliveIntervalSeconds = 2
        options.userTimeoutMilliseconds = 9000
        options.isNoDelay = true
        return options
    }

    @Test func optionsAreInherited() throws {
        let listening = try ListeningSocket.tcp(Sockets.loopback(), backlog: 4, options: Self.everything)
        defer { ListeningSocket.close(listening) }
        let (descriptor, peer) = try self.acceptNext(listening)
        defer { ListeningSocket.close(descriptor) }
        #expect(socketOption(Self.tcpLevel, Self.noDelay, of: descriptor) != 0)
        #expect(socketOption(SOL_SOCKET, SO_KEEPALIVE, of: descriptor) != 0)
        #expect(socketOption(Self.tcpLevel, Self.keepaliveIdle, of: descriptor) == 7)
        #expect(socketOption(Self.tcpLevel, Self.keepaliveInterval, of: descriptor) == 2)
        #expect(socketOption(Self.tcpLevel, Self.keepaliveCount, of: descriptor) == 3)
        #expect(socketOption(Self.tcpLevel, Self.userTimeout, of: descriptor) == 9000)
        peer.close()
    }

    /// A reload takes back what the settings before it had switched on.
    @Test func optionsAreTakenBack() throws {
        let listening = try ListeningSocket.tcp(Sockets.loopback(), backlog: 4, options: Self.everything)
        defer { ListeningSocket.close(listening) }
        var options = SocketOptions()
        options.isNoDelay = false
        ListeningSocket.apply(options, to: listening)
        let (descriptor, peer) = try self.acceptNext(listening)
        defer { ListeningSocket.close(descriptor) }
        #expect(socketOption(Self.tcpLevel, Self.noDelay, of: descriptor) == 0)
        // Keepalives as the system has them.
        #expect(socketOption(SOL_SOCKET, SO_KEEPALIVE, of: descriptor) != 0)
        let fresh = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        try #require(fresh >= 0)
        defer { ListeningSocket.close(fresh) }
        for name in [Self.keepaliveIdle, Self.keepaliveInterval, Self.keepaliveCount] {
            let own = socketOption(Self.tcpLevel, name, of: fresh)
            #expect(own > 0 && socketOption(Self.tcpLevel, name, of: descriptor) == own)
        }
        #expect(socketOption(Self.tcpLevel, Self.userTimeout, of: descriptor) == 0)
        peer.close()
    }

    /// A close that waited for a peer which does not read would hold up everybody on its worker.
    @Test func closingNeverWaits() throws {
        let listening = try ListeningSocket.tcp(Sockets.loopback(), backlog: 4, options: Self.everything)
        defer { ListeningSocket.close(listening) }
        let (descriptor, peer) = try self.acceptNext(listening)
        defer { ListeningSocket.close(descriptor) }
        var linger = Glibc.linger(l_onoff: 1, l_linger: 1)
        var size = socklen_t(MemoryLayout<Glibc.linger>.size)
        #expect(unsafe getsockopt(descriptor, SOL_SOCKET, SO_LINGER, &linger, &size) == 0)
        #expect(linger.l_onoff == 0)
        peer.close()
    }
}

extension UnixListenerTests {
    /// Unlike TCP sockets, those of a unix listener inherit nothing. The kernel reports twice the size asked for.
    @Test func unixSocketsGetTheirBuffersOneByOne() throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/s"
        let listening = try ListeningSocket.unix(path: path, backlog: 4, mode: 0o600)
        defer { ListeningSocket.close(listening) }
        let worker = try Worker.immortal(index: 0)
        let client = Probe(descriptor: -1, worker: worker)
        worker.connect(client, to: try #require(SocketAddress(unixPath: path)), options: SocketOptions())
        let descriptor = accept(listening, nil, nil)
        try #require(descriptor >= 0)
        defer { ListeningSocket.close(descriptor) }
        var options = SocketOptions()
        options.unixBufferBytes = 65_536
        ListeningSocket.apply(options, toAcceptedUnixSocket: descriptor)
        #expect(socketOption(SOL_SOCKET, SO_SNDBUF, of: descriptor) == 131_072)
        #expect(socketOption(SOL_SOCKET, SO_RCVBUF, of: descriptor) == 131_072)
        client.close()
    }
}
