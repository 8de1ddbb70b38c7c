import Glibc
import Synchronization
import Testing

@testable import Reactor

/// Endpoints that pass back and forth between two running workers while their peers echo and, now and then, say
/// something of their own accord.
@Suite(.eachDriver, .namesDriver) struct MovingStressTests {
    /// - Parameter isRestless: the threads take each other's workers, and give them back, all the time.
    @Test(arguments: [false, true]) func nothingIsLostDoubledOrReordered(isRestless: Bool) throws {
        let workers = try (0..<2).map { index in try Worker.immortal(index: index) }
        let shared = isRestless ? try SharedThreads(workers, limits: .restless) : nil
        let hall = Hall(workers: workers, turns: 20_000)
        let pairs = (0..<8).map { _ in Sockets.pair() }
        let echo = Echo(pairs.map(\.peer))
        for (index, pair) in pairs.enumerated() {
            hall.add(Mover(descriptor: pair.descriptor, number: index, worker: workers[index % 2], hall: hall))
        }
        let threads = try workers.map { worker in try WorkerThread.start(worker, among: shared) }
        for worker in workers {
            // More sessions than endpoints of one worker, so that endpoints are taken from the other.
            for _ in 0..<3 { worker.execute { hall.beginTurn(on: worker) } }
        }
        #expect(wait(seconds: 120) { hall.isFinished })
        for mover in hall.movers { mover.hangUp() }
        echo.join()
        for worker in workers { worker.execute { worker.stop() } }
        for thread in threads { thread.join() }
        let facts = hall.facts
        #expect(facts.turns >= 20_000)
        #expect(facts.moves > 100)
        #expect(facts.mistakes == 0)
        // What the peers said unasked has been heard, but for what was said after the last turn.
        #expect(facts.asides <= echo.asides && facts.asides + 8 >= echo.asides)
    }
}

/// The pool of this test: who is idle, and at which worker. The lock orders the owners of an endpoint.
private final class Hall: Sendable {
    struct Facts {
        var turns = 0
        var moves = 0
        var asides = 0
        var mistakes = 0
    }

    private struct State {
        var idle: Set<Int> = []
        /// Where each endpoint is registered.
        var homes: [Int] = []
        var movers: [Mover] = []
        var facts = Facts()
        var active = 0
    }

    let workers: [Worker]
    private let turns: Int
    private let state = Mutex(State())

    init(workers: [Worker], turns: Int) {
        self.workers = workers
        self.turns = turns
    }

    var facts: Facts { self.state.withLock { $0.facts } }
    var movers: [Mover] { self.state.withLock { $0.movers } }
    var isFinished: Bool { self.state.withLock { $0.facts.turns >= self.turns && $0.active == 0 } }

    /// Before the workers run.
    func add(_ mover: Mover) {
        let worker = unsafe mover.worker
        worker.attach(mover)
        worker.share(mover)
        self.state.withLock {
            $0.movers.append(mover)
            $0.homes.append(worker.index)
            $0.idle.insert(mover.number)
        }
    }

    /// On `worker`'s thread: takes any idle endpoint, preferably one that is elsewhere.
    func beginTurn(on worker: Worker) {
        let mover = self.state.withLock { state -> Mover? in
            guard state.facts.turns < self.turns else { return nil }
            let elsewhere = state.idle.first { state.homes[$0] != worker.index }
            guard let number = elsewhere ?? state.idle.first else { return nil }
            state.idle.remove(number)
            if state.homes[number] != worker.index { state.facts.moves += 1 }
            state.homes[number] = worker.index
            state.facts.turns += 1
            state.active += 1
            return state.movers[number]
        }
        guard let mover else { return }
        worker.adopt(mover)
        mover.begin()
    }

    /// The endpoint's turn is over. Must be the owner's last touch.
    func publish(_ mover: Mover, on worker: Worker, mistakes: Int, asides: Int, endsTurn: Bool) {
        worker.share(mover)
        self.state.withLock {
            $0.facts.mistakes += mistakes
            $0.facts.asides += asides
            if endsTurn { $0.active -= 1 }
            $0.idle.insert(mover.number)
        }
        if endsTurn { worker.execute { self.beginTurn(on: worker) } }
    }

    /// Traffic at `worker`: true when the endpoint is idle there, and now the caller's.
    func claim(_ number: Int, on worker: Worker) -> Bool {
        self.state.withLock { $0.homes[number] == worker.index && $0.idle.remove(number) != nil }
    }
}

/// One endpoint: sends a run of a sequence and expects it back.
private final class Mover: Endpoint, @unchecked Sendable {
    static let aside: UInt8 = 255

    let number: Int
    private let hall: Hall
    private var sent = 0
    private var received = 0
    private var isTurn = false
    private var asides = 0
    private var mistakes = 0

    init(descriptor: Int32, number: Int, worker: Worker, hall: Hall) {
        self.number = number
        self.hall = hall
        super.init(descriptor: descriptor, worker: worker)
    }

    func begin() {
        self.isTurn = true
        let count = self.sent % 613 + 1
        let run = pattern(count, from: self.sent)
        self.sent += count
        self.send(run)
    }

    /// After all turns: the peer finds the end.
    func hangUp() { self.shutdownSending() }

    override func received(_ bytes: Span<UInt8>) -> Int {
        for index in 0..<bytes.count {
            if bytes[index] == Self.aside {
                self.asides += 1
            } else {
                if bytes[index] != UInt8(self.received % 251) { self.mistakes += 1 }
                self.received += 1
            }
        }
        if self.received > self.sent { self.mistakes += 1 }
        if self.received == self.sent { self.publish(endsTurn: self.isTurn) }
        return bytes.count
    }

    override func nothingToRead() {
        if !self.isTurn { self.publish(endsTurn: false) }
    }

    private func publish(endsTurn: Bool) {
        let (mistakes, asides) = (self.mistakes, self.asides)
        self.isTurn = false
        self.mistakes = 0
        self.asides = 0
        unsafe self.hall.publish(self, on: self.worker, mistakes: mistakes, asides: asides, endsTurn: endsTurn)
    }

    override func trafficWhileShared(on worker: Worker) {
        guard self.hall.claim(self.number, on: worker) else { return }
        worker.unshare(self)
        worker.look(self)
    }

    override func ended() {}
}

/// A thread that sends back what comes, and adds a byte of its own to every seventh answer, a little late.
private final class Echo: @unchecked Sendable {
    private var thread: TestThread?
    /// Written by the thread, read after it has been joined.
    private(set) var asides = 0

    init(_ peers: [Peer]) {
        self.thread = TestThread { [self] in
            var open = peers
            var answers = 0
            while !open.isEmpty {
                var polled = open.map { pollfd(fd: $0.descriptor, events: Int16(POLLIN), revents: 0) }
                _ = unsafe poll(&polled, nfds_t(polled.count), -1)
                var late: [Peer] = []
                for (index, peer) in open.enumerated().reversed() where polled[index].revents != 0 {
                    guard let bytes = peer.read(), !bytes.isEmpty else {
                        open.remove(at: index)
                        continue
                    }
                    peer.write(bytes)
                    answers += 1
                    if answers % 7 == 0 { late.append(peer) }
                }
                for peer in late {
                    peer.write([Mover.aside])
                    self.asides += 1
                }
            }
        }
    }

    func join() { self.thread?.join() }
}
