import CReactor
import Glibc
import Testing

@testable import Reactor

/// What only the ring has: operations that are under way while their endpoint pauses, moves or closes.
@Suite(.enabled(if: Driver.tested.contains(.ioUring), "io_uring is not granted here"), .namesDriver)
struct RingTests {
    private func worker(_ index: Int = 0) throws -> Worker {
        try Driver.$current.withValue(.ioUring) { try Worker.immortal(index: index) }
    }

    private func attached(to worker: Worker) -> (probe: Probe, peer: Peer) {
        let (descriptor, peer) = Sockets.pair()
        let probe = Probe(descriptor: descriptor, worker: worker)
        worker.attach(probe)
        settle(worker)
        return (probe, peer)
    }

    /// Runs `worker` until the kernel has reported something that has not been worked off.
    private func awaitCompletion(on worker: Worker) {
        _ = unsafe cr_ring_enter(worker.ring, 1000)
    }

    // MARK: Moving

    /// The old ring had taken bytes, and then the end, before the endpoint was adopted.
    @Test(arguments: [false, true])
    func adoptedWithBytesAndEndInFlight(ends: Bool) throws {
        let (first, second) = (try self.worker(1), try self.worker(2))
        let (probe, peer) = self.attached(to: first)
        first.share(probe)
        peer.write([1, 2])
        if ends { peer.close() }
        self.awaitCompletion(on: first)
        second.adopt(probe)
        // It may send at once, and receives nothing before the old ring has let go.
        probe.send([9])
        settle(second)
        #expect(probe.offers.isEmpty && probe.happenings.isEmpty)
        if !ends {
            #expect(peer.read() == [9])
            peer.write([3])
            settle(second)
            #expect(probe.offers.isEmpty)
        }
        settle(first, second)
        #expect(probe.consumed == (ends ? [1, 2] : [1, 2, 3]))
        #expect(probe.happenings == (ends ? [.ended] : []))
        #expect(first.freeSlots.count == first.slots.count)
    }

