import CReactor
import Glibc
import Testing

@testable import Reactor

/// Long messages that gather in the kernel before the worker is woken (SO_RCVLOWAT), over TCP.
@Suite(.eachDriver, .namesDriver) struct ExpectationTests {
    private static let step = 128 * 1024
    private static let floor = 64 * 1024

    private struct Scene {
        let worker: Worker
        let other: Worker
        let probe: Probe
        let peer: Peer

        init(receiveBuffer: Int32? = nil) throws {
            self.worker = try Worker.immortal(index: 1)
            self.other = try Worker.immortal(index: 2)
            let (descriptor, peer) = try Sockets.tcpPair()
            if let receiveBuffer { cr_set_buffer(descriptor, receiveBuffer) }
            var on: Int32 = 1
            let size = socklen_t(MemoryLayout<Int32>.size)
            _ = unsafe setsockopt(peer.descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on, size)
            self.peer = peer
            self.probe = Probe(descriptor: descriptor, worker: self.worker)
            _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
            self.worker.attach(self.probe)
            settle(self.worker)
        }

        /// The probe takes one message of `length` bytes as the relay does it: after each delivery it says what is
        /// still to come.
        func expectMessage(of length: Int) {
            self.probe.expect(length)
            self.probe.taking = { probe, count in
                probe.expect(max(length - probe.consumed.count - count, 0))
                return count
            }
        }

        /// Writes piece by piece, the worker running after each; nobody waits where the kernel takes no more.
        func write(_ bytes: [UInt8], pieces size: Int, settlingEachTime: Bool = true) -> Bool {
            var offset = 0
            return pump(self.worker) {
                while offset < bytes.count {
                    let count = min(size, bytes.count - offset)
                    let sent = unsafe bytes.withUnsafeBytes { buffer in
                        unsafe Glibc.send(
                            self.peer.descriptor,
                            buffer.baseAddress.map { unsafe $0 + offset },
                            count,
                            Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT)
                        )
                    }
                    if sent < 0 { return false }
                    offset += sent
                    if settlingEachTime { settle(self.worker) }
                }
                return true
            }
        }

        /// What the kernel has.
        var mark: Int32 {
            var value: Int32 = -1
            var size = socklen_t(MemoryLayout<Int32>.size)
            _ = unsafe getsockopt(self.probe.descriptor, SOL_SOCKET, SO_RCVLOWAT, &value, &size)
            return value
        }
    }

    @Test func piecesOfALongMessageGather() throws {
        let scene = try Scene()
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
        let scene = try Scene()
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
        let scene = try Scene()
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
        let scene = try Scene()
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
        let scene = try Scene()
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
        let scene = try Scene()
        scene.expectMessage(of: 1 << 20)
        scene.peer.write(pattern(1000))
        scene.peer.shutdown(Int(SHUT_WR))
        #expect(pump(scene.worker) { !scene.probe.isOpen })
        #expect(scene.probe.happenings == [.ended])
        #expect(scene.probe.consumed.count == 1000)
    }

    @Test(arguments: [0, 1, 1000, step - 1])
    func aResetIsReportedBelowTheMark(count: Int) throws {
        let scene = try Scene()
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
        let scene = try Scene()
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
        let scene = try Scene()
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
        let scene = try Scene()
        scene.probe.expect(1 << 20)
        scene.probe.close()
        scene.probe.expect(1 << 19)
        scene.probe.expect(0)
        #expect(!scene.probe.isOpen)
        #expect(!scene.probe.hasUnreadInput)
    }

    // MARK: Together with pauses and moves

    @Test func aPauseKeepsTheMarkAndWhatGathers() throws {
        let scene = try Scene()
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
        let scene = try Scene()
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
        let scene = try Scene()
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
        let scene = try Scene()
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
        let scene = try Scene()
        scene.probe.secure(by: FrameCodec())
        scene.probe.expect(1 << 20)
        #expect(scene.mark == 1)
        scene.peer.write(FrameCodec.frames([1, 2, 3]))
        #expect(pump(scene.worker) { scene.probe.consumed == [1, 2, 3] })
    }

    /// A mark that a small buffer can never reach, and bytes that cost the kernel much more than their length.
    @Test func smallBuffersDoNotStop() throws {
        let scene = try Scene(receiveBuffer: 48 * 1024)
        let all = pattern(Self.step + 30_000)
        scene.expectMessage(of: all.count)
        #expect(scene.write(Array(all.prefix(2000)), pieces: 1, settlingEachTime: false))
        #expect(scene.write(Array(all.dropFirst(2000)), pieces: 500, settlingEachTime: false))
        #expect(pump(scene.worker) { scene.probe.consumed.count == all.count })
        #expect(isSame(scene.probe.consumed, all))
    }
}
