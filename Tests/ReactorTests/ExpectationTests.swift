import Glibc
import Testing

@testable import Reactor

/// Long messages that gather in the kernel before the worker is woken (SO_RCVLOWAT), over TCP.
@Suite(.eachDriver, .namesDriver) struct ExpectationTests {
    private static let step = 128 * 1024
    private static let floor = 64 * 1024

    @Test func piecesOfALongMessageGather() throws {
        let scene = try ExpectationScene()
        let all = pattern(1 << 20)
        scene.expectMessage(of: all.count)
        #expect(scene.write(all, pieces: 8192))
        #expect(pump(scene.worker) { scene.probe.consumed.count == all.count })
        #expect(isSame(scene.probe.consumed, all))
        // Eight steps; the kernel may report sooner when its buffer gets tight.
        #expect(scene.probe.offers.count <= 32, "\(scene.probe.offers)")
        #expect(scene.mark == 1)
        #expect(scene.probe.channel.lowWater == 1)
    }

    /// The counterpart: without an announcement each piece is delivered by itself.
    @Test func piecesNobodyHasAnnouncedDoNotWait() throws {
        let scene = try ExpectationScene()
        #expect(scene.write(pattern(64 * 8192), pieces: 8192))
        #expect(scene.probe.consumed.count == 64 * 8192)
        #expect(scene.probe.offers.count == 64)
    }

    /// One byte less than the mark waits, and that byte brings everything: at the step, at the rest of a message behind
    /// a step, and at a message that is just long enough.
    @Test(arguments: [
        (length: 1 << 20, before: 0, mark: step), (length: step + 70_000, before: step, mark: 70_000),
        (length: floor, before: 0, mark: floor), (length: floor + 1, before: 0, mark: floor + 1),
        (length: step, before: 0, mark: step), (length: step + floor, before: step, mark: floor),
    ])
    func theMarkIsExact(length: Int, before: Int, mark: Int) throws {
        let scene = try ExpectationScene()
        scene.expectMessage(of: length)
        if before > 0 {
            #expect(scene.write(pattern(before), pieces: 8192))
            #expect(pump(scene.worker) { scene.probe.consumed.count == before })
        }
        #expect(scene.mark == mark)
        let offers = scene.probe.offers.count
        #expect(scene.write(pattern(mark - 1, from: before), pieces: 8191))
        settle(scene.worker)
        #expect(scene.probe.offers.count == offers)
        #expect(scene.probe.consumed.count == before)
        scene.peer.write(pattern(1, from: before + mark - 1))
        #expect(pump(scene.worker) { scene.probe.consumed.count == before + mark })
        #expect(isSame(scene.probe.consumed, pattern(before + mark)))
    }

    @Test func whatIsNotWorthwhileDoesNotGather() throws {
        let scene = try ExpectationScene()
        scene.probe.expect(Self.floor - 1)
        #expect(scene.mark == 1)
        // The end of a message behind its last step.
        scene.expectMessage(of: Self.step + 20_000)
        #expect(scene.write(pattern(Self.step), pieces: Self.step))
        #expect(pump(scene.worker) { scene.probe.consumed.count == Self.step })
        #expect(scene.mark == 1)
        scene.peer.write([1])
        settle(scene.worker)
        #expect(scene.probe.consumed.count == Self.step + 1)
    }

    // MARK: Ends

    @Test(arguments: [0, 1, 1000, step - 1])
    func theEndIsReportedBelowTheMark(count: Int) throws {
        let scene = try ExpectationScene()
        scene.expectMessage(of: 1 << 20)
        #expect(scene.write(pattern(count), pieces: 8192))
        settle(scene.worker)
        #expect(scene.probe.offers.isEmpty)
        scene.peer.close()
        #expect(pump(scene.worker) { !scene.probe.isOpen })
        #expect(scene.probe.happenings == [.ended])
        #expect(isSame(scene.probe.consumed, pattern(count)))
    }

    @Test func halfAnEndIsReportedBelowTheMark() throws {
        let scene = try ExpectationScene()
        scene.expectMessage(of: 1 << 20)
        scene.peer.write(pattern(1000))
        scene.peer.shutdown(Int(SHUT_WR))
        #expect(pump(scene.worker) { !scene.probe.isOpen })
        #expect(scene.probe.happenings == [.ended])
        #expect(scene.probe.consumed.count == 1000)
    }

    @Test(arguments: [0, 1, 1000, step - 1])
    func aResetIsReportedBelowTheMark(count: Int) throws {
        let scene = try ExpectationScene()
        scene.expectMessage(of: 1 << 20)
        #expect(scene.write(pattern(count), pieces: 8192))
        settle(scene.worker)
        #expect(scene.probe.offers.isEmpty)
        scene.peer.reset()
        #expect(pump(scene.worker) { !scene.probe.isOpen })
        #expect(scene.probe.happenings == [.failed(ECONNRESET)])
    }

    // MARK: Taking it back

    @Test func takingItBackDeliversWhatHasGathered() throws {
        let scene = try ExpectationScene()
        scene.probe.expect(1 << 20)
        scene.peer.write(pattern(1000))
        settle(scene.worker)
        #expect(scene.probe.offers.isEmpty)
        scene.probe.expect(0)
        #expect(pump(scene.worker) { scene.probe.consumed.count == 1000 })
        #expect(scene.mark == 1)
        scene.peer.write([7])
        settle(scene.worker)
        #expect(scene.probe.consumed.count == 1001)
    }

