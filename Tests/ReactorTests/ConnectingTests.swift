import Glibc
import Testing

@testable import Reactor

/// Outgoing connections.
@Suite(.eachDriver, .namesDriver) struct ConnectingTests {
    private func start(_ worker: Worker, _ address: SocketAddress) -> Probe {
        let probe = Probe(descriptor: -1, worker: worker)
        probe.isInsideCall = true
        worker.connect(probe, to: address, options: SocketOptions())
        probe.isInsideCall = false
        #expect(probe.reentrantCalls == 0 && probe.happenings.isEmpty)
        return probe
    }

    @Test func tcpSucceeds() throws {
        let worker = try Worker.immortal(index: 0)
        let listening = try Sockets.listen()
        defer { ListeningSocket.close(listening) }
        let probe = self.start(worker, try Sockets.loopback(port: ListeningSocket.port(of: listening)))
        // Given before the connection stands: goes out when it does.
        probe.send([1, 2, 3])
        #expect(pump(worker) { probe.happenings.contains(.connected) })
        let peer = Peer(accept(listening, nil, nil))
        settle(worker)
        #expect(peer.read(waiting: true) == [1, 2, 3])
        peer.write([4])
        #expect(pump(worker) { probe.consumed == [4] })
        #expect(probe.happenings == [.connected, .sent])
    }

    @Test func refused() throws {
        let worker = try Worker.immortal(index: 0)
        let listening = try Sockets.listen()
        let port = ListeningSocket.port(of: listening)
        ListeningSocket.close(listening)
        let probe = self.start(worker, try Sockets.loopback(port: port))
        #expect(pump(worker) { !probe.isOpen })
        settle(worker)
        #expect(probe.happenings == [.failed(ECONNREFUSED)])
    }

    @Test func unixPathThatIsNotThere() throws {
        let worker = try Worker.immortal(index: 0)
        let address = try #require(SocketAddress(unixPath: "/nonexistent/socket"))
        let probe = self.start(worker, address)
        #expect(probe.isOpen)
        #expect(pump(worker) { !probe.isOpen })
        #expect(probe.happenings == [.failed(ENOENT)])
    }

    @Test func unixSucceedsAndPeerSpeaksFirst() throws {
        let worker = try Worker.immortal(index: 0)
        let folder = try TemporaryFolder()
        let path = folder.path + "/socket"
        let listening = try ListeningSocket.unix(path: path, backlog: 4, mode: 0o700)
        defer { ListeningSocket.close(listening) }
        let probe = self.start(worker, try #require(SocketAddress(unixPath: path)))
        let peer = Peer(accept(listening, nil, nil))
        peer.write([7])
        #expect(pump(worker) { probe.consumed == [7] })
        #expect(probe.happenings == [.connected])
    }

    /// Unlike with TCP, the kernel refuses whoever finds no room.
    @Test func fullQueueOfAUnixSocketIsWaitedFor() throws {
        let worker = try Worker.immortal(index: 0)
        let folder = try TemporaryFolder()
        let path = folder.path + "/socket"
        let listening = try ListeningSocket.unix(path: path, backlog: 0, mode: 0o700)
        defer { ListeningSocket.close(listening) }
        let address = try #require(SocketAddress(unixPath: path))
        let probes = (0..<5).map { _ in self.start(worker, address) }
        #expect(pump(worker) { probes[0].happenings == [.connected] })
        // One has no more time, another finds a better server.
        let (late, moved) = (probes[1], probes[2])
        late.setDeadline(MonotonicClock.now() + 1_000)
        #expect(pump(worker) { late.happenings == [.deadline] })
        late.close()
        moved.close()
        let other = try Sockets.listen()
        defer { ListeningSocket.close(other) }
        let tcp = try Sockets.loopback(port: ListeningSocket.port(of: other))
        worker.connect(moved, to: tcp, options: SocketOptions())
        #expect(pump(worker) { moved.happenings == [.connected] })
        #expect(probes[3].happenings.isEmpty && probes[4].happenings.isEmpty)
        var peers: [Peer] = []
        let isDone = pump(worker) {
            let descriptor = accept(listening, nil, nil)
            if descriptor >= 0 { peers.append(Peer(descriptor)) }
            return peers.count == 3 && probes[3...].allSatisfy { $0.happenings == [.connected] }
        }
        #expect(isDone)
        for peer in peers { peer.write([7]) }
        #expect(pump(worker) { probes[3].consumed == [7] && probes[4].consumed == [7] })
        let further = accept(listening, nil, nil)
        #expect(further < 0)
        #expect(late.happenings == [.deadline] && moved.happenings == [.connected])
        for probe in probes { probe.close() }
    }

    @Test func endpointMayConnectAgainAfterAFailure() throws {
        let worker = try Worker.immortal(index: 0)
        let probe = self.start(worker, try #require(SocketAddress(unixPath: "/nonexistent/socket")))
        #expect(pump(worker) { !probe.isOpen })
        let listening = try Sockets.listen()
        defer { ListeningSocket.close(listening) }
        let address = try Sockets.loopback(port: ListeningSocket.port(of: listening))
        worker.connect(probe, to: address, options: SocketOptions())
        #expect(pump(worker) { probe.happenings.count == 2 })
        #expect(probe.happenings == [.failed(ENOENT), .connected])
    }

    @Test func closedBeforeTheOutcome() throws {
        let worker = try Worker.immortal(index: 0)
        let listening = try Sockets.listen()
        defer { ListeningSocket.close(listening) }
        let good = self.start(worker, try Sockets.loopback(port: ListeningSocket.port(of: listening)))
        let bad = self.start(worker, try #require(SocketAddress(unixPath: "/nonexistent/socket")))
        good.close()
        bad.close()
        settle(worker)
        #expect(good.happenings.isEmpty && bad.happenings.isEmpty)
    }

    @Test func deadlineWhileConnecting() throws {
        let worker = try Worker.immortal(index: 0)
        // A backlog of one that nobody empties: further connects stay under way.
        let listening = try Sockets.listen(backlog: 0)
        defer { ListeningSocket.close(listening) }
        let address = try Sockets.loopback(port: ListeningSocket.port(of: listening))
        let probes = (0..<4).map { _ in self.start(worker, address) }
        for probe in probes { probe.setDeadline(MonotonicClock.now() + 20_000) }
        #expect(pump(worker) { probes.allSatisfy { $0.happenings.contains(.deadline) } })
        #expect(probes.contains { $0.happenings == [.deadline] })
        for probe in probes { probe.close() }
    }
}
