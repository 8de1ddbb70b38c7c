import Glibc
import Synchronization
import Testing

@testable import Reactor

extension ThreadRoster.Limits {
    /// Threads rest and come back at every report, one after each round.
    static var restless: Self {
        var limits = Self(period: 1, smoothing: 1, awakeReportsMin: 1, restBelow: 3, giveBackAbove: -1)
        limits.asleepAfter = 1_000_000
        limits.shortestCalm = 0
        limits.longestCalm = 0
        return limits
    }
}

/// Threads that run the workers of others: see `ThreadRosterTests` for when.
@Suite(.eachDriver, .namesDriver, .serialized) struct SharedThreadsTests {
    /// Two or more workers on threads of their own, and whose thread ran each last.
    private final class Scene: Sendable {
        let workers: [Worker]
        let shared: SharedThreads
        let threads: [WorkerThread]
        private let runners: Mutex<[UInt]>
        private let isInside: [Flag]
        let collisions = Atomic<Int>(0)
        let done = Atomic<Int>(0)

        private final class Flag: Sendable { let isSet = Atomic<Bool>(false) }

        init(_ count: Int, limits: ThreadRoster.Limits = ThreadRoster.Limits()) throws {
            let workers = try (0..<count).map { try Worker.immortal(index: $0) }
            let shared = try SharedThreads(workers, limits: limits)
            self.workers = workers
            self.shared = shared
            self.runners = Mutex(Array(repeating: 0, count: count))
            self.isInside = (0..<count).map { _ in Flag() }
            self.threads = try workers.map { try WorkerThread.start($0, among: shared) }
        }

        /// Runs on the worker and takes `microseconds` of its thread's time.
        func work(_ index: Int, microseconds: MonotonicMicroseconds = 0) {
            self.workers[index].execute {
                let end = MonotonicClock.now() + microseconds
                if self.isInside[index].isSet.exchange(true, ordering: .acquiringAndReleasing) {
                    self.collisions.add(1, ordering: .relaxed)
                }
                if !self.workers[index].isCurrent { self.collisions.add(1, ordering: .relaxed) }
                self.runners.withLock { $0[index] = UInt(pthread_self()) }
                while MonotonicClock.now() < end {}
                self.isInside[index].isSet.store(false, ordering: .releasing)
                self.done.add(1, ordering: .releasing)
            }
        }

        /// Each worker works for as long, again and again, with a pause between.
        func work(each microseconds: MonotonicMicroseconds, until holds: () -> Bool) -> Bool {
            wait(seconds: 60) {
                let before = self.done.load(ordering: .acquiring)
                usleep(1000)
                for index in self.workers.indices { self.work(index, microseconds: microseconds) }
                return wait { self.done.load(ordering: .acquiring) >= before + self.workers.count } && holds()
            }
        }

        var runnerCount: Int { Set(self.runners.withLock { $0 }).count }
        var restingCount: Int { self.shared.resting.count { $0 } }

        func stop(_ order: [Int]? = nil) {
            for index in order ?? Array(self.workers.indices) {
                let worker = self.workers[index]
                worker.execute { worker.stop() }
            }
            for thread in self.threads { thread.join() }
        }
    }

    @Test(arguments: [2, 4]) func workersWithLittleToDoShareAThreadUntilTheyHaveMore(count: Int) throws {
        var limits = ThreadRoster.Limits()
        limits.smoothing = 1
        limits.restBelow = 0.9
        limits.giveBackAbove = 0.95
        limits.shortestCalm = 1000
        limits.longestCalm = 1000
        let scene = try Scene(count, limits: limits)
        #expect(scene.work(each: 0) { scene.restingCount == count - 1 && scene.runnerCount == 1 })
        // Much to do: 30 ms for each at a time.
        #expect(scene.work(each: 30_000) { scene.restingCount < count - 1 && scene.runnerCount > 1 })
        #expect(scene.work(each: 0) { scene.restingCount == count - 1 && scene.runnerCount == 1 })
        scene.stop()
        #expect(scene.collisions.load(ordering: .relaxed) == 0)
    }

    @Test func aWorkerAloneIsRunByItsOwnThread() throws {
        let scene = try Scene(2)
        for _ in 0..<200 {
            scene.work(1)
            usleep(500)
        }
        #expect(scene.restingCount == 0)
        scene.stop()
    }