    /// Who closes with bytes unread resets the connection: what gathers below the mark has to be known.
    @Test func whatGathersIsUnreadInput() throws {
        let scene = try ExpectationScene()
        scene.probe.expect(1 << 20)
        #expect(!scene.probe.hasUnreadInput)
        scene.peer.write([1, 2, 3])
        settle(scene.worker)
        #expect(scene.probe.offers.isEmpty)
        #expect(scene.probe.hasUnreadInput)
        scene.probe.expect(0)
        #expect(pump(scene.worker) { scene.probe.consumed.count == 3 })
        #expect(!scene.probe.hasUnreadInput)
    }

    @Test func closedEndpointsExpectNothing() throws {
        let scene = try ExpectationScene()
        scene.probe.expect(1 << 20)
        scene.probe.close()
        scene.probe.expect(1 << 19)
        scene.probe.expect(0)
        #expect(!scene.probe.isOpen)
        #expect(!scene.probe.hasUnreadInput)
    }

    // MARK: Together with pauses and moves

    @Test func aPauseKeepsTheMarkAndWhatGathers() throws {
        let scene = try ExpectationScene()
        let all = pattern(Self.step + 80_000)
        scene.expectMessage(of: all.count)
        scene.probe.pauseReading()
        #expect(scene.write(Array(all.prefix(Self.step + 10_000)), pieces: 8192))
        settle(scene.worker)
        #expect(scene.probe.offers.isEmpty)
        scene.probe.resumeReading()
        #expect(pump(scene.worker) { scene.probe.consumed.count >= Self.step })
        // Paused again in the middle, with less than the mark to come.
        scene.probe.pauseReading()
        settle(scene.worker)
        scene.peer.write(Array(all.suffix(70_000)))
        settle(scene.worker)
        scene.probe.resumeReading()
        #expect(pump(scene.worker) { scene.probe.consumed.count == all.count })
        #expect(isSame(scene.probe.consumed, all))
        #expect(scene.mark == 1)
    }

    @Test func aHangupDuringAPauseIsToldBelowTheMark() throws {
        let scene = try ExpectationScene()
        scene.expectMessage(of: 1 << 20)
        scene.peer.write(pattern(1000))
        settle(scene.worker)
        scene.probe.pauseReading()
        scene.peer.close()
        #expect(pump(scene.worker) { !scene.probe.happenings.isEmpty })
        #expect(scene.probe.happenings == [.hungUp])
        scene.probe.resumeReading()
        #expect(pump(scene.worker) { !scene.probe.isOpen })
        #expect(scene.probe.consumed.count == 1000)
        #expect(scene.probe.happenings == [.hungUp, .ended])
    }

    @Test func anEndpointThatMovesTakesNoMarkAlong() throws {
        let scene = try ExpectationScene()
        scene.expectMessage(of: 100_000)
        #expect(scene.write(pattern(100_000), pieces: 8192))
        #expect(pump(scene.worker) { scene.probe.consumed.count == 100_000 })
        scene.worker.share(scene.probe)
        scene.other.adopt(scene.probe)
        settle(scene.worker, scene.other)
        #expect(scene.mark == 1)
        scene.peer.write([1])
        #expect(pump(scene.worker, scene.other) { scene.probe.consumed.count == 100_001 })
    }

    /// A mark belongs to the socket: whoever has it next can take it back.
    @Test func aMarkIsTakenBackByTheNextOwner() throws {
        let scene = try ExpectationScene()
        scene.probe.expect(1 << 20)
        scene.peer.write([1, 2, 3])
        settle(scene.worker)
        scene.worker.detach(scene.probe)
        scene.other.attach(scene.probe)
        settle(scene.worker, scene.other)
        scene.probe.expect(0)
        #expect(pump(scene.worker, scene.other) { scene.probe.consumed == [1, 2, 3] })
    }

    // MARK: Where it does not apply

    @Test func unixSocketsDoNotWait() throws {
        let worker = try Worker.immortal(index: 0)
        let (descriptor, peer) = Sockets.pair()
        let probe = Probe(descriptor: descriptor, worker: worker)
        worker.attach(probe)
        probe.expect(1 << 20)
        peer.write([1, 2, 3])
        settle(worker)
        #expect(probe.consumed == [1, 2, 3])
        peer.close()
        #expect(pump(worker) { probe.happenings == [.ended] })
    }

    @Test func endpointsUnderACodecDoNotWait() throws {
        let scene = try ExpectationScene()
        scene.probe.secure(by: FrameCodec())
        scene.probe.expect(1 << 20)
        #expect(scene.mark == 1)
        scene.peer.write(FrameCodec.frames([1, 2, 3]))
        #expect(pump(scene.worker) { scene.probe.consumed == [1, 2, 3] })
    }

    /// A mark that a small buffer can never reach, and bytes that cost the kernel much more than their length.
    @Test func smallBuffersDoNotStop() throws {
        let scene = try ExpectationScene(receiveBuffer: 48 * 1024)
        let all = pattern(Self.step + 30_000)
        scene.expectMessage(of: all.count)
        #expect(scene.write(Array(all.prefix(2000)), pieces: 1, settlingEachTime: false))
        #expect(scene.write(Array(all.dropFirst(2000)), pieces: 500, settlingEachTime: false))
        #expect(pump(scene.worker) { scene.probe.consumed.count == all.count })
        #expect(isSame(scene.probe.consumed, all))
    }
}
