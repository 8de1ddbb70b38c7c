import AuthProviders
import Dispatch
import Foundation
import Glibc
import PGWire
import Reactor
import Synchronization
import Testing

@testable import Gateway

/// Names of servers, looked up by a resolver that the test plays.
@Suite struct HostResolverTests {
    /// What a resolver says, one look-up after the other; each waits until it is let go.
    private final class Script: @unchecked Sendable {
        static let outage = ["outage"]

        let gate = DispatchSemaphore(value: 0)
        private let answers: [[String]]
        private let asked = Mutex(0)

        init(_ answers: [[String]]) { self.answers = answers }

        var askedCount: Int { self.asked.withLock { $0 } }

        func lookUp(port: UInt16) -> SocketAddress.Resolution {
            let number = self.asked.withLock { asked -> Int in
                asked += 1
                return asked - 1
            }
            self.gate.wait()
            let hosts = number < self.answers.count ? self.answers[number] : []
            if hosts.isEmpty { return .failed("Name or service not known") }
            if hosts == Self.outage { return .unavailable("Temporary failure in name resolution") }
            return .found(hosts.compactMap { SocketAddress(numericHost: $0, port: port) })
        }
    }

    /// What those who asked were told.
    private final class Told: Sendable {
        private let texts = Mutex<[String]>([])

        var all: [String] { self.texts.withLock { $0 } }

        func note(_ answer: Result<[SocketAddress], HostResolver.Failure>) {
            let text: String
            switch answer {
            case .success(let addresses): text = addresses.map(\.description).joined(separator: " ")
            case .failure(let failure): text = failure.reason
            }
            self.texts.withLock { $0.append(text) }
        }
    }

    /// The time of the resolver, in seconds.
    private final class Clock: Sendable {
        private let seconds = Mutex<MonotonicMicroseconds>(100)

        var now: MonotonicMicroseconds { self.seconds.withLock { $0 * 1_000_000 } }

        func advance(_ seconds: MonotonicMicroseconds) { self.seconds.withLock { $0 += seconds } }
    }

    /// Why last known addresses are used.
    private final class Warnings: Sendable {
        private let reasons = Mutex<[String]>([])

        var all: [String] { self.reasons.withLock { $0 } }

        func note(_ reason: String) { self.reasons.withLock { $0.append(reason) } }
    }

    private let worker: Worker
    private let clock = Clock()
    private let warnings = Warnings()

    init() throws { self.worker = try Worker(index: 0) }

    private func resolver(_ script: Script) -> HostResolver {
        let (clock, warnings) = (self.clock, self.warnings)
        return HostResolver(
            lookUp: { _, port in script.lookUp(port: port) },
            warn: { _, reason in warnings.note(reason) },
            now: { clock.now }
        )
    }

    private func ask(_ resolver: HostResolver, _ host: String = "db.test") -> Told {
        let told = Told()
        resolver.resolve(host: host, port: 5432, for: self.worker) { told.note($0) }
        return told
    }

    /// Drives the worker until everybody was told.
    private func wait(for told: [Told]) {
        while told.contains(where: { $0.all.isEmpty }) {
            self.worker.runOnce(blocking: false)
            usleep(500)
        }
    }

    @Test func whatNeedsNoLookUpIsToldAtOnce() {
        let script = Script([])
        let resolver = self.resolver(script)
        #expect(self.ask(resolver, "192.0.2.1").all == ["192.0.2.1:5432"])
        #expect(self.ask(resolver, "/run").all == ["unix:/run/.s.PGSQL.5432"])
        for host in ["192.0.2.1", "/run"] { resolver.follow(host: host, port: 5432) }
        #expect(script.askedCount == 0)
    }

    /// A resolver that hangs has one thread per name, however often connections give up and are tried again.
    @Test func oneLookUpOfANameServesAllWhoWait() {
        let script = Script([["192.0.2.1", "192.0.2.2"]])
        let resolver = self.resolver(script)
        let told = (0..<5).map { _ in self.ask(resolver) }
        #expect(told.allSatisfy { $0.all.isEmpty })
        script.gate.signal()
        self.wait(for: told)
        let (one, two) = ("192.0.2.1:5432 192.0.2.2:5432", "192.0.2.2:5432 192.0.2.1:5432")
        #expect(told.flatMap(\.all) == [one, two, one, two, one])
        #expect(script.askedCount == 1)
        #expect(self.ask(resolver).all == [two], "what was found is remembered, each the first one in turn")
    }

    @Test func whoAsksForAnotherNameDoesNotWait() {
        let script = Script([["192.0.2.1"], ["192.0.2.1"]])
        let resolver = self.resolver(script)
        let told = [self.ask(resolver, "one.test"), self.ask(resolver, "two.test")]
        for _ in told { script.gate.signal() }
        self.wait(for: told)
        #expect(told.map(\.all) == [["192.0.2.1:5432"], ["192.0.2.1:5432"]])
        #expect(script.askedCount == 2)
    }

    @Test func aFailureIsToldToAllAndNotRemembered() {
        let script = Script([[], ["192.0.2.7"]])
        let resolver = self.resolver(script)
        let failed = (0..<2).map { _ in self.ask(resolver) }
        script.gate.signal()
        self.wait(for: failed)
        #expect(failed.map(\.all) == [["Name or service not known"], ["Name or service not known"]])
        let told = self.ask(resolver)
        script.gate.signal()
        self.wait(for: [told])
        #expect(told.all == ["192.0.2.7:5432"])
        #expect(script.askedCount == 2)
    }

