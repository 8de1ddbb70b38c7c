import Glibc
import Testing

@testable import Reactor

/// Endpoints under a codec.
@Suite(.eachDriver, .namesDriver) struct SealedTests {
    private struct Scene {
        let worker: Worker
        let other: Worker
        let probe: Probe
        let peer: Peer

        init(codec: FrameCodec = FrameCodec()) throws {
            self.worker = try Worker.immortal(index: 1)
            self.other = try Worker.immortal(index: 2)
            let (descriptor, peer) = Sockets.pair()
            self.peer = peer
            self.probe = Probe(descriptor: descriptor, worker: self.worker)
            self.worker.attach(self.probe)
            self.probe.secure(by: codec)
            settle(self.worker)
        }
    }

    @Test func framesAreOpenedAndMade() throws {
        let scene = try Scene()
        scene.peer.write(FrameCodec.frames(pattern(10_000)))
        #expect(pump(scene.worker) { scene.probe.consumed.count == 10_000 })
        #expect(isSame(scene.probe.consumed, pattern(10_000)))
        scene.probe.send([1, 2, 3])
        scene.probe.send([4])
        settle(scene.worker)
        #expect(scene.peer.read() == FrameCodec.frames([1, 2, 3]) + FrameCodec.frames([4]))
    }

    @Test func frameInSinglePiecesIsDeliveredOnceItIsWhole() throws {
        let scene = try Scene()
        for byte in FrameCodec.frames([7, 8, 9]) {
            #expect(scene.probe.offers.isEmpty)
            scene.peer.write([byte])
            settle(scene.worker)
        }
        #expect(scene.probe.consumed == [7, 8, 9])
        #expect(scene.probe.offers == [3])
    }

    @Test func bytesNotTakenAreOfferedAgainInThePlain() throws {
        let scene = try Scene()
        scene.probe.taking = { _, offered in offered < 4 ? 0 : offered }
        scene.peer.write(FrameCodec.frames([1, 2]))
        settle(scene.worker)
        scene.peer.write(FrameCodec.frames([3, 4]))
        settle(scene.worker)
        #expect(scene.probe.offers == [2, 4])
        #expect(scene.probe.consumed == [1, 2, 3, 4])
    }

    @Test func pauseHoldsBytesBackAndResumingDeliversThem() throws {
        let scene = try Scene()
        scene.probe.pauseReading()
        scene.peer.write(FrameCodec.frames(pattern(50_000)))
        scene.peer.write(FrameCodec.end)
        settle(scene.worker)
        #expect(scene.probe.consumed.isEmpty)
        #expect(!scene.probe.happenings.contains(.ended))
        scene.probe.resumeReading()
        #expect(pump(scene.worker) { scene.probe.happenings.contains(.ended) })
        #expect(isSame(scene.probe.consumed, pattern(50_000)))
    }

    @Test func pauseWithinACallKeepsTheRestAndTheEnd() throws {
        let scene = try Scene()
        scene.probe.taking = { probe, _ in
            probe.pauseReading()
            return 1
        }
        scene.peer.write(FrameCodec.frames([1, 2, 3]) + FrameCodec.end)
        settle(scene.worker)
        #expect(scene.probe.consumed == [1])
        #expect(!scene.probe.happenings.contains(.ended))
        scene.probe.taking = nil
        scene.probe.resumeReading()
        #expect(pump(scene.worker) { scene.probe.happenings.contains(.ended) })
        #expect(scene.probe.consumed == [1, 2, 3])
        #expect(scene.probe.happenings.filter { $0 == .ended }.count == 1)
    }

    @Test func endOfTheSealedStreamIsAnEnd() throws {
        let scene = try Scene()
        scene.peer.write(FrameCodec.frames([1]) + FrameCodec.end)
        #expect(pump(scene.worker) { scene.probe.happenings.contains(.ended) })
        #expect(scene.probe.consumed == [1])
    }

