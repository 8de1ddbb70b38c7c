import Glibc
import Testing

@testable import Reactor

/// Endpoints that end, pause and close while something is under way.
@Suite(.eachDriver, .namesDriver) struct EndingTests {
    /// The end comes so close behind the last bytes that both are reported at once.
    @Test(arguments: [false, true], [false, true])
    func endCloseBehindBytes(isReset: Bool, isShared: Bool) throws {
        let worker = try Worker.immortal(index: 0)
        for round in 1...20 {
            let (descriptor, peer) = try Sockets.tcpPair()
            let probe = Probe(descriptor: descriptor, worker: worker)
            probe.onHappening = { probe, happening in
                guard case .traffic = happening else { return }
                worker.unshare(probe)
                worker.look(probe)
            }
            worker.attach(probe)
            settle(worker)
            if isShared { worker.share(probe) }
            peer.write(pattern(round * 20_000))
            if isReset { peer.reset() } else { peer.close() }
            #expect(pump(worker, seconds: 10) { !probe.isOpen })
            let ends = probe.happenings.filter { $0 == .ended || $0 == .failed(ECONNRESET) }
            #expect(ends == [isReset ? .failed(ECONNRESET) : .ended])
            #expect(isReset || probe.consumed.count == round * 20_000)
        }
        #expect(worker.freeSlots.count == worker.slots.count)
    }

    /// Reading begins with bytes in front of a reset: nothing more happens on the socket that could be reported.
    @Test(arguments: [0, 1000, 100_000, 400_000])
    func resetBehindBytesThatWaited(count: Int) throws {
        let worker = try Worker.immortal(index: 0)
        let (descriptor, peer) = try Sockets.tcpPair()
        let probe = Probe(descriptor: descriptor, worker: worker)
        probe.pauseReading()
        worker.attach(probe)
        settle(worker)
        peer.write(pattern(count))
        settle(worker)
        peer.reset()
        #expect(pump(worker) { probe.happenings == [.hungUp] })
        probe.resumeReading()
        #expect(pump(worker, seconds: 10) { !probe.isOpen })
        #expect(probe.happenings == [.hungUp, .failed(ECONNRESET)])
    }

    /// A peer that is cut off while it sends much and is throttled: whatever the moment, the end is found.
    @Test func resetWhileThrottled() throws {
        let worker = try Worker.immortal(index: 0)
        let piece = pattern(30_000)
        for round in 0..<150 {
            let (descriptor, peer) = try Sockets.tcpPair()
            let probe = Probe(descriptor: descriptor, worker: worker)
            var calls = 0
            probe.taking = { probe, count in
                calls += 1
                if calls % (round % 5 + 2) == 0 { probe.pauseReading() }
                return count
            }
            worker.attach(probe)
            let thread = TestThread {
                for _ in 0..<(round % 40) where !peer.write(piece) { break }
                peer.reset()
            }
            let isFound = pump(worker, seconds: 10) {
                if probe.isReadingPaused, probe.isOpen { probe.resumeReading() }
                return !probe.isOpen
            }
            thread.join()
            #expect(isFound)
            if !isFound { break }
        }
    }

    /// Nobody reads from a paused endpoint, which learns all the same that its peer has gone, once for each pause.
    @Test func pausedAgainAfterTheEnd() throws {
        let worker = try Worker.immortal(index: 0)
        let (descriptor, peer) = try Sockets.tcpPair()
        let probe = Probe(descriptor: descriptor, worker: worker)
        probe.taking = { probe, count in
            probe.pauseReading()
            return 1
        }
        worker.attach(probe)
        settle(worker)
        peer.write([1, 2, 3])
        peer.close()
        #expect(pump(worker) { probe.happenings == [.hungUp] })
        probe.resumeReading()
        #expect(pump(worker) { probe.happenings == [.hungUp, .hungUp] })
        #expect(probe.consumed == [1, 2])
        probe.taking = nil
        probe.resumeReading()
        #expect(pump(worker) { !probe.isOpen })
        #expect(probe.consumed == [1, 2, 3] && probe.happenings.last == .ended)
    }

    /// A peer that has sent its last bytes may still be there to read; one that takes nothing any more is not.
    @Test func resetBehindTheEndIsToldToo() throws {
        let worker = try Worker.immortal(index: 0)
        let (descriptor, peer) = try Sockets.tcpPair()
        let probe = Probe(descriptor: descriptor, worker: worker)
        worker.attach(probe)
        settle(worker)
        probe.pauseReading()
        peer.shutdown(Int(SHUT_WR))
        #expect(pump(worker) { probe.happenings == [.hungUp] })
        peer.reset()
        #expect(pump(worker) { probe.happenings == [.hungUp, .hungUp] })
        #expect(probe.isOpen)
        probe.close()
    }

    /// A socket that waits to become writable must not stay open by that.
    @Test func closedWhileWaitingToSend() throws {
        let worker = try Worker.immortal(index: 0)
        let (probe, peer) = attached(to: worker)
        probe.send([UInt8](repeating: 1, count: 1_000_000))
        settle(worker)
        #expect(probe.unsentCount > 0)
        probe.pauseReading()
        probe.close()
        settle(worker)
        var read: [UInt8]? = [0]
        while let bytes = read, !bytes.isEmpty { read = peer.read() }
        #expect(read == [])
    }

    /// Paused and resumed again and again, with rounds in between and without.
    @Test func pausedAndResumedAtEveryTurn() throws {
        let worker = try Worker.immortal(index: 0)
        let (probe, peer) = attached(to: worker)
        var all: [UInt8] = []
        for round in 0..<200 {
            probe.pauseReading()
            let bytes = pattern(round % 7 + 1, from: round)
            all += bytes
            peer.write(bytes)
            for _ in 0..<(round % 4) { worker.runOnce(blocking: false) }
            probe.resumeReading()
            for _ in 0..<(round % 3) { worker.runOnce(blocking: false) }
        }
        settle(worker)
        #expect(isSame(probe.consumed, all))
        peer.close()
        settle(worker)
        #expect(probe.happenings.filter { $0 != .hungUp } == [.ended])
    }

    /// The next user of the descriptor number and of the slot gets nothing that was meant for the one before.
    @Test(arguments: [false, true])
    func closedWithBytesUnderWay(hasSettled: Bool) throws {
        let worker = try Worker.immortal(index: 0)
        settle(worker)
        let (descriptor, peer) = Sockets.pair()
        let probe = Probe(descriptor: descriptor, worker: worker)
        worker.attach(probe)
        if hasSettled { settle(worker) }
        peer.write([1, 2, 3])
        probe.close()
        let (reused, newPeer) = Sockets.pair()
        let newcomer = Probe(descriptor: reused, worker: worker)
        worker.attach(newcomer)
        newPeer.write([4])
        settle(worker)
        #expect(probe.offers.isEmpty && probe.happenings.isEmpty)
        #expect(newcomer.consumed == [4] && newcomer.happenings.isEmpty)
        _ = peer.read(waiting: true)
        #expect(peer.read(waiting: true)?.isEmpty ?? true)
    }
}
