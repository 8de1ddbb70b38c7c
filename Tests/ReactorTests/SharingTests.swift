import Glibc
import Testing

@testable import Reactor

/// Endpoints that lie ready for any worker, and move.
@Suite(.eachDriver, .namesDriver) struct SharingTests {
    private struct Scene {
        let first: Worker
        let second: Worker
        let probe: Probe
        let peer: Peer

        init() throws {
            self.first = try Worker.immortal(index: 1)
            self.second = try Worker.immortal(index: 2)
            let (descriptor, peer) = Sockets.pair()
            self.peer = peer
            self.probe = Probe(descriptor: descriptor, worker: self.first)
            self.first.attach(self.probe)
            settle(self.first)
        }
    }

    @Test func trafficWhileSharedGoesToTheRegisteredWorkerOnly() throws {
        let scene = try Scene()
        scene.first.share(scene.probe)
        scene.peer.write([1])
        settle(scene.first, scene.second)
        #expect(scene.probe.happenings == [.traffic(worker: 1)])
        #expect(scene.probe.offers.isEmpty)

        scene.first.unshare(scene.probe)
        scene.first.look(scene.probe)
        settle(scene.first)
        #expect(scene.probe.consumed == [1])
        scene.first.look(scene.probe)
        settle(scene.first)
        #expect(scene.probe.happenings == [.traffic(worker: 1), .nothingToRead])
    }

    @Test func adoptedEndpointTalksToItsNewWorker() throws {
        let scene = try Scene()
        scene.first.share(scene.probe)
        scene.second.adopt(scene.probe)
        #expect(unsafe scene.probe.worker === scene.second)
        scene.peer.write([1, 2])
        settle(scene.first)
        #expect(scene.probe.offers.isEmpty && scene.probe.happenings.isEmpty)
        settle(scene.second)
        #expect(scene.probe.consumed == [1, 2])
        scene.probe.send([3])
        settle(scene.second)
        #expect(scene.peer.read() == [3])
        #expect(scene.first.freeSlots.count == scene.first.slots.count)
    }

    @Test func bytesThatCameWhileSharedFollowTheEndpoint() throws {
        let scene = try Scene()
        scene.first.share(scene.probe)
        scene.peer.write([1, 2])
        scene.second.adopt(scene.probe)
        settle(scene.first, scene.second)
        #expect(scene.probe.consumed == [1, 2])
        #expect(scene.probe.happenings.isEmpty)
    }

    @Test func adoptedByItsOwnWorker() throws {
        let scene = try Scene()
        let slot = scene.probe.channel.slot
        scene.first.share(scene.probe)
        scene.first.adopt(scene.probe)
        #expect(scene.probe.channel.slot == slot)
        scene.peer.write([1])
        settle(scene.first)
        #expect(scene.probe.consumed == [1] && scene.probe.happenings.isEmpty)
    }

    /// The kernel says once that there is room again, and said it while nobody owned the endpoint.
    @Test func bytesToSendGoOutWhenTheEndpointIsWonBack() throws {
        let scene = try Scene()
        let all = pattern(1_000_000)
        scene.probe.send(all)
        #expect(scene.probe.unsentCount > 0)
        scene.first.share(scene.probe)
        var read: [UInt8] = []
        while let bytes = scene.peer.read(), !bytes.isEmpty { read += bytes }
        settle(scene.first)
        scene.first.unshare(scene.probe)
        scene.probe.send([7])
        let isWhole = pump(scene.first) {
            while let bytes = scene.peer.read(), !bytes.isEmpty { read += bytes }
            return read.count == all.count + 1
        }
        #expect(isWhole)
        #expect(isSame(read, all + [7]))
    }

    /// The kernel has reported an event, and before it is worked off the endpoint is given away.
    @Test func eventsUnderWayForAnEndpointThatLeftAreIgnored() throws {
        let worker = try Worker.immortal(index: 0)
        let other = try Worker.immortal(index: 1)
        let (firstDescriptor, firstPeer) = Sockets.pair()
        let (secondDescriptor, secondPeer) = Sockets.pair()
        let probes = [
            Probe(descriptor: firstDescriptor, worker: worker), Probe(descriptor: secondDescriptor, worker: worker),
        ]
        for (probe, sibling) in zip(probes, probes.reversed()) {
            worker.attach(probe)
            probe.taking = { _, count in
                if unsafe sibling.worker === worker, sibling.consumed.isEmpty {
                    worker.detach(sibling)
                    other.send(sibling, code: 5)
                }
                return count
            }
        }
        firstPeer.write([1])
        secondPeer.write([2])
        worker.runOnce(blocking: true)
        #expect(probes.filter { $0.offers.isEmpty }.count == 1)
        settle(worker, other)
        #expect(probes[0].consumed == [1] && probes[1].consumed == [2])
        #expect(probes.reduce(0) { $0 + $1.happenings.count } == 1)
    }