    @Test func endWithoutNoticeIsAnEndToo() throws {
        let scene = try Scene()
        scene.peer.write(FrameCodec.frames([1]) + [0])
        scene.peer.close()
        #expect(pump(scene.worker) { scene.probe.happenings.contains(.ended) })
        #expect(scene.probe.consumed == [1])
    }

    @Test func whatNobodyCouldHaveSealedIsAFailure() throws {
        let scene = try Scene()
        scene.peer.write(FrameCodec.frames([1]) + FrameCodec.garbage)
        #expect(pump(scene.worker) { scene.probe.happenings.contains(.failed(EPROTO)) })
        #expect(scene.probe.consumed == [1])
    }

    /// As an answer that frees a server, which lies ready for anybody from then on.
    @Test func endIsToldThoughTheBytesBeforeItShareTheEndpoint() throws {
        let scene = try Scene()
        scene.probe.taking = { probe, offered in
            scene.worker.share(probe)
            return offered
        }
        scene.peer.write(FrameCodec.frames([1]) + FrameCodec.end)
        settle(scene.worker)
        #expect(scene.probe.consumed == [1])
        #expect(scene.probe.happenings == [.traffic(worker: 1)])
        scene.worker.unshare(scene.probe)
        scene.worker.look(scene.probe)
        settle(scene.worker)
        #expect(scene.probe.happenings == [.traffic(worker: 1), .ended])
    }

    @Test func failureIsToldWhoeverGetsTheEndpoint() throws {
        let scene = try Scene()
        scene.probe.taking = { probe, offered in
            scene.worker.share(probe)
            scene.other.adopt(probe)
            return offered
        }
        scene.peer.write(FrameCodec.frames([1]) + FrameCodec.garbage)
        settle(scene.worker, scene.other)
        #expect(scene.probe.consumed == [1])
        #expect(scene.probe.happenings == [.failed(EPROTO)])
    }

    @Test func endBehindHeldBytesIsToldThoughTheyShareTheEndpoint() throws {
        let scene = try Scene()
        scene.probe.taking = { probe, _ in
            probe.pauseReading()
            return 0
        }
        scene.peer.write(FrameCodec.frames([1]) + FrameCodec.end)
        settle(scene.worker)
        #expect(scene.probe.happenings == [.hungUp])
        scene.probe.taking = { probe, offered in
            scene.worker.share(probe)
            return offered
        }
        scene.probe.resumeReading()
        settle(scene.worker)
        #expect(scene.probe.consumed == [1])
        #expect(scene.probe.happenings == [.hungUp, .traffic(worker: 1)])
        scene.other.adopt(scene.probe)
        settle(scene.worker, scene.other)
        #expect(scene.probe.happenings == [.hungUp, .traffic(worker: 1), .ended])
    }

    @Test func endIsToldOnceThoughReadingIsResumedWithinTheCall() throws {
        let scene = try Scene()
        scene.probe.taking = { probe, offered in
            probe.pauseReading()
            probe.resumeReading()
            return offered
        }
        scene.peer.write(FrameCodec.frames([1]) + FrameCodec.end)
        settle(scene.worker)
        #expect(scene.probe.consumed == [1])
        #expect(scene.probe.happenings == [.ended])
    }

    @Test func codecMayAnswerByItself() throws {
        let scene = try Scene()
        scene.peer.write(FrameCodec.question)
        settle(scene.worker)
        #expect(scene.peer.read() == FrameCodec.answer)
        #expect(scene.probe.offers.isEmpty)
        // Whoever looked for bytes learns that there were none.
        #expect(scene.probe.happenings == [.nothingToRead])
    }

    /// Whoever looks whether anything came of what had begun has to wait for the rest.
    @Test func aPieceOfARecordIsNotNothing() throws {
        let scene = try Scene()
        let frames = FrameCodec.frames([1])
        scene.peer.write(Array(frames.dropLast()))
        settle(scene.worker)
        #expect(scene.probe.happenings.isEmpty)
        scene.peer.write(Array(frames.suffix(1)))
        #expect(pump(scene.worker) { scene.probe.consumed == [1] })
        #expect(scene.probe.happenings.isEmpty)
    }

