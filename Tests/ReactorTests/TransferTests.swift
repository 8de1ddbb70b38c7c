import Testing

@testable import Reactor

/// Big results: memory stays flat, and the other endpoints of the worker are served in between.
@Suite(.eachDriver, .namesDriver) struct TransferTests {
    @Test func bigTransfersLetOthersIn() throws {
        let worker = try Worker.immortal(index: 0)
        let (sourceDescriptor, writerPeer) = Sockets.pair()
        let (targetDescriptor, readerPeer) = Sockets.pair()
        let target = Probe(descriptor: targetDescriptor, worker: worker)
        let (otherDescriptor, otherPeer) = Sockets.pair()
        let other = Probe(descriptor: otherDescriptor, worker: worker)
        worker.attach(target)
        worker.attach(other)
        other.taking = { other, count in
            other.send([1])
            return count
        }
        let relay = Relay(descriptor: sourceDescriptor, worker: worker, target: target)
        worker.attach(relay)
        target.onHappening = { _, happening in if happening == .sent { relay.resumeReading() } }

        let chunk = pattern(251 * 1024)
        let chunks = 64 * 1024 * 1024 / chunk.count + 1
        let writer = TestThread { for _ in 0..<chunks { writerPeer.write(chunk) } }
        let reader = ByteCounter(expecting: chunks * chunk.count, from: readerPeer)
        var pings = 0
        var late = 0
        let isDone = pump(worker, seconds: 120) {
            if let answer = otherPeer.read() { pings += answer.count }
            otherPeer.write([1])
            worker.runOnce(blocking: false)
            worker.runOnce(blocking: false)
            if otherPeer.read() != [1] { late += 1 }
            return relay.relayed == chunks * chunk.count && target.unsentCount == 0
        }
        #expect(isDone)
        writer.join()
        #expect(reader.join() == chunks * chunk.count)
        #expect(late == 0)
        #expect(relay.highestBacklog <= 2 * Worker.receiveCapacity)
        #expect(relay.isOpen && target.isOpen)
    }
}

/// Passes everything on to `target`, and rests while that has a backlog.
private final class Relay: Endpoint, @unchecked Sendable {
    private let target: Probe
    private(set) var relayed = 0
    private(set) var highestBacklog = 0

    init(descriptor: Int32, worker: Worker, target: Probe) {
        self.target = target
        super.init(descriptor: descriptor, worker: worker)
    }

    override func received(_ bytes: Span<UInt8>) -> Int {
        self.target.send(bytes)
        self.relayed += bytes.count
        self.highestBacklog = max(self.highestBacklog, self.target.unsentCount + self.unreadCount)
        if self.target.unsentCount > 64 * 1024 { self.pauseReading() }
        return bytes.count
    }
}

/// A thread that reads and checks a `pattern` of a known length.
private final class ByteCounter: @unchecked Sendable {
    private var thread: TestThread?
    /// Bytes that were as expected. Written by the thread, read after it has been joined.
    private var good = 0

    init(expecting total: Int, from peer: Peer) {
        self.thread = TestThread { [self] in
            while self.good < total, let bytes = peer.read(1 << 20, waiting: true), !bytes.isEmpty {
                var expected = UInt8(self.good % 251)
                for byte in bytes {
                    if byte != expected { return }
                    expected = expected == 250 ? 0 : expected + 1
                }
                self.good += bytes.count
            }
        }
    }

    func join() -> Int {
        self.thread?.join()
        return self.good
    }
}
