import Dispatch
import Foundation
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

/// Counts for as long as anybody holds it.
private final class Held: Sendable {
    private let headcount: Headcount

    init(_ headcount: Headcount) {
        self.headcount = headcount
        headcount.enter()
    }

    deinit { self.headcount.leave() }
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

    /// Calls that come faster than threads wake up are not refused while there are threads for them.
    @Test func aBurstHasRoomForThreadsAndQueue() async {
        for _ in 0..<50 {
            let lane = BlockingLane(name: "test", threads: 3, queueMax: 2)
            let gate = Gate()
            let results = await withTaskGroup(of: Result<Void, LaneRefusal>.self) { group in
                for _ in 0..<8 { group.addTask { await lane.run(within: Self.long) { gate.pass() } } }
                var ended: [Result<Void, LaneRefusal>] = []
                for _ in 0..<3 { if let result = await group.next() { ended.append(result) } }
                while lane.load.busy < 3 { await Task.yield() }
                #expect(lane.load == LaneLoad(busy: 3, queued: 2))
                gate.open()
                for await result in group { ended.append(result) }
                return ended
            }
            #expect(results.count { $0 == .failure(.full) } == 3)
            #expect(results.prefix(3).allSatisfy { $0 == .failure(.full) })
        }
    }

    @Test func aCancelledCallEndsAtOnceAndKeepsNobodyOut() async {
        let lane = BlockingLane(name: "test", threads: 1, queueMax: 1)
        let (gate, begun) = (Gate(), DispatchSemaphore(value: 0))
        async let running = lane.run(within: Self.long) {
            begun.signal()
            gate.pass()
        }
        await Self.wait(for: begun)
        let waiting = Task { await lane.run(within: Self.long) { 1 } }
        while lane.load.queued < 1 { await Task.yield() }
        #expect(lane.load == LaneLoad(busy: 1, queued: 1))
        waiting.cancel()
        #expect(await waiting.value == .failure(.cancelled))
        #expect(lane.load == LaneLoad(busy: 1, queued: 0))
        // The place of the cancelled call is free.
        let next = Task { await lane.run(within: Self.long) { 2 } }
        while lane.load.queued < 1 { await Task.yield() }
        gate.open()
        #expect(await next.value == .success(2))
        _ = await running
    }

    @Test func aTaskThatIsCancelledAlreadyDoesNotRun() async {
        let lane = BlockingLane(name: "test", threads: 1, queueMax: 1)
        let ran = Mutex(false)
        let task = Task {
            while !Task.isCancelled { await Task.yield() }
            return await lane.run(within: Self.long) { ran.withLock { $0 = true } }
        }
        task.cancel()
        let result = await task.value
        #expect(result == Result<Void, LaneRefusal>.failure(.cancelled))
        #expect(!ran.withLock { $0 })
    }

    @Test func limitsChange() async {
        let lane = BlockingLane(name: "test", threads: 1, queueMax: 1)
        let gate = Gate()
        let calls = (0..<3).map { number in
            Task { await lane.run(within: Self.long) { gate.pass(); return number } }
        }
        // One runs, one waits, one is refused; which, nobody knows.
        var refused = 0
        lane.setLimits(threads: 3, queueMax: 10)
        let more = (0..<3).map { number in
            Task { await lane.run(within: Self.long) { gate.pass(); return number } }
        }
        while lane.load.busy < 3 { await Task.yield() }
        lane.setLimits(threads: 1, queueMax: 10)
        gate.open()
        for call in calls + more {
            if await call.value == .failure(.full) { refused += 1 }
        }
        #expect(refused <= 1)
        #expect(await lane.run(within: Self.long) { 7 } == .success(7))
        while lane.load.busy > 0 { await Task.yield() }
        #expect(lane.load == LaneLoad(busy: 0, queued: 0))
    }

    /// A moment without threads (a limit of processes that others use up) is over when it is over.
    @Test func aThreadThatCannotBeMadeIsMadeLater() async {
        let isExhausted = Mutex(true)
        let lane = BlockingLane(name: "test", threads: 1, queueMax: 1) { _, body in
            if isExhausted.withLock({ $0 }) { return false }
            Thread(block: body).start()
            return true
        }
        for _ in 0..<3 {
            #expect(await lane.run(within: Self.long) { 1 } == .failure(.noThread))
        }
        #expect(lane.load == LaneLoad(busy: 0, queued: 0))
        isExhausted.withLock { $0 = false }
        #expect(await lane.run(within: Self.long) { 2 } == .success(2))
    }

    /// Calls that can run on the threads there are do so when no more can be made.
    @Test func threadsThatAreThereDoWhatOthersCannot() async {
        let left = Mutex(1)
        let lane = BlockingLane(name: "test", threads: 8, queueMax: 10) { _, body in
            let isLeft = left.withLock { left in
                left -= 1
                return left >= 0
            }
            if isLeft { Thread(block: body).start() }
            return isLeft
        }
        let gate = Gate()
        let calls = (0..<3).map { number in
            Task { await lane.run(within: Self.long) { gate.pass(); return number } }
        }
        while lane.load != LaneLoad(busy: 1, queued: 2) { await Task.yield() }
        gate.open()
        for (number, call) in calls.enumerated() { #expect(await call.value == .success(number)) }
    }

    /// Each has its own time, whatever the others have.
    @Test func aShortDeadlineBehindALongOne() async {
        let lane = BlockingLane(name: "test", threads: 1, queueMax: 10)
        let (gate, begun) = (Gate(), DispatchSemaphore(value: 0))
        async let hanging = lane.run(within: Self.long) {
            begun.signal()
            gate.pass()
            return 1
        }
        await Self.wait(for: begun)
        async let middle = lane.run(within: .milliseconds(200)) { 2 }
        async let short = lane.run(within: .milliseconds(1)) { 3 }
        #expect(await short == .failure(.timedOut))
        #expect(await middle == .failure(.timedOut))
        gate.open()
        #expect(await hanging == .success(1))
    }

    /// Each call is followed by another one, `count` times, so that with several such calls some always wait.
    private static func follow(_ lane: BlockingLane, _ count: Int, _ held: Headcount, _ done: DispatchSemaphore) {
        let mark = Held(held)
        let refusal = lane.start {
            withExtendedLifetime(mark) {}
            if count == 0 { done.signal() } else { Self.follow(lane, count - 1, held, done) }
        }
        if refusal != nil { done.signal() }
    }

    /// Under a load without pause the queue never runs empty.
    @Test func whatHasRunIsLetGo() async {
        let lane = BlockingLane(name: "test", threads: 1, queueMax: 1_000)
        let (gate, done, held) = (Gate(), DispatchSemaphore(value: 0), Headcount())
        let refusal = lane.start { gate.pass() }
        #expect(refusal == nil)
        for _ in 0..<10 { Self.follow(lane, 1_000, held, done) }
        gate.open()
        for _ in 0..<10 { await Self.wait(for: done) }
        #expect((10..<200).contains(held.most))
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
