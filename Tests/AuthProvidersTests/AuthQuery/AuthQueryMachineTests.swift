import Sessions
import Testing

@testable import AuthProviders

/// Rules of the memory, one by one. Times are in microseconds; a second is enough for every interval here.
@Suite struct AuthQueryMachineTests {
    private static let second: Int64 = 1_000_000
    private typealias Machine = AuthQueryMachine<Int>

    private static func machine(lifetime: Int64 = 3600, unknown: Int64 = 30, interval: Int64 = 1) -> Machine {
        Machine(
            limits: Machine.Limits(
                lifetime: lifetime * Self.second,
                unknownLifetime: unknown * Self.second,
                minInterval: interval * Self.second,
                entriesMax: 8
            )
        )
    }

    /// A whole query, from an ask to its landing.
    private static func fetch(_ machine: inout Machine, _ record: AuthQueryRecord, now: Int64) {
        guard case .begins(let flight) = machine.ask("u", now: now, waiter: 0) else {
            Issue.record("no query")
            return
        }
        _ = machine.land(flight, .success(record), now: now)
    }

    private static func name(_ step: Machine.Step) -> String {
        switch step {
        case .answered(let record): record == .unknown ? "unknown" : "known"
        case .waits: "waits"
        case .begins: "begins"
        case .tooSoon: "too soon"
        }
    }

