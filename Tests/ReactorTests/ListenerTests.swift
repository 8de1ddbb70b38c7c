import CReactor
import Glibc
import Testing

@testable import Reactor

/// Takes every connection and closes it again.
final class Door: Listener, @unchecked Sendable {
    private(set) var accepted = 0
    private(set) var failures: [Int32] = []
    private(set) var peers: [SocketAddress] = []

    private(set) var events = 0

    override func acceptedAll() { self.events += 1 }

    override func accepted(descriptor: Int32, peer: SocketAddress) {
        self.accepted += 1
        self.peers.append(peer)
        _ = Glibc.close(descriptor)
    }

    override func acceptingFailed(_ error: Int32) { self.failures.append(error) }
}

@Suite(.eachDriver, .namesDriver) struct ListenerTests {
    /// Two workers listening on one socket, of which the first is on duty.
    private func twoDoors() throws -> (duty: AcceptDuty, workers: [Worker], doors: [Door], port: UInt16) {
        let listening = try Sockets.listen(backlog: 256)
        let duty = AcceptDuty()
        let workers = try (0..<2).map { index in try Worker.immortal(index: index) }
        let doors = try workers.enumerated().map { index, worker in
            let descriptor = index == 0 ? listening : try #require(ListeningSocket.duplicate(listening))
            return Door(descriptor: descriptor, worker: worker, duty: duty)
        }
        for (worker, door) in zip(workers, doors) { worker.attach(door) }
        return (duty, workers, doors, ListeningSocket.port(of: listening))
    }

