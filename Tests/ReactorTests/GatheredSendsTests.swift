import CReactor
import Glibc
import Testing

@testable import Reactor

/// Sends that wait for the end of the round, and what may happen to their endpoints meanwhile.
@Suite(.enabled(if: Driver.tested.contains(.ioUring), "io_uring is not granted here"), .namesDriver)
struct GatheredSendsTests {
    private func worker(_ index: Int = 0) throws -> Worker {
        try Driver.$current.withValue(.ioUring) { try Worker.immortal(index: index) }
    }

    /// Fills a socket until the kernel takes no more, by system calls of its own. Returns how many zeros that took.
    private func fill(_ descriptor: Int32) -> Int {
        let chunk = [UInt8](repeating: 0, count: 1000)
        var total = 0
        while true {
            let count = unsafe chunk.withUnsafeBytes { bytes in
                unsafe send(descriptor, bytes.baseAddress, bytes.count, Int32(MSG_DONTWAIT))
            }
            if count < 0 { return total }
            total += count
        }
    }

    private func read(_ count: Int, from peer: Peer, pumping worker: Worker) -> [UInt8] {
        var read: [UInt8] = []
        _ = pump(worker, seconds: 10) {
            read += peer.read() ?? []
            return read.count >= count
        }
        return read
    }

    // MARK: The round

    @Test func sendsOfARoundWaitForItsEnd() throws {
        let worker = try self.worker()
        let (first, second) = (attached(to: worker), attached(to: worker))
        first.probe.send([1])
        first.probe.send([2])
        second.probe.send([3])
        #expect(first.peer.read() == nil && second.peer.read() == nil)
        worker.runOnce(blocking: false)
        // Two endpoints, two entries, one batch.
        #expect(unsafe worker.ring.pointee.sq_head.pointee == 2)
        #expect(first.peer.read() == [1, 2])
        #expect(second.peer.read() == [3])
        // Only what comes directly behind its own bytes can join them.
        first.probe.send([1])
        second.probe.send([3])
        first.probe.send([2])
        #expect(first.peer.read() == [1])
        worker.runOnce(blocking: false)
        #expect(first.peer.read() == [2] && second.peer.read() == [3])
    }

    /// What one endpoint alone has to send goes without the ring.
    @Test func oneSendAloneIsASystemCallOfItsOwn() throws {
        let worker = try self.worker()
        let (probe, peer) = attached(to: worker)
        for round in 0..<1000 {
            probe.send(pattern(300, from: round))
            probe.send([7])
            worker.runOnce(blocking: false)
            #expect(peer.read() == pattern(300, from: round) + [7])
        }
        #expect(unsafe worker.ring.pointee.sq_head.pointee == 0)
        #expect(unsafe worker.ring.pointee.arena_used == 0)
    }

    /// More endpoints than a batch has entries, more bytes than it has room for, small sends and large ones.
    @Test func everythingGoesOutInOrder() throws {
        let worker = try self.worker()
        let scenes = (0..<300).map { _ in attached(to: worker) }
        var all = [[UInt8]](repeating: [], count: scenes.count)
        for round in 0..<8 {
            for (index, scene) in scenes.enumerated() {
                let bytes = pattern((round * 370 + index * 11) % 5000 + 1, from: round)
                all[index] += bytes
                scene.probe.send(bytes)
            }
        }
        for (index, scene) in scenes.enumerated() {
            #expect(isSame(self.read(all[index].count, from: scene.peer, pumping: worker), all[index]))
            #expect(scene.probe.unsentCount == 0)
        }
    }

    // MARK: Endpoints that go meanwhile

    /// The descriptor may be another connection's by the time the batch is handed over.
    @Test(arguments: [false, true])
    func closedWithASendQueued(isAlone: Bool) throws {
        let worker = try self.worker()
        let (probe, peer) = attached(to: worker)
        let (other, otherPeer) = attached(to: worker)
        if !isAlone { other.send([9]) }
        probe.send([1, 2])
        probe.send([3])
        probe.close()
        #expect(peer.read() == [1, 2, 3])
        let (reused, newPeer) = Sockets.pair()
        let newcomer = Probe(descriptor: reused, worker: worker)
        worker.attach(newcomer)
        newcomer.send([4])
        settle(worker)
        #expect(newPeer.read() == [4])
        #expect(peer.read() == [])
        #expect(otherPeer.read() == (isAlone ? nil : [9]))
    }