    @Test func eventsUnderWayDoNotReachTheNextUserOfTheSlot() throws {
        let worker = try Worker.immortal(index: 0)
        let pairs = (0..<2).map { _ in Sockets.pair() }
        let probes = pairs.map { Probe(descriptor: $0.descriptor, worker: worker) }
        let (newDescriptor, newPeer) = Sockets.pair()
        let newcomer = Probe(descriptor: newDescriptor, worker: worker)
        for (probe, sibling) in zip(probes, probes.reversed()) {
            worker.attach(probe)
            probe.taking = { _, count in
                sibling.close()
                worker.attach(newcomer)
                return count
            }
        }
        for pair in pairs { pair.peer.write([1]) }
        worker.runOnce(blocking: true)
        let open = probes.filter(\.isOpen)
        #expect(open.count == 1)
        #expect(worker.slots.count == 2)
        settle(worker)
        #expect(newcomer.offers.isEmpty && newcomer.happenings.isEmpty)
        newPeer.write([2])
        settle(worker)
        #expect(newcomer.consumed == [2])
    }

    /// The subclass publishes the endpoint from within `received`, and another worker takes it before that returns.
    @Test func givenAwayInsideReceived() throws {
        let scene = try Scene()
        // More slots at the second worker, so that slot numbers mean different things at the two.
        for _ in 0..<5 { scene.second.attach(Probe(descriptor: -1, worker: scene.second)) }
        scene.probe.taking = { probe, count in
            scene.first.share(probe)
            scene.second.adopt(probe)
            return count
        }
        // A full buffer: the reactor knows that more waits in the kernel.
        let all = pattern(Worker.receiveCapacity + 100)
        let writer = TestThread { scene.peer.write(all) }
        #expect(pump(scene.first) { unsafe scene.probe.worker === scene.second })
        scene.probe.taking = nil
        settle(scene.first)
        #expect(pump(scene.first, scene.second) { scene.probe.consumed.count == all.count })
        writer.join()
        #expect(isSame(scene.probe.consumed, all))
        #expect(scene.first.freeSlots.count == scene.first.slots.count)
    }

    @Test func sharedInsideReceivedWithMoreToRead() throws {
        let scene = try Scene()
        scene.probe.taking = { probe, count in
            scene.first.share(probe)
            return count
        }
        scene.peer.write([1])
        scene.peer.close()
        settle(scene.first)
        #expect(scene.probe.consumed == [1])
        #expect(!scene.probe.happenings.isEmpty)
        #expect(scene.probe.happenings.allSatisfy { $0 == .traffic(worker: 1) })
    }

    @Test func heldBytesFollowADetachedEndpoint() throws {
        let scene = try Scene()
        scene.probe.taking = { probe, _ in
            probe.pauseReading()
            return 1
        }
        scene.peer.write([1, 2, 3])
        settle(scene.first)
        scene.probe.taking = nil
        scene.probe.resumeReading()
        scene.first.detach(scene.probe)
        scene.second.send(scene.probe, code: 9)
        settle(scene.first, scene.second)
        #expect(scene.probe.consumed == [1, 2, 3])
        #expect(scene.probe.happenings == [.posted(9)])
    }

    @Test func backlogFollowsADetachedEndpoint() throws {
        let scene = try Scene()
        let all = pattern(1_000_000)
        scene.probe.send(all)
        scene.first.detach(scene.probe)
        scene.second.attach(scene.probe)
        var read: [UInt8] = []
        #expect(
            pump(scene.first, scene.second) {
                if let bytes = scene.peer.read() { read += bytes }
                return read.count == all.count
            }
        )
        settle(scene.first, scene.second)
        #expect(isSame(read, all))
        #expect(scene.probe.happenings == [.sent])
    }
}
