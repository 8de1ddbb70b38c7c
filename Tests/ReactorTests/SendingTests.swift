import Glibc
import Testing

@testable import Reactor

/// Bytes that go out: short writes, backlog, peers that have gone.
@Suite(.eachDriver, .namesDriver) struct SendingTests {
    private func attached() throws -> (worker: Worker, probe: Probe, peer: Peer) {
        let worker = try Worker.immortal(index: 0)
        let (descriptor, peer) = Sockets.pair()
        let probe = Probe(descriptor: descriptor, worker: worker)
        worker.attach(probe)
        return (worker, probe, peer)
    }

    @Test func shortWritesStayInOrder() throws {
        let (worker, probe, peer) = try self.attached()
        let all = pattern(3_000_000)
        var offset = 0
        var size = 1
        while offset < all.count {
            let end = min(offset + size, all.count)
            probe.send(Array(all[offset..<end]))
            offset = end
            size = size * 3 % 70_001 + 1
        }
        #expect(probe.unsentCount > 0)
        #expect(probe.happenings.isEmpty)
        var read: [UInt8] = []
        #expect(
            pump(worker) {
                if let bytes = peer.read() { read += bytes }
                return read.count == all.count
            }
        )
        settle(worker)
        #expect(isSame(read, all))
        #expect(probe.unsentCount == 0)
        #expect(probe.happenings == [.sent])
    }

    @Test func whatFitsIsNotReported() throws {
        let (worker, probe, peer) = try self.attached()
        probe.send([1, 2])
        probe.send([UInt8]())
        settle(worker)
        #expect(peer.read() == [1, 2])
        settle(worker)
        #expect(probe.unsentCount == 0 && probe.happenings.isEmpty)
    }

    @Test func peerThatClosedIsReportedOnceAndLater() throws {
        let (worker, probe, peer) = try self.attached()
        peer.close()
        probe.isInsideCall = true
        probe.send([1])
        probe.send([2])
        probe.isInsideCall = false
        #expect(probe.reentrantCalls == 0)
        #expect(probe.isOpen)
        settle(worker)
        #expect(probe.happenings == [.ended])
        probe.send([3])
        settle(worker)
        #expect(probe.happenings.count == 1)
    }

    @Test func peerThatClosedWithABacklog() throws {
        let (worker, probe, peer) = try self.attached()
        probe.send([UInt8](repeating: 1, count: 1_000_000))
        #expect(probe.unsentCount > 0)
        settle(worker)
        peer.close()
        settle(worker)
        #expect(probe.happenings.count == 1)
        #expect(probe.happenings == [.ended] || probe.happenings == [.failed(ECONNRESET)])
        #expect(probe.unsentCount == 0)
    }

    @Test func lastWordsAreReadAfterASendFailed() throws {
        let (worker, probe, peer) = try self.attached()
        peer.write([5, 6])
        peer.close()
        probe.send([1])
        settle(worker)
        #expect(probe.consumed == [5, 6])
        #expect(probe.happenings == [.ended])
    }

    /// The peer still writes but does not read any more: reading alone would never find out.
    @Test func peerThatStoppedReadingIsReported() throws {
        let (worker, probe, peer) = try self.attached()
        peer.shutdown(Int(SHUT_RD))
        probe.isInsideCall = true
        probe.send([1])
        probe.isInsideCall = false
        #expect(probe.happenings.isEmpty && probe.reentrantCalls == 0)
        settle(worker)
        #expect(probe.happenings == [.failed(EPIPE)])
    }

    @Test func droppedBacklogIsNotReportedAsSent() throws {
        let (worker, probe, peer) = try self.attached()
        probe.pauseReading()
        probe.send([UInt8](repeating: 1, count: 1_000_000))
        #expect(probe.unsentCount > 0)
        peer.close()
        settle(worker)
        #expect(!probe.happenings.contains(.sent))
        probe.resumeReading()
        settle(worker)
        #expect(probe.happenings.filter { $0 != .hungUp }.count == 1)
    }

    @Test func bytesSentBeforeAttachingGoOut() throws {
        let worker = try Worker.immortal(index: 0)
        let (descriptor, peer) = Sockets.pair()
        _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
        let probe = Probe(descriptor: descriptor, worker: worker)
        let all = pattern(1_000_000)
        probe.send(all)
        #expect(probe.unsentCount > 0)
        worker.attach(probe)
        var read: [UInt8] = []
        #expect(
            pump(worker, seconds: 5) {
                if let bytes = peer.read() { read += bytes }
                return read.count == all.count
            }
        )
        #expect(isSame(read, all))
    }

    @Test func registrationThatFailsIsReported() throws {
        let (worker, probe, peer) = try self.attached()
        // The same descriptor a second time: the kernel refuses it, though the socket itself is well.
        let second = Probe(descriptor: probe.descriptor, worker: worker)
        second.isInsideCall = true
        worker.attach(second)
        second.isInsideCall = false
        #expect(second.happenings.isEmpty && second.reentrantCalls == 0)
        settle(worker)
        #expect(second.happenings == [.failed(EEXIST)])
        #expect(peer.read() == [])
    }

    @Test func abortResetsThePeer() throws {
        for isAbort in [false, true] {
            let worker = try Worker.immortal(index: 0)
            let (descriptor, peer) = try Sockets.tcpPair()
            let probe = Probe(descriptor: descriptor, worker: worker)
            worker.attach(probe)
            if isAbort { probe.abort() } else { probe.close() }
            probe.abort()
            settle(worker)
            let end = peer.read(waiting: true)
            #expect(isAbort ? end == nil : end == [])
            if isAbort { #expect(errno == ECONNRESET) }
        }
    }

    @Test func shutdownSendingEndsOneDirection() throws {
        let (worker, probe, peer) = try self.attached()
        probe.shutdownSending()
        settle(worker)
        #expect(peer.read() == [])
        peer.write([1])
        settle(worker)
        #expect(probe.consumed == [1])
        #expect(probe.isOpen)
    }
}