    /// The owner changes again before the first one has let go: bytes go the whole way, in order.
    @Test func adoptedTwiceBeforeTheFirstLetsGo() throws {
        let workers = try (0..<3).map { index in try self.worker(index) }
        let (probe, peer) = self.attached(to: workers[0])
        workers[0].share(probe)
        peer.write([1])
        self.awaitCompletion(on: workers[0])
        workers[1].adopt(probe)
        workers[1].share(probe)
        settle(workers[1])
        workers[2].adopt(probe)
        peer.write([2])
        settle(workers[2], workers[1])
        #expect(probe.offers.isEmpty && probe.happenings.isEmpty)
        settle(workers[0], workers[1], workers[2])
        settle(workers[2])
        #expect(probe.consumed == [1, 2])
        for worker in workers[..<2] { #expect(worker.freeSlots.count == worker.slots.count) }
    }

    /// A handover that finds nobody home says so, and whoever wins the endpoint gets the bytes.
    @Test func handoverToAnEndpointThatIsSharedAgain() throws {
        let (first, second) = (try self.worker(1), try self.worker(2))
        let (probe, peer) = self.attached(to: first)
        probe.onHappening = { probe, happening in
            guard happening == .traffic(worker: 2) else { return }
            second.unshare(probe)
            second.look(probe)
        }
        first.share(probe)
        peer.write([1])
        self.awaitCompletion(on: first)
        second.adopt(probe)
        second.share(probe)
        settle(first, second)
        #expect(probe.happenings == [.traffic(worker: 2)])
        #expect(probe.consumed == [1])
        peer.write([2])
        settle(second)
        #expect(probe.consumed == [1, 2])
    }

    @Test func adoptedAndClosedBeforeTheOldRingLetsGo() throws {
        let (first, second) = (try self.worker(1), try self.worker(2))
        let (probe, peer) = self.attached(to: first)
        first.share(probe)
        peer.write([1])
        self.awaitCompletion(on: first)
        second.adopt(probe)
        probe.close()
        settle(first, second)
        #expect(probe.offers.isEmpty && probe.happenings.isEmpty)
        #expect(peer.read(waiting: true) == [])
        for worker in [first, second] { #expect(worker.freeSlots.count == worker.slots.count) }
    }

    /// A detached endpoint takes along what its ring had received.
    @Test func detachedWithBytesAndEndInFlight() throws {
        let (first, second) = (try self.worker(1), try self.worker(2))
        let (probe, peer) = self.attached(to: first)
        peer.write([1, 2])
        peer.close()
        self.awaitCompletion(on: first)
        first.detach(probe)
        settle(first)
        #expect(probe.offers.isEmpty)
        second.attach(probe)
        settle(second)
        #expect(probe.consumed == [1, 2])
        #expect(probe.happenings == [.ended])
    }

    // MARK: Closing

    /// The next user of the descriptor number and of the slot gets nothing that was meant for the one before.
    @Test(arguments: [false, true])
    func closedWithAReceiveInFlight(isHandedOver: Bool) throws {
        let worker = try self.worker()
        settle(worker)
        let (descriptor, peer) = Sockets.pair()
        let probe = Probe(descriptor: descriptor, worker: worker)
        worker.attach(probe)
        if isHandedOver { settle(worker) }
        peer.write([1, 2, 3])
        probe.close()
        let (reused, newPeer) = Sockets.pair()
        #expect(reused == descriptor || newPeer.descriptor == descriptor)
        let newcomer = Probe(descriptor: reused, worker: worker)
        worker.attach(newcomer)
        newPeer.write([4])
        settle(worker)
        #expect(probe.offers.isEmpty && probe.happenings.isEmpty)
        #expect(newcomer.consumed == [4] && newcomer.happenings.isEmpty)
        _ = peer.read(waiting: true)
        #expect(peer.read(waiting: true)?.isEmpty ?? true)
    }

    @Test func closedWithASendInFlight() throws {
        let worker = try self.worker()
        let (probe, peer) = self.attached(to: worker)
        probe.send([1, 2])
        probe.send([3])
        probe.close()
        #expect(peer.read() == [1, 2, 3])
        settle(worker)
        #expect(peer.read() == [])
    }

    /// The end comes so close behind the last bytes that both wake the receive operation at once.
    @Test(arguments: [false, true], [false, true])
    func endCloseBehindBytes(isReset: Bool, isShared: Bool) throws {
        let worker = try self.worker()
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

    /// Receiving begins with bytes in front of a reset: nothing more happens on the socket that could wake it.
    @Test(arguments: [0, 1000, 100_000, 400_000])
    func resetBehindBytesThatWaited(count: Int) throws {
        let worker = try self.worker()
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
        let worker = try self.worker()
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
        let worker = try self.worker()
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

    /// A socket that waits to become writable must not stay open by that.
    @Test func closedWhileWaitingToSend() throws {
        let worker = try self.worker()
        let (probe, peer) = self.attached(to: worker)
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

    @Test func connectionAcceptedForAListenerThatHasGoneIsClosed() throws {
        let worker = try self.worker()
        let listening = try Sockets.listen()
        let door = Listener(descriptor: listening, worker: worker)
        worker.attach(door)
        settle(worker)
        let peer = try #require(Sockets.connect(port: ListeningSocket.port(of: listening)))
        self.awaitCompletion(on: worker)
        door.close()
        settle(worker)
        #expect(peer.read(waiting: true)?.isEmpty ?? true)
    }

    // MARK: Pausing

    @Test func pausedEndpointFeelsBackPressure() throws {
        let worker = try self.worker()
        let (probe, peer) = self.attached(to: worker)
        probe.pauseReading()
        _ = fcntl(peer.descriptor, F_SETFL, O_NONBLOCK)
        // Until the kernel takes no more: what the ring has taken is bounded.
        var written = 0
        let chunk = [UInt8](repeating: 5, count: 65_536)
        var idleRounds = 0
        while idleRounds < 20 {
            let count = unsafe chunk.withUnsafeBytes { unsafe send(peer.descriptor, $0.baseAddress, $0.count, 0) }
            if count > 0 { written += count } else { idleRounds += 1 }
            settle(worker)
        }
        #expect(probe.offers.isEmpty)
        #expect(probe.unreadCount > 0 && probe.unreadCount <= Worker.pileUpLimit)
        probe.resumeReading()
        #expect(pump(worker) { probe.consumed.count == written })
        #expect(probe.happenings.isEmpty)
        peer.write([6])
        #expect(pump(worker) { probe.consumed.count == written + 1 })
    }

    /// Paused and resumed while the cancelling of its receive is under way.
    @Test func resumedBeforeTheCancelIsThrough() throws {
        let worker = try self.worker()
        let (probe, peer) = self.attached(to: worker)
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

    // MARK: Want

    /// More endpoints speak at once than there are buffers, and completions than the queue of operations is long.
    @Test func bufferStarvation() throws {
        let worker = try self.worker()
        let count = 3 * Int(CR_RING_BUFFERS)
        let scenes = (0..<count).map { _ in self.attached(to: worker) }
        let message = pattern(3 * Int(CR_RING_BUFFER_SIZE))
        for scene in scenes { scene.probe.taking = { probe, count in
            probe.send([UInt8(truncatingIfNeeded: count)])
            return count
        } }
        for scene in scenes { scene.peer.write(message) }
        #expect(pump(worker) { scenes.allSatisfy { $0.probe.consumed.count == message.count } })
        settle(worker)
        for scene in scenes {
            #expect(isSame(scene.probe.consumed, message))
            #expect(scene.peer.read()?.count == scene.probe.offers.count)
        }
        // All at once again, to the end of the queue of operations.
        for scene in scenes { scene.peer.close() }
        #expect(pump(worker) { scenes.allSatisfy { !$0.probe.isOpen } })
        #expect(scenes.allSatisfy { $0.probe.happenings == [.ended] })
    }

    @Test func sendsOfOneRoundGoOutInOrder() throws {
        let worker = try self.worker()
        let scenes = (0..<40).map { _ in self.attached(to: worker) }
        var all = [[UInt8]](repeating: [], count: scenes.count)
        for round in 0..<50 {
            for (index, scene) in scenes.enumerated() {
                let bytes = pattern((round * 37 + index * 11) % 5000 + 1, from: round)
                all[index] += bytes
                scene.probe.send(bytes)
            }
        }
        for (index, scene) in scenes.enumerated() {
            var read: [UInt8] = []
            #expect(pump(worker) {
                read += scene.peer.read() ?? []
                return read.count == all[index].count
            })
            #expect(isSame(read, all[index]))
            #expect(scene.probe.unsentCount == 0)
        }
    }

    /// A queued send that finds no room becomes a backlog, and is reported when it has gone out.
    @Test func queuedSendsMeetAFullSocket() throws {
        let worker = try self.worker()
        let (probe, peer) = self.attached(to: worker)
        var all: [UInt8] = []
        while probe.unsentCount == 0 {
            let bytes = pattern(3000, from: all.count)
            all += bytes
            probe.send(bytes)
            worker.runOnce(blocking: false)
        }
        #expect(probe.happenings.isEmpty)
        var read: [UInt8] = []
        #expect(pump(worker) {
            read += peer.read() ?? []
            return read.count == all.count
        })
        settle(worker)
        #expect(isSame(read, all))
        #expect(probe.happenings == [.sent])
    }

    /// The bytes of a send that fails while the kernel has no room to say so are not forgotten.
    @Test func failedSendIsFoundWhereCompletionsHaveNoRoom() throws {
        let worker = try self.worker()
        let (probe, peer) = self.attached(to: worker)
        let (other, _) = self.attached(to: worker)
        // Until the kernel takes no more, by system calls of its own.
        var filler = 0
        let chunk = [UInt8](repeating: 0, count: 1000)
        while true {
            let count = unsafe chunk.withUnsafeBytes { bytes in
                unsafe send(probe.descriptor, bytes.baseAddress, bytes.count, Int32(MSG_DONTWAIT))
            }
            if count < 0 { break }
            filler += count
        }
        // Cancelling what is not there is answered each time.
        let nobody = RingTag(.cancel, slot: 0, generation: 99).bits
        while unsafe cr_ring_completion_room(worker.ring) > 0 {
            for _ in 0..<256 { _ = unsafe cr_ring_cancel(worker.ring, nobody, nobody) }
            _ = unsafe cr_ring_submit(worker.ring)
        }
        let message = pattern(700)
        probe.send(message)
        other.send([1])
        while unsafe cr_ring_cancel(worker.ring, nobody, nobody) != 0 {}
        worker.makeRoom()
        probe.send(message)
        var read: [UInt8] = []
        #expect(pump(worker) {
            read += peer.read() ?? []
            return read.count == filler + 2 * message.count
        })
        #expect(isSame(Array(read.suffix(2 * message.count)), message + message))
    }

