import Glibc
import Synchronization
import Testing

@testable import Reactor

/// Messages from other threads, and jobs of asynchronous functions.
@Suite(.eachDriver, .namesDriver) struct MailboxTests {
    private final class Counters: Sendable {
        let executed = Atomic<Int>(0)
        let posted = Atomic<Int>(0)
        let sent = Atomic<Int>(0)
        let offThread = Atomic<Int>(0)
        let outOfOrder = Atomic<Int>(0)
    }

    /// Counts on its worker's thread what is posted to it.
    private final class Target: Endpoint, @unchecked Sendable {
        let counters: Counters
        private var last = [UInt64](repeating: 0, count: 8)

        init(worker: Worker, counters: Counters) {
            self.counters = counters
            super.init(descriptor: -1, worker: worker)
        }

        override func posted(_ code: UInt64) {
            let sender = Int(code >> 32)
            if unsafe !self.worker.isCurrent { self.counters.offThread.add(1, ordering: .relaxed) }
            if code & 0xffff_ffff != self.last[sender] + 1 { self.counters.outOfOrder.add(1, ordering: .relaxed) }
            self.last[sender] = code & 0xffff_ffff
            self.counters.posted.add(1, ordering: .relaxed)
        }
    }

    /// Closes itself when it arrives.
    private final class Parcel: Endpoint, @unchecked Sendable {
        let counters: Counters

        init(worker: Worker, counters: Counters) {
            self.counters = counters
            super.init(descriptor: -1, worker: worker)
        }

        override func posted(_ code: UInt64) {
            self.close()
            self.counters.sent.add(1, ordering: .relaxed)
        }
    }

    /// Starts two workers on threads of their own and stops them after `body`.
    ///
    /// - Parameter isRestless: the threads take each other's workers, and give them back, all the time.
    private func withRunningWorkers(isRestless: Bool, _ body: ([Worker]) throws -> Void) throws {
        let workers = try (0..<2).map { index in try Worker.immortal(index: index) }
        let shared = isRestless ? try SharedThreads(workers, limits: .restless) : nil
        let threads = try workers.map { worker in try WorkerThread.start(worker, among: shared) }
        defer {
            for worker in workers { worker.execute { worker.stop() } }
            for thread in threads { thread.join() }
        }
        try body(workers)
    }

    @Test(arguments: [false, true]) func everythingArrivesFromManyThreads(isRestless: Bool) throws {
        let counters = Counters()
        let perThread = isRestless ? 10_000 : 50_000
        try self.withRunningWorkers(isRestless: isRestless) { workers in
            let targets = workers.map { worker in Target(worker: worker, counters: counters) }
            for (worker, target) in zip(workers, targets) { worker.execute { worker.attach(target) } }
            let threads = (0..<4).map { number in
                TestThread {
                    for step in 1...perThread {
                        let worker = workers[step % 2]
                        switch step % 5 {
                        case 0: worker.execute { counters.executed.add(1, ordering: .relaxed) }
                        case 1: worker.send(Parcel(worker: worker, counters: counters), code: 1)
                        default: break
                        }
                        if step % 5 > 1 {
                            let target = targets[number % 2]
                            let sequence = UInt64((step / 5) * 3 + step % 5 - 1)
                            workers[number % 2].post(UInt64(number) << 32 | sequence, to: target)
                        }
                    }
                }
            }
            for thread in threads { thread.join() }
            let total = 4 * perThread
            #expect(
                wait {
                    counters.executed.load(ordering: .relaxed) + counters.posted.load(ordering: .relaxed)
                        + counters.sent.load(ordering: .relaxed) == total
                }
            )
        }
        #expect(counters.executed.load(ordering: .relaxed) == 4 * perThread / 5)
        #expect(counters.sent.load(ordering: .relaxed) == 4 * perThread / 5)
        #expect(counters.posted.load(ordering: .relaxed) == 4 * perThread * 3 / 5)
        #expect(counters.offThread.load(ordering: .relaxed) == 0)
        #expect(counters.outOfOrder.load(ordering: .relaxed) == 0)
    }

    /// One message at a time to a worker that has nothing else to do: each must wake it.
    @Test(arguments: [false, true]) func noWakeUpIsLost(isRestless: Bool) throws {
        let rounds = isRestless ? 5_000 : 20_000
        try self.withRunningWorkers(isRestless: isRestless) { workers in
            let turn = Atomic<Int>(0)
            let bounce = Bouncer(workers: workers, rounds: rounds)
            bounce.next()
            #expect(wait { bounce.count.load(ordering: .relaxed) >= rounds })
            for round in 1...(rounds / 4) {
                workers[round % 2].execute { turn.store(round, ordering: .relaxed) }
                guard wait(seconds: 10, until: { turn.load(ordering: .relaxed) == round }) else {
                    Issue.record("message \(round) did not arrive")
                    return
                }
            }
        }
    }

    /// Sends itself from one worker to the other.
    private final class Bouncer: Sendable {
        let workers: [Worker]
        let rounds: Int
        let count = Atomic<Int>(0)

        init(workers: [Worker], rounds: Int) {
            self.workers = workers
            self.rounds = rounds
        }

        func next() {
            let number = self.count.load(ordering: .relaxed)
            if number >= self.rounds { return }
            self.workers[number % 2].execute {
                self.count.add(1, ordering: .relaxed)
                self.next()
            }
        }
    }

    @Test func postedToItself() throws {
        let worker = try Worker.immortal(index: 0)
        let probe = Probe(descriptor: -1, worker: worker)
        worker.send(probe, code: 1)
        #expect(!probe.isOpen)
        probe.onHappening = { probe, happening in
            if happening == .posted(1) { worker.post(2, to: probe) }
        }
        // Does not sleep: a message waits for the second round.
        worker.runOnce(blocking: true)
        #expect(probe.happenings == [.posted(1)])
        settle(worker)
        #expect(probe.happenings == [.posted(1), .posted(2)])
    }

    @Test func jobsRunOnTheWorkersThread() async throws {
        let worker = try Worker.immortal(index: 0)
        let thread = try WorkerThread.start(worker)
        let counters = Counters()
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<100 {
                group.addTask(executorPreference: worker) {
                    for _ in 0..<20 {
                        if !worker.isCurrent { counters.offThread.add(1, ordering: .relaxed) }
                        counters.executed.add(1, ordering: .relaxed)
                        await Task.yield()
                    }
                    await withCheckedContinuation { continuation in
                        // Resumed from another thread, it comes back to the worker.
                        let other = TestThread { continuation.resume() }
                        other.join()
                    }
                    if !worker.isCurrent { counters.offThread.add(1, ordering: .relaxed) }
                }
            }
        }
        #expect(counters.executed.load(ordering: .relaxed) == 2000)
        #expect(counters.offThread.load(ordering: .relaxed) == 0)
        #expect(!worker.isCurrent)
        worker.execute { worker.stop() }
        thread.join()
    }

    /// Jobs that always make new jobs must not keep sockets waiting.
    @Test func socketsAreServedBetweenJobs() throws {
        let worker = try Worker.immortal(index: 0)
        let (descriptor, peer) = Sockets.pair()
        let probe = Probe(descriptor: descriptor, worker: worker)
        worker.attach(probe)
        let isDone = Atomic<Bool>(false)
        let task = Task(executorPreference: worker) {
            while !isDone.load(ordering: .relaxed) { await Task.yield() }
        }
        peer.write([1])
        #expect(pump(worker, seconds: 10) { probe.consumed == [1] })
        isDone.store(true, ordering: .relaxed)
        _ = task
        settle(worker)
    }
}