    @Test func bytesThatTheCodecHasAlreadyAreDeliveredLater() throws {
        let scene = try Scene(codec: FrameCodec(pending: FrameCodec.frames([5, 6])))
        #expect(pump(scene.worker) { scene.probe.consumed == [5, 6] })
        #expect(scene.probe.reentrantCalls == 0)
    }

    @Test func closingSaysSoOnce() throws {
        let codec = FrameCodec()
        let scene = try Scene(codec: codec)
        scene.probe.send([1])
        scene.probe.shutdownSending()
        scene.probe.close()
        #expect(scene.peer.read(waiting: true) == FrameCodec.frames([1]) + FrameCodec.end)
        #expect(codec.sealedEnds == 1)
    }

    @Test func abortSaysNothing() throws {
        let codec = FrameCodec()
        let scene = try Scene(codec: codec)
        scene.probe.abort()
        #expect(codec.sealedEnds == 0)
    }

    @Test func bytesThatCameWhileSharedAreOpenedByWhoeverAdopts() throws {
        let scene = try Scene()
        scene.worker.share(scene.probe)
        let frames = FrameCodec.frames(pattern(1000))
        scene.peer.write(Array(frames.prefix(100)))
        settle(scene.worker, scene.other)
        #expect(scene.probe.offers.isEmpty)
        scene.other.adopt(scene.probe)
        scene.other.look(scene.probe)
        settle(scene.worker, scene.other)
        scene.peer.write(Array(frames.dropFirst(100)))
        #expect(pump(scene.worker, scene.other) { scene.probe.consumed.count == 1000 })
        #expect(isSame(scene.probe.consumed, pattern(1000)))
    }

    @Test func adoptingOneDoesNotDisturbTheBytesOfAnother() throws {
        // As a client's request that takes a server with something in store.
        let scene = try Scene()
        let (descriptor, peer) = Sockets.pair()
        let second = Probe(descriptor: descriptor, worker: scene.worker)
        scene.worker.attach(second)
        second.secure(by: FrameCodec())
        settle(scene.worker)
        scene.worker.share(second)
        peer.write(FrameCodec.frames([UInt8](repeating: 9, count: 500)))
        settle(scene.worker)
        var seen: [UInt8] = []
        scene.probe.taking = { _, offered in
            scene.worker.unshare(second)
            scene.worker.look(second)
            return offered
        }
        scene.peer.write(FrameCodec.frames(pattern(500)))
        #expect(pump(scene.worker) { second.consumed.count == 500 })
        seen = scene.probe.consumed
        #expect(isSame(seen, pattern(500)))
        #expect(isSame(second.consumed, [UInt8](repeating: 9, count: 500)))
    }

    @Test(arguments: [1, 1000, 200_000]) func largeTransfersBothWays(chunk: Int) throws {
        let scene = try Scene()
        let total = 300_000
        let frames = FrameCodec.frames(pattern(total))
        let writer = TestThread { scene.peer.write(frames) }
        #expect(pump(scene.worker) { scene.probe.consumed.count == total })
        writer.join()
        #expect(isSame(scene.probe.consumed, pattern(total)))

        let payload = pattern(chunk == 1 ? 2000 : total)
        var sent = 0
        while sent < payload.count {
            scene.probe.send(Array(payload[sent..<min(sent + chunk, payload.count)]))
            sent += chunk
        }
        var got: [UInt8] = []
        #expect(
            pump(scene.worker) {
                while let more = scene.peer.read(), !more.isEmpty { got += more }
                return got.count > payload.count && FrameCodec.plain(got).count == payload.count
            }
        )
        #expect(isSame(FrameCodec.plain(got), payload))
    }
}