    /// Closing in any order leaves gaps in the queue, and nobody else's bytes are touched.
    @Test func closedInAnyOrder() throws {
        let worker = try self.worker()
        for round in 0..<60 {
            let scenes = (0..<5).map { _ in attached(to: worker) }
            for (index, scene) in scenes.enumerated() { scene.probe.send(pattern(index + 1, from: round)) }
            var left = Array(scenes.indices)
            for turn in 0..<(round % 6) {
                let gone = left.remove(at: (round / 6 + turn * 3) % left.count)
                scenes[gone].probe.close()
            }
            for index in left { scenes[index].probe.send([255]) }
            settle(worker)
            for (index, scene) in scenes.enumerated() {
                let mine = pattern(index + 1, from: round)
                #expect(scene.peer.read() == (left.contains(index) ? mine + [255] : mine))
                scene.probe.close()
            }
        }
        #expect(worker.freeSlots.count == worker.slots.count)
    }

    /// Rounds in which all that was queued has gone out already must not use the arena up.
    @Test func withdrawnSendsLeaveNothingBehind() throws {
        let worker = try self.worker()
        for _ in 0..<100 {
            let (first, second) = (attached(to: worker), attached(to: worker))
            for scene in [first, second] { scene.probe.send(pattern(3000)) }
            for scene in [first, second] { scene.probe.close() }
            worker.runOnce(blocking: false)
            #expect(unsafe worker.ring.pointee.arena_used == 0)
        }
        #expect(unsafe worker.ring.pointee.sq_head.pointee == 0)
    }

    @Test func sharedDetachedAndShutDownSendAtOnce() throws {
        let (first, second) = (try self.worker(1), try self.worker(2))
        let (other, otherPeer) = attached(to: first)
        other.send([9])
        let shared = attached(to: first)
        shared.probe.send([1])
        first.share(shared.probe)
        #expect(shared.peer.read() == [1])
        second.adopt(shared.probe)
        shared.probe.send([2])
        let detached = attached(to: second)
        detached.probe.send([3])
        second.detach(detached.probe)
        #expect(detached.peer.read() == [3])
        first.attach(detached.probe)
        detached.probe.send([4])
        detached.probe.shutdownSending()
        #expect(detached.peer.read() == [4] && detached.peer.read() == [])
        settle(first, second)
        #expect(shared.peer.read() == [2])
        #expect(otherPeer.read() == [9])
    }

    // MARK: Want

