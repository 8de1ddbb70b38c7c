import Dispatch
import Synchronization
import Testing

import AuthProviders

/// Opened once; whoever waits goes on.
private final class Gate: @unchecked Sendable {
    private let semaphore = DispatchSemaphore(value: 0)

    func pass() {
        self.semaphore.wait()
        self.semaphore.signal()
    }

    func open() { self.semaphore.signal() }
}

/// How many are at work now, and how many were at most.
private final class Headcount: Sendable {
    private let counts = Mutex((now: 0, most: 0))

    func enter() {
        self.counts.withLock { counts in
            counts.now += 1
            counts.most = max(counts.most, counts.now)
        }
    }

    func leave() { self.counts.withLock { $0.now -= 1 } }

    var most: Int { self.counts.withLock { $0.most } }
}

/// Threads for calls that block: bounded in number, in the queue and in time.
struct BlockingLaneTests {
    private static let long = Duration.seconds(60)

    @Test func answersComeBack() async {
        let lane = BlockingLane(name: "test", threads: 2, queueMax: 100)
        let sum = await withTaskGroup(of: Int.self) { group in
            for number in 0..<50 {
                group.addTask { (try? await lane.run(within: Self.long) { number }.get()) ?? -1000 }
            }
            return await group.reduce(0, +)
        }
        #expect(sum == 49 * 25)
    }

    @Test func nothingRunsOnMoreThreadsThanAllowed() async {
        let lane = BlockingLane(name: "test", threads: 3, queueMax: 100)
        let headcount = Headcount()
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<40 {
                group.addTask {
                    _ = await lane.run(within: Self.long) {
                        headcount.enter()
                        headcount.leave()
                    }
                }
            }
        }
        #expect((1...3).contains(headcount.most))
    }

    @Test func aFullQueueRefusesAtOnce() async {
        let lane = BlockingLane(name: "test", threads: 1, queueMax: 1)
        let gate = Gate()
        let begun = DispatchSemaphore(value: 0)
        async let first = lane.run(within: Self.long) { begun.signal(); gate.pass() }
        await Self.wait(for: begun)
        // One stands in the queue, whichever of the two it is.
        async let second = lane.run(within: Self.long) {}
        async let third = lane.run(within: Self.long) {}
        let refused = await withTaskGroup(of: Bool.self) { group in
            group.addTask {
                var refused = false
                while !refused {
                    if case .failure(.full) = await lane.run(within: .zero, {}) { refused = true }
                }
                return refused
            }
            return await group.next() ?? false
        }
        #expect(refused)
        gate.open()
        _ = await (first, second, third)
    }

    @Test func aCallThatHangsIsGivenUp() async {
        let lane = BlockingLane(name: "test", threads: 1, queueMax: 10)
        let (gate, begun) = (Gate(), DispatchSemaphore(value: 0))
        // Long enough to begin on a busy machine; it ends when the gate opens, not before.
        async let hanging = lane.run(within: .seconds(2)) {
            begun.signal()
            gate.pass()
        }
        await Self.wait(for: begun)
        let behind = await lane.run(within: .milliseconds(1)) { 1 }
        #expect(behind == .failure(.timedOut), "the only thread is busy")
        #expect(await hanging == Result<Void, LaneRefusal>.failure(.timedOut))
        gate.open()
        let after = await lane.run(within: Self.long) { 2 }
        #expect(after == .success(2))
    }

    /// Seen from within a call: it runs, and those behind it wait.
    @Test func theLoadIsWhatRunsAndWhatWaits() async {
        let lane = BlockingLane(name: "test", threads: 1, queueMax: 10)
        #expect(lane.load == (0, 0))
        let (gate, begun) = (Gate(), DispatchSemaphore(value: 0))
        async let first = lane.run(within: Self.long) { begun.signal(); gate.pass() }
        await Self.wait(for: begun)
        #expect(lane.load == (1, 0))
        // Waits behind the first, and stays there when nobody waits for it any more.
        #expect(await lane.run(within: .zero, { 1 }) == .failure(.timedOut))
        #expect(lane.load == (1, 1))
        gate.open()
        _ = await first
        #expect(await lane.run(within: Self.long, { lane.load.busy }) == .success(1))
    }

    private static func wait(for semaphore: DispatchSemaphore) async {
        await withCheckedContinuation { continuation in
            DispatchQueue.global().async {
                semaphore.wait()
                continuation.resume()
            }
        }
    }
}

extension Result where Failure: Equatable, Success == Void {
    fileprivate static func == (left: Self, right: Self) -> Bool {
        switch (left, right) {
        case (.success, .success): true
        case (.failure(let left), .failure(let right)): left == right
        default: false
        }
    }
}
