import Sessions
import Testing

@testable import AuthProviders

/// The memory over random walks, against what must hold whatever happens: who waits is answered once; nobody gets an
/// answer older than its lifetime, or from before an invalidation that came before the question; queries for one user
/// do not run side by side but over an invalidation; doubt leads to at most one query per interval.
@Suite struct AuthQueryModelTests {
    private static let lifetime: Int64 = 200
    private static let unknownLifetime: Int64 = 60
    private static let interval: Int64 = 20

    /// One query under way, and what its server would say: the state of the world when it began.
    private struct Flight {
        let id: UInt64
        let user: String
        let record: AuthQueryRecord
        let began: Int64
        var isDetached = false
    }

    private struct Walk {
        var random: SeededRandom
        var machine: AuthQueryMachine<Int>
        var now: Int64 = 0
        /// What the server has, and since when.
        var world: [String: AuthQueryRecord] = [:]
        var flights: [Flight] = []
        /// Waiter -> user, when it asked.
        var waiting: [Int: (user: String, since: Int64)] = [:]
        var nextWaiter = 0
        var nextSecret = 0
        /// What the server has said of a user, and when.
        var said: [String: [(record: AuthQueryRecord, at: Int64)]] = [:]
        var lastAnswer: [String: Int64] = [:]
        var seen: [String: Int] = [:]

        init(seed: UInt64, entriesMax: Int) {
            self.random = SeededRandom(seed)
            self.machine = AuthQueryMachine(
                limits: AuthQueryMachine.Limits(
                    lifetime: AuthQueryModelTests.lifetime,
                    unknownLifetime: AuthQueryModelTests.unknownLifetime,
                    minInterval: AuthQueryModelTests.interval,
                    entriesMax: entriesMax
                )
            )
        }

        mutating func step() {
            self.now += Int64(self.random.below(6))
            let user = "u\(self.random.below(12))"
            switch self.random.below(20) {
            case 0, 1:
                self.nextSecret += 1
                self.world[user] = self.random.chance(30) ? .unknown : .numbered(self.nextSecret)
            case 2:
                let target = self.random.chance(80) ? user : nil
                self.machine.invalidate(target)
                for index in self.flights.indices where target == nil || self.flights[index].user == target {
                    self.flights[index].isDetached = true
                }
                // What was said before counts no more.
                if let target { self.said[target] = nil } else { self.said = [:] }
            case 3, 4: self.machine.distrust(user)
            case 5...9: self.land()
            case 10...12:
                if let record = self.machine.recall(user, now: self.now) { self.check(record, user) }
            case 13...16: self.asked(user) { $0.ask(user, now: $1, waiter: $2) }
            default:
                let secret = self.said[user]?.last?.record.secret
                self.asked(user) { $0.askAfresh(user, insteadOf: secret, now: $1, waiter: $2) }
            }
        }

        mutating func asked(
            _ user: String,
            _ ask: (inout AuthQueryMachine<Int>, Int64, Int) -> AuthQueryMachine<Int>.Step
        ) {
            self.nextWaiter += 1
            let waiter = self.nextWaiter
            switch ask(&self.machine, self.now, waiter) {
            case .answered(let record): self.check(record, user)
            case .tooSoon:
                self.seen["too soon", default: 0] += 1
                #expect(self.now - (self.lastAnswer[user] ?? .min / 2) < AuthQueryModelTests.interval)
            case .waits:
                self.seen["waits", default: 0] += 1
                #expect(self.flights.contains { $0.user == user && !$0.isDetached })
                self.waiting[waiter] = (user, self.now)
            case .begins(let id):
                self.seen["begins", default: 0] += 1
                #expect(!self.flights.contains { $0.user == user && !$0.isDetached })
                self.waiting[waiter] = (user, self.now)
                let record = self.world[user] ?? .unknown
                self.flights.append(Flight(id: id, user: user, record: record, began: self.now))
            }
        }

        /// A record from memory: the server said it, not too long ago, and after the last invalidation.
        mutating func check(_ record: AuthQueryRecord, _ user: String) {
            self.seen["remembered", default: 0] += 1
            let lifetime =
                record.secret == nil ? AuthQueryModelTests.unknownLifetime : AuthQueryModelTests.lifetime
            let isSound = self.said[user]?.contains { said in
                said.record == record && self.now - said.at < lifetime
            }
            #expect(isSound == true)
        }

        mutating func land() {
            guard !self.flights.isEmpty else { return }
            let flight = self.flights.remove(at: self.random.below(self.flights.count))
            let fails = self.random.chance(20)
            let result: Result<AuthQueryRecord, AuthQueryProblem> =
                fails ? .failure(AuthQueryProblem("down")) : .success(flight.record)
            let (waiters, answer) = self.machine.land(flight.id, result, now: self.now)
            #expect(!waiters.isEmpty)
            for waiter in waiters {
                let removed = self.waiting.removeValue(forKey: waiter)
                #expect(removed?.user == flight.user)
            }
            switch answer {
            case .unavailable: #expect(fails)
            case .record(let record, let isFresh):
                #expect(isFresh != fails)
                if !isFresh { self.check(record, flight.user) }
            }
            if !fails, !flight.isDetached {
                self.said[flight.user, default: []].append((flight.record, self.now))
                self.lastAnswer[flight.user] = self.now
            }
        }
    }

    @Test(arguments: [UInt64(1), 2, 3, 4], [2, 8, 100])
    func walk(seed: UInt64, entriesMax: Int) {
        var walk = Walk(seed: seed, entriesMax: entriesMax)
        for _ in 0..<20_000 { walk.step() }
        while !walk.flights.isEmpty { walk.land() }
        #expect(walk.waiting.isEmpty && walk.machine.flightCount == 0)
        #expect(walk.machine.entryCount <= max(entriesMax, 2))
        for outcome in ["too soon", "waits", "begins", "remembered"] { #expect(walk.seen[outcome, default: 0] > 50) }
    }
}