    /// A kernel short of memory takes only a part of what is queued: no send is lost or sent twice, and what is left
    /// does not outlive its endpoint.
    @Test func kernelTakesOnlyAPart() throws {
        let worker = try self.worker()
        let (descriptor, peer) = Sockets.pair()
        let probe = Probe(descriptor: descriptor, worker: worker)
        worker.attach(probe)
        probe.send([1, 2])
        // As if it had taken nothing: here it has not even been asked.
        worker.settleBatch()
        #expect(peer.read() == [1, 2])
        probe.send([3])
        probe.close()
        #expect(peer.read() == [3])
        let (reused, newPeer) = Sockets.pair()
        #expect(reused == descriptor || newPeer.descriptor == descriptor)
        newPeer.write([4])
        let newcomer = Probe(descriptor: reused, worker: worker)
        worker.attach(newcomer)
        settle(worker)
        #expect(probe.offers.isEmpty && newcomer.consumed == [4])
        #expect(peer.read() == [])
    }

    // MARK: Choosing

    @Test func wantedDriverIsUsed() throws {
        #expect(try IOMethod.makeWorkers(2, wanted: nil).method == .ioUring)
        #expect(try IOMethod.makeWorkers(2, wanted: .ioUring).workers.count == 2)
        let epoll = try IOMethod.makeWorkers(2, wanted: .epoll)
        #expect(epoll.method == .epoll && epoll.whyNoRing == nil)
    }
}