    @Test func whoAsksAtTheSameTimeShares() throws {
        var machine = Self.machine()
        #expect(machine.recall("u", now: 0) == nil)
        guard case .begins(let flight) = machine.ask("u", now: 0, waiter: 1) else { return #expect(Bool(false)) }
        for waiter in 2...5 { #expect(Self.name(machine.ask("u", now: 0, waiter: waiter)) == "waits") }
        #expect(Self.name(machine.ask("v", now: 0, waiter: 9)) == "begins")
        let (waiters, answer) = machine.land(flight, .success(.numbered(1)), now: 1)
        #expect(waiters == [1, 2, 3, 4, 5] && answer == .record(.numbered(1), isFresh: true))
        #expect(machine.recall("u", now: 2) == .numbered(1))
        #expect(machine.counters.executorQueries == 2 && machine.counters.misses == 6 && machine.counters.hits == 1)
        #expect(machine.land(flight, .success(.numbered(2)), now: 3).waiters.isEmpty)
    }

    @Test func ages() {
        var machine = Self.machine()
        Self.fetch(&machine, .numbered(1), now: 0)
        #expect(machine.recall("u", now: 3600 * Self.second - 1) == .numbered(1))
        #expect(machine.recall("u", now: 3600 * Self.second) == nil)
        Self.fetch(&machine, .unknown, now: 3600 * Self.second)
        #expect(machine.recall("u", now: 3629 * Self.second) == .unknown)
        #expect(machine.recall("u", now: 3630 * Self.second) == nil)
    }

    @Test func errorsAreNotRemembered() {
        var machine = Self.machine()
        for round in 1...3 {
            guard case .begins(let flight) = machine.ask("u", now: 0, waiter: round)
            else { return #expect(Bool(false)) }
            let (waiters, answer) = machine.land(flight, .failure(AuthQueryProblem("down")), now: 0)
            #expect(waiters == [round] && answer == .unavailable("down"))
        }
        #expect(machine.entryCount == 0 && machine.counters.executorErrors == 3)
    }

    /// A wrong password while the server is down must not lock the user out.
    @Test func aDoubtfulEntryAnswersWhenNobodyElseCan() {
        var machine = Self.machine()
        Self.fetch(&machine, .numbered(1), now: 0)
        machine.distrust("u")
        let now = 5 * Self.second
        guard case .begins(let flight) = machine.ask("u", now: now, waiter: 1) else { return #expect(Bool(false)) }
        let answer = machine.land(flight, .failure(AuthQueryProblem("down")), now: now).answer
        #expect(answer == .record(.numbered(1), isFresh: false))
    }

    @Test(arguments: [AuthQueryRecord.numbered(1), .unknown])
    func doubtIsResolvedOncePerInterval(record: AuthQueryRecord) {
        var machine = Self.machine()
        Self.fetch(&machine, record, now: 0)
        machine.distrust("u")
        #expect(machine.recall("u", now: Self.second - 1) == record)
        #expect(machine.counters.rateLimited == 1)
        #expect(machine.recall("u", now: Self.second) == nil)
        Self.fetch(&machine, .numbered(2), now: Self.second)
        #expect(machine.recall("u", now: 2 * Self.second) == .numbered(2))
        #expect(machine.counters.refetches == 1)
    }

    @Test(arguments: [AuthQueryRecord.numbered(1), .unknown])
    func askingAfresh(record: AuthQueryRecord) {
        var machine = Self.machine()
        Self.fetch(&machine, record, now: 0)
        let early = machine.askAfresh("u", insteadOf: record.secret, now: Self.second - 1, waiter: 1)
        #expect(Self.name(early) == "too soon")
        let due = machine.askAfresh("u", insteadOf: record.secret, now: Self.second, waiter: 2)
        guard case .begins(let flight) = due else { return #expect(Bool(false)) }
        _ = machine.land(flight, .success(.numbered(2)), now: Self.second)
        // Who failed with the old secret meanwhile gets the new one without another query.
        let late = machine.askAfresh("u", insteadOf: record.secret, now: Self.second + 1, waiter: 3)
        #expect(late.isAnswered(.numbered(2)))
        #expect(machine.counters.refetches == 1 && machine.counters.rateLimited == 1)
    }

    /// Also where nothing may be remembered.
    @Test func theIntervalHoldsWithoutAnyLifetime() {
        var machine = Self.machine(lifetime: 0, unknown: 0)
        Self.fetch(&machine, .numbered(1), now: 0)
        #expect(machine.recall("u", now: 0) == nil)
        let step = machine.askAfresh("u", insteadOf: .numbered(1), now: 1, waiter: 1)
        #expect(Self.name(step) == "too soon")
        Self.fetch(&machine, .numbered(1), now: 2)
        #expect(machine.counters.refetches == 0)
    }

    @Test func anAnswerFromBeforeAnInvalidationIsNotKept() {
        for user in ["u", nil] {
            var machine = Self.machine()
            guard case .begins(let old) = machine.ask("u", now: 0, waiter: 1) else { return #expect(Bool(false)) }
            machine.invalidate(user)
            guard case .begins(let new) = machine.ask("u", now: 0, waiter: 2) else { return #expect(Bool(false)) }
            #expect(machine.land(old, .success(.numbered(1)), now: 1).waiters == [1])
            #expect(machine.recall("u", now: 1) == nil)
            #expect(Self.name(machine.ask("u", now: 1, waiter: 3)) == "waits")
            #expect(machine.land(new, .success(.numbered(2)), now: 2).waiters == [2, 3])
            #expect(machine.recall("u", now: 2) == .numbered(2))
        }
    }

    @Test func strangersDoNotPushOutUsers() {
        var machine = Self.machine()
        func look(_ user: String, _ record: AuthQueryRecord) {
            guard case .begins(let flight) = machine.ask(user, now: 0, waiter: 0) else { return }
            _ = machine.land(flight, .success(record), now: 0)
        }
        for number in 0..<6 { look("user \(number)", .numbered(number)) }
        for number in 0..<1000 { look("stranger \(number)", .unknown) }
        for number in 0..<6 { #expect(machine.recall("user \(number)", now: 1) == .numbered(number)) }
        #expect(machine.entryCount == 8)
    }
}

extension AuthQueryMachine.Step {
    func isAnswered(_ record: AuthQueryRecord) -> Bool {
        if case .answered(let own) = self { own == record } else { false }
    }
}