    /// Messages, jobs, deadlines and bytes find their worker wherever it is run, and it is run by one thread at a time.
    @Test(arguments: [2, 3]) func nothingIsLostWhileThreadsRestAndComeBack(count: Int) async throws {
        let scene = try Scene(count, limits: .restless)
        let rests = Atomic<Int>(0)
        let isOver = Atomic<Bool>(false)
        let watcher = TestThread {
            while !isOver.load(ordering: .relaxed) {
                if scene.restingCount > 0 { rests.add(1, ordering: .relaxed) }
                usleep(100)
            }
        }
        let bells = scene.workers.map { DeadlineBell(worker: $0) }
        for bell in bells { bell.begin() }
        let senders = (0..<2).map { number in
            TestThread { for step in 0..<8_000 { scene.work((number + step) % count) } }
        }
        await withTaskGroup(of: Void.self) { group in
            for index in 0..<count {
                group.addTask(executorPreference: scene.workers[index]) {
                    for _ in 0..<5_000 {
                        if !scene.workers[index].isCurrent { scene.collisions.add(1, ordering: .relaxed) }
                        await Task.yield()
                    }
                }
            }
        }
        for sender in senders { sender.join() }
        #expect(wait { scene.done.load(ordering: .acquiring) == 16_000 })
        #expect(wait { bells.allSatisfy { $0.count.load(ordering: .relaxed) >= 20 } })
        isOver.store(true, ordering: .relaxed)
        watcher.join()
        scene.stop()
        #expect(scene.collisions.load(ordering: .relaxed) == 0)
        #expect(bells.allSatisfy { $0.strangers.load(ordering: .relaxed) == 0 })
        #expect(rests.load(ordering: .relaxed) > 0)
    }

    /// Has a deadline, and another when it has passed.
    private final class DeadlineBell: Endpoint, @unchecked Sendable {
        let count = Atomic<Int>(0)
        let strangers = Atomic<Int>(0)

        init(worker: Worker) { super.init(descriptor: -1, worker: worker) }

        func begin() { unsafe self.worker.send(self, code: 0) }
        override func posted(_ code: UInt64) { self.deadlinePassed() }

        override func deadlinePassed() {
            if unsafe !self.worker.isCurrent { self.strangers.add(1, ordering: .relaxed) }
            self.count.add(1, ordering: .relaxed)
            unsafe self.setDeadline(self.worker.now + 5_000)
        }
    }

    /// A listener takes one connection at a time and relies on being told of the others.
    @Test(arguments: [2, 30]) func connectionsThatComeTogetherAreAllTaken(count: Int) throws {
        let (host, guest) = (try Worker.immortal(index: 0), try Worker.immortal(index: 1))
        let shared = try SharedThreads([host, guest])
        let loop = try WorkerLoop(own: host, threads: shared)
        loop.takeUp()
        loop.receive(guest)
        loop.round()
        let listening = try Sockets.listen()
        let door = Door(descriptor: listening, worker: guest)
        guest.attach(door)
        let clients = (0..<count).map { _ in Sockets.connect(port: ListeningSocket.port(of: listening)) }
        // A round that is told of nothing sleeps: it is woken in the end, but not for the connections.
        let isOver = Atomic<Bool>(false)
        let alarm = TestThread {
            _ = wait(seconds: 5) { isOver.load(ordering: .relaxed) }
            while !isOver.load(ordering: .relaxed) {
                host.execute {}
                usleep(1000)
            }
        }
        for _ in 0..<(4 * count) where door.accepted < count { loop.round() }
        isOver.store(true, ordering: .relaxed)
        alarm.join()
        #expect(door.accepted == count)
        door.close()
        withExtendedLifetime(clients) {}
    }

    /// Whichever stops first, the one that runs the other or the one that is run, all threads end.
    @Test(arguments: [[0, 1, 2], [2, 1, 0], [1, 0, 2]]) func allStopInAnyOrder(order: [Int]) throws {
        for round in 0..<20 {
            let scene = try Scene(3, limits: round % 2 == 0 ? .restless : ThreadRoster.Limits())
            for step in 0..<round * 3 { scene.work(step % 3) }
            if round % 4 == 1 { _ = scene.work(each: 0) { scene.restingCount > 0 } }
            scene.stop(order)
            #expect(scene.collisions.load(ordering: .relaxed) == 0)
        }
    }
}