    @Test func onlyTheWorkerOnDutyIsTold() throws {
        let (duty, workers, doors, port) = try self.twoDoors()
        #expect(duty.worker == 0)
        var peers: [Peer] = []
        for round in 1...50 {
            for _ in 0..<4 { peers.append(try #require(Sockets.connect(port: port))) }
            let before = doors[1 - duty.worker].events
            workers[1 - duty.worker].runOnce(blocking: false)
            #expect(doors[1 - duty.worker].events == before)
            // What waits when the duty changes hands is told to the next, and nothing is taken twice.
            if round % 3 != 0 {
                #expect(pump(workers[duty.worker]) { doors[0].accepted + doors[1].accepted == round * 4 })
            }
            duty.hand(to: 1 - duty.worker)
        }
        #expect(pump(workers[duty.worker]) { doors[0].accepted + doors[1].accepted == 200 })
        settle(workers[0], workers[1])
        #expect(doors[0].accepted + doors[1].accepted == 200)
        #expect(doors.allSatisfy { $0.accepted > 50 })
        #expect(doors.allSatisfy { $0.peers.allSatisfy { $0.description.hasPrefix("127.0.0.1:") } })
        for door in doors { door.close() }
    }

    @Test func whoLeavesPassesTheDutyOn() throws {
        let (duty, workers, doors, port) = try self.twoDoors()
        // Nobody of that number listens.
        duty.hand(to: 7)
        #expect(duty.worker == 0)
        let waiting = try #require(Sockets.connect(port: port))
        doors[0].close()
        #expect(duty.worker == 1)
        #expect(pump(workers[1]) { doors[1].accepted == 1 })
        // The closed one shares its socket with one that is open, and is forgotten by the kernel all the same.
        let next = try #require(Sockets.connect(port: port))
        settle(workers[0])
        #expect(pump(workers[1]) { doors[1].accepted == 2 })
        duty.hand(to: 0)
        #expect(duty.worker == 1)
        doors[1].close()
        settle(workers[1])
        #expect(Sockets.connect(port: port) == nil)
        _ = (waiting, next)
    }

    /// The sockets of one worker (TCP, unix) go together.
    @Test func allSocketsOfAWorkerChangeHands() throws {
        let (duty, workers, doors, port) = try self.twoDoors()
        let second = try Sockets.listen(backlog: 16)
        let others = try workers.enumerated().map { index, worker in
            let descriptor = index == 0 ? second : try #require(ListeningSocket.duplicate(second))
            return Door(descriptor: descriptor, worker: worker, duty: duty)
        }
        for (worker, door) in zip(workers, others) { worker.attach(door) }
        duty.hand(to: 1)
        let peers = try [port, ListeningSocket.port(of: second)].map { try #require(Sockets.connect(port: $0)) }
        settle(workers[0])
        #expect(pump(workers[1]) { doors[1].accepted == 1 && others[1].accepted == 1 })
        doors[1].close()
        #expect(duty.worker == 1)
        others[1].close()
        #expect(duty.worker == 0)
        let more = try [port, ListeningSocket.port(of: second)].map { try #require(Sockets.connect(port: $0)) }
        #expect(pump(workers[0]) { doors[0].accepted == 1 && others[0].accepted == 1 })
        for door in [doors[0], others[0]] { door.close() }
        _ = (peers, more)
    }

    /// One that had no descriptor left rests; the duty changes hands meanwhile, and comes back.
    @Test func whoRestsLeavesTheDutyToTheOther() throws {
        let (duty, workers, doors, port) = try self.twoDoors()
        duty.suspend(doors[0])
        let first = try #require(Sockets.connect(port: port))
        settle(workers[0], workers[1])
        #expect(doors.allSatisfy { $0.accepted == 0 })
        duty.hand(to: 1)
        #expect(pump(workers[1]) { doors[1].accepted == 1 })
        // The rest is over, the duty is not back.
        doors[0].deadlinePassed()
        let second = try #require(Sockets.connect(port: port))
        settle(workers[0])
        #expect(doors[0].events == 0)
        #expect(pump(workers[1]) { doors[1].accepted == 2 })
        duty.suspend(doors[1])
        duty.hand(to: 0)
        let third = try #require(Sockets.connect(port: port))
        #expect(pump(workers[0]) { doors[0].accepted == 1 })
        // A rest that ends on duty: the event is there again.
        duty.suspend(doors[0])
        let fourth = try #require(Sockets.connect(port: port))
        settle(workers[0], workers[1])
        doors[0].deadlinePassed()
        #expect(pump(workers[0]) { doors[0].accepted == 2 })
        for door in doors { door.close() }
        _ = (first, second, third, fourth)
    }

    /// The kernel may have no memory for the registration either.
    @Test func aDoorThatCannotBeWatchedRestsAgain() throws {
        let worker = try Worker.immortal(index: 0)
        let listening = try Sockets.listen()
        let door = Door(descriptor: listening, worker: worker)
        worker.attach(door)
        settle(worker)
        door.duty.suspend(door)
        // Watched by somebody else, it is refused.
        #expect(cr_epoll_add(worker.epoll, listening, EventFlags.edge, UInt32.max - 2, 0) == 0)
        door.setDeadline(worker.now)
        #expect(pump(worker) { door.failures == [EEXIST] })
        #expect(door.isOpen)
        #expect(cr_epoll_remove(worker.epoll, listening) == 0)
        let peer = try #require(Sockets.connect(port: ListeningSocket.port(of: listening)))
        #expect(pump(worker) { door.accepted == 1 })
        peer.close()
        door.close()
    }

    /// What does not go away by itself is told, and costs no time; here the listening socket has been shut down.
    @Test func failingForGoodPauses() throws {
        let worker = try Worker.immortal(index: 0)
        let listening = try Sockets.listen()
        let door = Door(descriptor: listening, worker: worker)
        defer { door.close() }
        worker.attach(door)
        settle(worker)
        #expect(Glibc.shutdown(listening, Int32(SHUT_RDWR)) == 0)
        #expect(pump(worker) { !door.failures.isEmpty })
        let start = MonotonicClock.now()
        #expect(pump(worker) { door.failures.count >= 3 })
        #expect(MonotonicClock.now() - start >= Listener.failurePause)
        #expect(door.failures.allSatisfy { $0 == EINVAL })
    }

    /// In a process of its own, whose descriptors are used up.
    @Test func exhaustionPausesAndPasses() async {
        await #expect(processExitsWith: .success) {
            let worker = try Worker.immortal(index: 0)
            let listening = try Sockets.listen()
            let door = Door(descriptor: listening, worker: worker)
            worker.attach(door)
            let peers = (0..<3).compactMap { _ in Sockets.connect(port: ListeningSocket.port(of: listening)) }
            var limit = rlimit()
            unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
            limit.rlim_cur = 64
            unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
            var fillers: [Int32] = []
            // Keeps the test from waiting for ever, should a connection have been accepted.
            let heart = Probe(descriptor: -1, worker: worker)
            worker.attach(heart)
            let start = MonotonicClock.now()
            var rounds = 0
            while door.failures.count < 3, rounds < 1000 {
                while case let filler = dup(listening), filler >= 0 { fillers.append(filler) }
                heart.setDeadline(MonotonicClock.now() + 3 * Listener.failurePause)
                worker.runOnce(blocking: true)
                rounds += 1
            }
            // While it rests the worker sleeps, although connections wait.
            guard peers.count == 3, door.failures == [EMFILE, EMFILE, EMFILE] else { exit(2) }
            guard MonotonicClock.now() - start >= 2 * Listener.failurePause, rounds < 40 else { exit(3) }
            for filler in fillers { _ = close(filler) }
            guard pump(worker, until: { door.accepted == 3 }), door.failures.count == 3 else { exit(4) }
            exit(0)
        }
    }
}

/// Connections that wait in the kernel for their client's first bytes (TCP_DEFER_ACCEPT).
@Suite(.eachDriver, .namesDriver) struct DeferredAcceptTests {
    private func listen(deferring seconds: Int32) throws -> (worker: Worker, door: Door, port: UInt16) {
        var options = SocketOptions()
        options.deferAcceptSeconds = seconds
        let listening = try ListeningSocket.tcp(Sockets.loopback(), backlog: 16, options: options)
        let worker = try Worker.immortal(index: 0)
        let door = Door(descriptor: listening, worker: worker)
        worker.attach(door)
        settle(worker)
        return (worker, door, ListeningSocket.port(of: listening))
    }

    @Test func silentClientsWaitInTheKernel() throws {
        let (worker, door, port) = try self.listen(deferring: 60)
        defer { door.close() }
        let silent = try #require(Sockets.connect(port: port))
        settle(worker)
        #expect(door.accepted == 0)
        let speaking = try #require(Sockets.connect(port: port))
        speaking.write([1])
        #expect(pump(worker) { door.accepted == 1 })
        settle(worker)
        #expect(door.accepted == 1)
        silent.write([1])
        #expect(pump(worker) { door.accepted == 2 })
    }

    @Test func clientsThatCloseAtOnceAreHandedOver() throws {
        let (worker, door, port) = try self.listen(deferring: 60)
        defer { door.close() }
        let client = try #require(Sockets.connect(port: port))
        client.close()
        #expect(pump(worker) { door.accepted == 1 })
    }

    @Test func zeroHandsOverAtOnce() throws {
        let (worker, door, port) = try self.listen(deferring: 0)
        defer { door.close() }
        let client = try #require(Sockets.connect(port: port))
        #expect(pump(worker) { door.accepted == 1 })
        _ = client
    }

    /// A reload sets the options of a socket that listens already, through any of its descriptors.
    @Test func laterOptionsHoldForConnectionsFromThenOn() throws {
        let (worker, door, port) = try self.listen(deferring: 60)
        defer { door.close() }
        let original = try #require(ListeningSocket.duplicate(door.descriptor))
        defer { ListeningSocket.close(original) }
        var options = SocketOptions()
        ListeningSocket.apply(options, to: original)
        let first = try #require(Sockets.connect(port: port))
        #expect(pump(worker) { door.accepted == 1 })
        options.deferAcceptSeconds = 60
        ListeningSocket.apply(options, to: original)
        let second = try #require(Sockets.connect(port: port))
        settle(worker)
        #expect(door.accepted == 1)
        second.write([1])
        #expect(pump(worker) { door.accepted == 2 })
        _ = first
    }
}
