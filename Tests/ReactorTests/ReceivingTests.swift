import Glibc
import Testing

@testable import Reactor

/// Bytes that come in: held back, paused, redelivered, ended.
@Suite(.eachDriver, .namesDriver) struct ReceivingTests {
    private func attached() throws -> (worker: Worker, probe: Probe, peer: Peer) {
        let worker = try Worker.immortal(index: 0)
        let (descriptor, peer) = Sockets.pair()
        let probe = Probe(descriptor: descriptor, worker: worker)
        worker.attach(probe)
        return (worker, probe, peer)
    }

    /// Messages of 7 bytes, taken whole only.
    @Test func partialConsumptionIsOfferedAgainAtEverySplit() throws {
        let message = pattern(21)
        for split in 0...message.count {
            let (worker, probe, peer) = try self.attached()
            probe.taking = { _, count in count / 7 * 7 }
            peer.write(Array(message[..<split]))
            settle(worker)
            #expect(probe.consumed.count == split / 7 * 7)
            #expect(probe.unreadCount == split % 7)
            peer.write(Array(message[split...]))
            #expect(pump(worker) { probe.consumed.count == message.count })
            #expect(probe.consumed == message)
            #expect(probe.unreadCount == 0)
            probe.close()
        }
    }

    @Test func bytesOneByOneAreHeldUntilTheyMakeAMessage() throws {
        let (worker, probe, peer) = try self.attached()
        probe.taking = { _, count in count < 3000 ? 0 : 3000 }
        let message = pattern(3000)
        for byte in message {
            #expect(probe.consumed.isEmpty)
            peer.write([byte])
            settle(worker)
        }
        #expect(probe.consumed == message)
        #expect(probe.offers == Array(1...3000))
    }

    @Test func pausedEndpointGetsNothing() throws {
        let (worker, probe, peer) = try self.attached()
        probe.pauseReading()
        peer.write([1, 2, 3])
        settle(worker)
        #expect(probe.offers.isEmpty)
        #expect(probe.hasUnreadInput)
        probe.resumeReading()
        settle(worker)
        #expect(probe.consumed == [1, 2, 3])
        #expect(probe.offers == [3])
    }

    @Test func resumingRedeliversHeldBytesWithoutNewInput() throws {
        let (worker, probe, peer) = try self.attached()
        probe.taking = { probe, _ in
            probe.pauseReading()
            return 1
        }
        peer.write([1, 2, 3])
        settle(worker)
        #expect(probe.consumed == [1])
        for expected in [[1, 2], [1, 2, 3]] as [[UInt8]] {
            probe.resumeReading()
            settle(worker)
            #expect(probe.consumed == expected)
        }
        probe.resumeReading()
        settle(worker)
        #expect(probe.offers == [3, 2, 1])
    }

    @Test func resumedInsideTheSameCall() throws {
        let (worker, probe, peer) = try self.attached()
        probe.taking = { probe, _ in
            if probe.offers.count > 1 { return 2 }
            probe.pauseReading()
            probe.resumeReading()
            return 1
        }
        peer.write([1, 2, 3])
        settle(worker)
        #expect(probe.consumed == [1, 2, 3])
        #expect(probe.offers == [3, 2])
    }

    @Test func consumingNothingDoesNotSpin() throws {
        let (worker, probe, peer) = try self.attached()
        probe.taking = { _, _ in 0 }
        peer.write([1, 2, 3])
        settle(worker)
        #expect(probe.offers == [3])
    }

    @Test func consumingNothingOfAFullBufferFails() throws {
        let (worker, probe, peer) = try self.attached()
        probe.taking = { _, _ in 0 }
        let writer = TestThread { peer.write([UInt8](repeating: 7, count: Worker.receiveCapacity * 2)) }
        #expect(pump(worker) { !probe.isOpen })
        writer.join()
        #expect(probe.happenings == [.failed(Errno.messageTooLong)])
        #expect(probe.offers.count < 1000)
    }