    /// A queued send that finds no room becomes a backlog, and is reported when it has gone out.
    @Test(arguments: [false, true])
    func queuedSendsMeetAFullSocket(isAlone: Bool) throws {
        let worker = try self.worker()
        let (probe, peer) = attached(to: worker)
        let (other, otherPeer) = attached(to: worker)
        var all: [UInt8] = []
        while probe.unsentCount == 0 {
            let bytes = pattern(3000, from: all.count)
            all += bytes
            if !isAlone { other.send([1]) }
            probe.send(bytes)
            worker.runOnce(blocking: false)
            if !isAlone { #expect(otherPeer.read() == [1]) }
        }
        #expect(probe.happenings.isEmpty)
        #expect(isSame(self.read(all.count, from: peer, pumping: worker), all))
        settle(worker)
        #expect(probe.happenings == [.sent])
    }

    /// A kernel short of memory takes only a part of what is queued: no send is lost or sent twice.
    @Test func kernelTakesOnlyAPart() throws {
        let worker = try self.worker()
        let scenes = (0..<4).map { _ in attached(to: worker) }
        for (index, scene) in scenes.enumerated() { scene.probe.send([UInt8(index)]) }
        // As if it had taken nothing: here it has not even been asked.
        worker.settleBatch()
        for (index, scene) in scenes.enumerated() { #expect(scene.peer.read() == [UInt8(index)]) }
        for scene in scenes { scene.probe.send([8]) }
        settle(worker)
        for scene in scenes { #expect(scene.peer.read() == [8]) }
    }

    /// Peers that have gone, among others that have not.
    @Test func failuresAreToldToTheRightOnes() throws {
        let worker = try self.worker()
        let scenes = (0..<6).map { _ in attached(to: worker) }
        for scene in scenes[..<3] { scene.peer.close() }
        for scene in scenes { scene.probe.send([5]) }
        worker.runOnce(blocking: false)
        settle(worker)
        for scene in scenes[..<3] { #expect(scene.probe.happenings.count == 1 && !scene.probe.isOpen) }
        for scene in scenes[3...] { #expect(scene.probe.happenings.isEmpty && scene.peer.read() == [5]) }
    }

    /// The worker does not go to sleep over a send that failed: nothing else may ever happen on that descriptor.
    @Test func failuresAreToldWithoutAnotherEvent() throws {
        let worker = try self.worker()
        let scenes = (0..<2).map { _ in attached(to: worker) }
        for scene in scenes {
            scene.probe.shutdownSending()
            scene.probe.setDeadline(worker.now + 3_000_000)
            scene.probe.send([1])
        }
        worker.runOnce(blocking: true)
        settle(worker)
        for scene in scenes { #expect(scene.probe.happenings == [.failed(EPIPE)]) }
    }

    /// A ring that the kernel will not work with any more costs nothing but its advantage.
    @Test(arguments: [false, true])
    func brokenRingFallsBackToSystemCalls(isFull: Bool) throws {
        let worker = try self.worker()
        let scenes = (0..<(isFull ? 300 : 3)).map { _ in attached(to: worker) }
        let filler = self.fill(scenes[0].probe.descriptor)
        unsafe worker.ring.pointee.is_enabled = 1
        let descriptor = unsafe worker.ring.pointee.descriptor
        unsafe worker.ring.pointee.descriptor = -1
        // Closed with the worker.
        defer { unsafe worker.ring.pointee.descriptor = descriptor }
        for scene in scenes { scene.probe.send([1, 2, 3]) }
        worker.runOnce(blocking: false)
        #expect(!worker.gathersSends)
        for scene in scenes { scene.probe.send([4]) }
        for scene in scenes[1...] { #expect(scene.peer.read() == [1, 2, 3, 4]) }
        let read = self.read(filler + 4, from: scenes[0].peer, pumping: worker)
        #expect(Array(read.dropFirst(filler)) == [1, 2, 3, 4])
    }

    /// A worker keeps its ring when another thread runs it, and comes back to the first.
    @Test func anotherThreadUsesTheRing() throws {
        let worker = try self.worker()
        let (first, second) = (attached(to: worker), attached(to: worker))
        first.probe.send([1])
        second.probe.send([2])
        worker.runOnce(blocking: false)
        let (probes, peers) = ([first.probe, second.probe], [first.peer, second.peer])
        #expect(peers[0].read() == [1] && peers[1].read() == [2])
        let thread = TestThread {
            for probe in probes { probe.send([3]) }
            worker.runOnce(blocking: false)
        }
        thread.join()
        #expect(peers[0].read() == [3] && peers[1].read() == [3])
        for probe in probes { probe.send([4]) }
        worker.runOnce(blocking: false)
        #expect(peers[0].read() == [4] && peers[1].read() == [4])
        #expect(worker.gathersSends)
        #expect(unsafe worker.ring.pointee.sq_head.pointee == 6)
    }

    /// The sends of two workers with one thread are one call; those that fail are told to their own endpoints.
    @Test func workersOnOneThreadGatherTheirsTogether() throws {
        let (host, guest) = (try self.worker(0), try self.worker(1))
        let shared = try SharedThreads([host, guest])
        let loop = try WorkerLoop(own: host, threads: shared)
        loop.takeUp()
        loop.receive(guest)
        loop.round()
        let own = (0..<2).map { _ in attached(to: host) }
        let foreign = (0..<3).map { _ in attached(to: guest) }
        let filler = self.fill(foreign[1].probe.descriptor)
        foreign[2].probe.shutdownSending()
        for scene in own + foreign { scene.probe.send([1, 2]) }
        /// A round that does not wait for events.
        func round() {
            guest.isSignalled = true
            loop.round()
        }
        round()
        #expect(unsafe host.ring.pointee.sq_head.pointee == 5)
        for scene in own + foreign.prefix(1) { #expect(scene.peer.read() == [1, 2]) }
        round()
        #expect(foreign[2].probe.happenings.last == .failed(EPIPE))
        #expect((own + foreign.prefix(2)).allSatisfy { $0.probe.happenings.isEmpty })
        #expect(foreign[1].probe.unsentCount == 2)
        var read: [UInt8] = []
        #expect(wait(seconds: 10) {
            read += foreign[1].peer.read() ?? []
            round()
            return read.count == filler + 2
        })
        #expect(read.suffix(2) == [1, 2])
    }
}