    /// A resolver of a name that one look-up has found at 192.0.2.1, and that has to be asked for again.
    private func resolverThatHasForgotten(_ script: Script) -> HostResolver {
        let resolver = self.resolver(script)
        script.gate.signal()
        self.wait(for: [self.ask(resolver)])
        self.clock.advance(16)
        return resolver
    }

    private static let noAnswer = "Temporary failure in name resolution"

    @Test func inAnOutageTheLastAddressesAreUsed() {
        let script = Script([["192.0.2.1"], Script.outage])
        let resolver = self.resolverThatHasForgotten(script)
        let told = (0..<2).map { _ in self.ask(resolver) }
        #expect(told.allSatisfy { $0.all.isEmpty }, "another answer may be had")
        script.gate.signal()
        self.wait(for: told)
        #expect(told.map(\.all) == [["192.0.2.1:5432"], ["192.0.2.1:5432"]])
        #expect(self.ask(resolver).all == ["192.0.2.1:5432"])
        #expect(script.askedCount == 2)
        #expect(self.warnings.all == [Self.noAnswer])
    }

    @Test func theLastAddressesAreNotUsedForEver() {
        let script = Script([["192.0.2.1"], Script.outage])
        let resolver = self.resolverThatHasForgotten(script)
        self.clock.advance(3600)
        let told = self.ask(resolver)
        script.gate.signal()
        self.wait(for: [told])
        #expect(told.all == [Self.noAnswer])
        #expect(resolver.lastKnown(host: "db.test", port: 5432).isEmpty)
        #expect(self.warnings.all.isEmpty)
    }

    @Test func aNameThatLeadsElsewhereIsToldOnce() {
        let script = Script([["192.0.2.1"], ["192.0.2.2"]])
        let resolver = self.resolverThatHasForgotten(script)
        #expect(resolver.takeMoved().isEmpty)
        resolver.follow(host: "db.test", port: 5432)
        script.gate.signal()
        var moved = resolver.takeMoved()
        for _ in 0..<20_000 where moved.isEmpty {
            usleep(500)
            moved = resolver.takeMoved()
        }
        #expect(moved == [HostResolver.name("db.test", 5432)])
        #expect(resolver.takeMoved().isEmpty)
        #expect(resolver.left == [HostResolver.name("db.test", 5432): ["192.0.2.1:5432"]])
        #expect(self.ask(resolver).all == ["192.0.2.2:5432"])
    }

    @Test func whoHasWaitedLongEnoughMayHaveTheLastAddresses() {
        let script = Script([["192.0.2.1"], ["192.0.2.2"]])
        let resolver = self.resolverThatHasForgotten(script)
        let told = self.ask(resolver)
        #expect(told.all.isEmpty)
        for _ in 0..<2 {
            #expect(resolver.lastKnown(host: "db.test", port: 5432).map(\.description) == ["192.0.2.1:5432"])
        }
        #expect(self.ask(resolver).all == ["192.0.2.1:5432"], "nor do others wait")
        #expect(resolver.lastKnown(host: "other.test", port: 5432).isEmpty)
        #expect(self.warnings.all == ["the look-up takes long"])
        script.gate.signal()
        self.wait(for: [told])
        #expect(told.all == ["192.0.2.2:5432"])
        #expect(self.ask(resolver).all == ["192.0.2.2:5432"])
        #expect(script.askedCount == 2)
    }

    /// While more waits for Dispatch than it has threads, it counts them in /proc, and ends the process when it cannot:
    /// clients may have taken all descriptors, and /proc may not be mounted.
    @Test func lookUpsRunOnThreadsOfTheirOwn() {
        let threads = Mutex<[String]>([])
        let resolver = HostResolver { _, _ in
            let name = try? String(contentsOfFile: "/proc/thread-self/comm", encoding: .utf8)
            threads.withLock { $0.append(name ?? "") }
            return .failed("Name or service not known")
        }
        self.wait(for: [self.ask(resolver)])
        #expect(threads.withLock { $0 } == ["server names\n"])
    }

    @Test func whoAsksWhenThereIsNoThreadIsToldAndMayAskAgain() {
        let attempts = Mutex(0)
        let lane = BlockingLane(name: "names", threads: 1, queueMax: 8) { _, body in
            let isFirst = attempts.withLock { attempts -> Bool in
                attempts += 1
                return attempts == 1
            }
            if isFirst { return false }
            Thread.detachNewThread(body)
            return true
        }
        let script = Script([["192.0.2.1"]])
        script.gate.signal()
        let resolver = HostResolver(lane: lane, lookUp: { _, port in script.lookUp(port: port) })
        let refused = self.ask(resolver)
        self.wait(for: [refused])
        #expect(refused.all == ["the system has no thread left for a look-up"])
        #expect(script.askedCount == 0)
        let told = self.ask(resolver)
        self.wait(for: [told])
        #expect(told.all == ["192.0.2.1:5432"])
    }

    @Test func whoAsksWhenTooManyLookUpsWaitIsToldAndMayAskAgain() {
        let gate = DispatchSemaphore(value: 0)
        let lane = BlockingLane(name: "names", threads: 1, queueMax: 1)
        // One runs, and one waits.
        for _ in 0..<2 { #expect(lane.start { gate.wait() } == nil) }
        let script = Script([["192.0.2.1"]])
        script.gate.signal()
        let resolver = HostResolver(lane: lane, lookUp: { _, port in script.lookUp(port: port) })
        let refused = self.ask(resolver)
        self.wait(for: [refused])
        #expect(refused.all == ["too many look-ups wait"])
        for _ in 0..<2 { gate.signal() }
        while lane.load.busy + lane.load.queued > 0 { usleep(500) }
        let told = self.ask(resolver)
        self.wait(for: [told])
        #expect(told.all == ["192.0.2.1:5432"])
    }
}