/// In a process of its own that may not set rings up, as in many containers.
@Suite struct RingRefusedTests {
    @Test func epollTakesItsPlace() async {
        await #expect(processExitsWith: .success) {
            guard Self.forbidRings() else { exit(2) }
            guard IOMethod.whyNoRing()?.code == EPERM else { exit(3) }
            do throws(ReactorError) {
                _ = try IOMethod.makeWorkers(1, wanted: .ioUring)
                exit(4)
            } catch {
                guard error.code == EPERM, error.operation == "io_uring" else { exit(5) }
            }
            let made = try IOMethod.makeWorkers(2, wanted: nil)
            guard made.method == .epoll, made.workers.count == 2, made.whyNoRing?.code == EPERM else { exit(6) }
            let (descriptor, peer) = Sockets.pair()
            let probe = Probe(descriptor: descriptor, worker: made.workers[0])
            made.workers[0].attach(probe)
            peer.write([1])
            guard pump(made.workers[0], until: { probe.consumed == [1] }) else { exit(7) }
            exit(0)
        }
    }

    /// A seccomp filter that answers EPERM to io_uring_setup, for this thread.
    private static func forbidRings() -> Bool {
        typealias Control = @convention(c) (Int32, Int, Int, Int, Int) -> Int32
        // `prctl` takes any number of arguments, so Swift does not import it.
        guard let symbol = unsafe dlsym(nil, "prctl") else { return false }
        let prctl = unsafe unsafeBitCast(symbol, to: Control.self)
        // struct sock_filter: load the number; if it is 425, EPERM, else go on.
        let filter: [UInt64] = [0x20, 425 << 32 | 0x0100_0015, 0x0005_0001 << 32 | 6, 0x7fff_0000 << 32 | 6]
        return unsafe filter.withUnsafeBytes { filter in
            let program = [4, Int(bitPattern: filter.baseAddress)]
            return unsafe program.withUnsafeBytes { program in
                prctl(38, 1, 0, 0, 0) == 0 && prctl(22, 2, Int(bitPattern: program.baseAddress), 0, 0) == 0
            }
        }
    }
}