    /// A client may send much while it waits for a server: the full buffer is not its fault.
    @Test func fullBufferHeldDuringAPauseIsRedelivered() throws {
        let (worker, probe, peer) = try self.attached()
        let all = pattern(Worker.receiveCapacity * 2)
        probe.taking = { probe, count in
            if count < Worker.receiveCapacity { return 0 }
            probe.pauseReading()
            return 0
        }
        let writer = TestThread { peer.write(all) }
        #expect(pump(worker) { probe.isReadingPaused })
        #expect(probe.unreadCount == Worker.receiveCapacity)
        probe.taking = nil
        probe.resumeReading()
        #expect(pump(worker) { probe.consumed.count == all.count || !probe.isOpen })
        probe.close()
        writer.join()
        #expect(probe.happenings.isEmpty)
        #expect(isSame(probe.consumed, all))
    }

    @Test func closingInsideReceived() throws {
        let (worker, probe, peer) = try self.attached()
        probe.taking = { probe, _ in
            probe.close()
            probe.close()
            return 1
        }
        peer.write([1, 2, 3])
        settle(worker)
        #expect(!probe.isOpen && probe.unreadCount == 0)
        #expect(probe.offers == [3])
        #expect(probe.happenings.isEmpty)
        #expect(worker.slots.allSatisfy { $0.endpoint == nil })
        #expect(worker.freeSlots.count == worker.slots.count)
    }

    // MARK: The end

    @Test(arguments: [1, 1000, Worker.receiveCapacity, Worker.receiveCapacity + 1, 180_000])
    func dataFollowedByTheEndIsDelivered(count: Int) throws {
        let (worker, probe, peer) = try self.attached()
        let all = pattern(count)
        let writer = TestThread {
            peer.write(all)
            peer.close()
        }
        if count <= 1000 { writer.join() }
        #expect(pump(worker) { !probe.isOpen })
        if count > 1000 { writer.join() }
        settle(worker)
        #expect(isSame(probe.consumed, all))
        #expect(probe.happenings == [.ended])
    }

    /// What was held back during a pause comes before the end, whenever the end arrived.
    @Test(arguments: [false, true])
    func heldBytesComeBeforeTheEnd(endsLater: Bool) throws {
        let (worker, probe, peer) = try self.attached()
        probe.taking = { probe, _ in
            probe.pauseReading()
            return 1
        }
        peer.write([1, 2, 3])
        if !endsLater { peer.close() }
        settle(worker)
        if endsLater { peer.close() }
        settle(worker)
        #expect(probe.consumed == [1])
        probe.taking = nil
        probe.resumeReading()
        settle(worker)
        #expect(probe.consumed == [1, 2, 3])
        #expect(probe.happenings.filter { $0 != .hungUp } == [.ended])
    }

    @Test func heldBytesComeBeforeAReset() throws {
        let worker = try Worker.immortal(index: 0)
        let (descriptor, peer) = try Sockets.tcpPair()
        let probe = Probe(descriptor: descriptor, worker: worker)
        worker.attach(probe)
        probe.taking = { probe, _ in
            probe.pauseReading()
            return 1
        }
        peer.write([1, 2, 3])
        #expect(pump(worker) { probe.isReadingPaused })
        var linger = linger(l_onoff: 1, l_linger: 0)
        unsafe setsockopt(peer.descriptor, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<linger>.size))
        peer.close()
        #expect(pump(worker) { probe.happenings == [.hungUp] })
        probe.taking = nil
        probe.resumeReading()
        settle(worker)
        #expect(probe.consumed == [1, 2, 3])
        #expect(probe.happenings == [.hungUp, .failed(ECONNRESET)])
    }

    @Test func hungUpWhilePaused() throws {
        let (worker, probe, peer) = try self.attached()
        probe.pauseReading()
        settle(worker)
        peer.write([9])
        peer.close()
        settle(worker)
        #expect(probe.happenings == [.hungUp])
        #expect(probe.offers.isEmpty)
        probe.resumeReading()
        settle(worker)
        #expect(probe.consumed == [9])
        #expect(probe.happenings == [.hungUp, .ended])
    }

    @Test func halfClosedPeerStillGetsItsAnswer() throws {
        let (worker, probe, peer) = try self.attached()
        probe.taking = { probe, count in
            probe.send([42])
            return count
        }
        peer.write([1])
        peer.shutdown(Int(SHUT_WR))
        settle(worker)
        #expect(peer.read() == [42])
        #expect(probe.happenings == [.ended])
    }
}
