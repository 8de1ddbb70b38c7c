import Testing

@testable import Reactor

extension ThreadRoster.Limits {
    /// Each report counts by itself.
    fileprivate static var immediate: Self { Self(smoothing: 1, awakeReportsMin: 1) }
}

/// Which threads rest: reports in, decisions out.
@Suite struct ThreadRosterTests {
    private typealias Report = ThreadRoster.Report
    private static let period = ThreadRoster.Limits().period

    /// A report of a thread that runs its own worker and perhaps another, both with something to do.
    private func busy(_ share: Double, withGuest: Bool = false) -> Report {
        Report(length: Self.period, busy: share, servedOwn: 100, servedGuest: withGuest ? 100 : 0)
    }

    /// A moment of rest or of work changes nothing.
    @Test func onlyWhatLastsCounts() {
        var roster = ThreadRoster(count: 2)
        var now: MonotonicMicroseconds = 0
        /// Both report; the decisions.
        func period(_ first: Double, _ second: Double, withGuest: Bool = false) -> [ThreadRoster.Decision] {
            now += Self.period
            let host = roster.resting[0] ? 1 : 0
            let decision = roster.report(host, self.busy(first, withGuest: withGuest), now: now)
            return withGuest ? [decision] : [decision, roster.report(1, self.busy(second), now: now)]
        }
        // Too much for one thread from the beginning, though less than too much for the thread that would do it.
        for _ in 0..<20 { #expect(period(0.36, 0.36) == [.goOn, .goOn]) }
        #expect(period(0.1, 0.1) == [.goOn, .goOn])
        #expect(period(0.36, 0.36) == [.goOn, .goOn])
        var decisions: [ThreadRoster.Decision] = []
        for _ in 0..<10 where !roster.resting.contains(true) { decisions += period(0.1, 0.1) }
        #expect(roster.resting.contains(true) && (4...8).contains(decisions.count))
        for _ in 0..<3 { #expect(period(1, 0, withGuest: true) == [.goOn]) }
        #expect(period(0.2, 0, withGuest: true) == [.goOn])
        var overloads = 0
        while period(1, 0, withGuest: true) == [.goOn] { overloads += 1 }
        #expect((2...6).contains(overloads))
    }

    /// A thread that has just woken to much work gives its guest back as soon as it is known to last.
    @Test func muchToDoAfterASleepIsNoticed() {
        var roster = ThreadRoster(count: 2)
        for round in 1...4 {
            _ = roster.report(0, self.busy(0.1), now: Int64(round) * Self.period)
            _ = roster.report(1, self.busy(0.1), now: Int64(round) * Self.period)
        }
        #expect(roster.resting == [false, true])
        var now = 100 * Self.period
        let woken = Report(length: 96 * Self.period, busy: 0.01, servedOwn: 1, servedGuest: 1)
        #expect(roster.report(0, woken, now: now) == .goOn)
        var decisions: [ThreadRoster.Decision] = []
        while decisions.last != .giveBack, decisions.count < 20 {
            now += Self.period
            decisions.append(roster.report(0, self.busy(1, withGuest: true), now: now))
        }
        #expect(decisions.count == 4)
    }

    /// Also where one round takes longer than a sleep.
    @Test func longRoundsAreNoSleep() {
        var roster = ThreadRoster(count: 2, limits: .immediate)
        _ = roster.report(1, self.busy(0.1), now: 0)
        #expect(roster.report(0, self.busy(0.05), now: 1) == .rest(on: 1))
        let long = Report(length: 10 * Self.period, busy: 1, servedOwn: 10, servedGuest: 10)
        #expect(roster.report(1, long, now: 10 * Self.period) == .giveBack)
    }

    @Test func theLessBusyOfTwoQuietThreadsRests() {
        var roster = ThreadRoster(count: 2, limits: .immediate)
        // Of the other one nothing is known yet.
        #expect(roster.report(1, self.busy(0.15), now: 0) == .goOn)
        #expect(roster.report(0, self.busy(0.10), now: 10) == .rest(on: 1))
        #expect(roster.resting == [true, false])
        #expect(roster.report(1, self.busy(0.25, withGuest: true), now: Self.period) == .goOn)
    }

    @Test func ofTwoAlikeTheSecondRests() {
        var roster = ThreadRoster(count: 2, limits: .immediate)
        #expect(roster.report(0, self.busy(0.1), now: 0) == .goOn)
        #expect(roster.report(0, self.busy(0.1), now: Self.period) == .goOn)
        #expect(roster.report(1, self.busy(0.1), now: Self.period) == .rest(on: 0))
    }

    @Test(arguments: [0.25, 0.5, 1.0]) func nobodyRestsWhileTheirWorkIsTooMuchForOne(share: Double) {
        var roster = ThreadRoster(count: 2, limits: .immediate)
        for round in 0..<10 {
            #expect(roster.report(round % 2, self.busy(share), now: Int64(round) * Self.period / 2) == .goOn)
        }
    }

    /// A thread that sleeps costs nothing, and a lone client's worker is best run by itself.
    @Test func whoSleepsIsNoCompany() {
        var roster = ThreadRoster(count: 2, limits: .immediate)
        #expect(roster.report(0, self.busy(0.01), now: 0) == .goOn)
        for round in 6..<100 {
            #expect(roster.report(1, self.busy(0.005), now: Int64(round) * Self.period) == .goOn)
        }
        #expect(roster.resting == [false, false])
    }

    /// What a thread tells after a long sleep says nothing of what it will have to do.
    @Test func whoHasJustWokenGoesOn() {
        var roster = ThreadRoster(count: 2, limits: .immediate)
        let woken = Report(length: 6 * Self.period, busy: 0.01, servedOwn: 3)
        _ = roster.report(0, self.busy(0.1), now: 0)
        #expect(roster.report(1, woken, now: 1) == .goOn)
        #expect(roster.report(0, self.busy(0.005), now: Self.period) == .goOn)
        #expect(roster.report(1, self.busy(0.01), now: Self.period + 1) == .goOn)
        #expect(roster.report(0, self.busy(0.005), now: 2 * Self.period) == .rest(on: 1))
    }

    @Test func theBusiestThatHasRoomIsChosen() {
        var roster = ThreadRoster(count: 4, limits: .immediate)
        _ = roster.report(0, self.busy(0.6), now: 0)
        _ = roster.report(1, self.busy(0.05), now: 0)
        #expect(roster.report(2, self.busy(0.47), now: 0) == .goOn)
        #expect(roster.report(3, self.busy(0.02), now: 1) == .rest(on: 2))
        // Thread 2 is full now, though it has not reported since.
        #expect(roster.report(1, self.busy(0.05), now: 2) == .goOn)
    }

    @Test func aThreadThatHasTooMuchToDoGivesBack() {
        var roster = ThreadRoster(count: 2, limits: .immediate)
        _ = roster.report(1, self.busy(0.1), now: 0)
        #expect(roster.report(0, self.busy(0.05), now: 1) == .rest(on: 1))
        #expect(roster.report(1, self.busy(0.8, withGuest: true), now: Self.period) == .goOn)
        #expect(roster.report(1, self.busy(0.81, withGuest: true), now: 2 * Self.period) == .giveBack)
        roster.woke(0)
        #expect(roster.resting == [false, false])
        // What it has to do is its own worker's: nobody would be helped.
        let alone = Report(length: Self.period, busy: 1, servedOwn: 100, servedGuest: 0)
        #expect(roster.report(1, alone, now: 3 * Self.period) == .goOn)
    }

    /// Where the load comes and goes, threads are not moved about all the time.
    @Test func afterTooMuchNobodyRestsForAWhile() {
        var roster = ThreadRoster(count: 2, limits: .immediate)
        let limits = roster.limits
        var now: MonotonicMicroseconds = 0
        var pauses: [MonotonicMicroseconds] = []
        for _ in 0..<12 {
            let began = now
            while !roster.resting[1] {
                now += Self.period
                _ = roster.report(0, self.busy(0.1), now: now)
                _ = roster.report(1, self.busy(0.1), now: now)
            }
            pauses.append(now - began)
            now += Self.period
            #expect(roster.report(0, self.busy(0.9, withGuest: true), now: now) == .giveBack)
            roster.woke(1)
        }
        #expect(pauses[0] == Self.period)
        for (index, pause) in pauses.dropFirst().enumerated() {
            let calm = min(limits.shortestCalm << Int64(index), limits.longestCalm)
            #expect(pause >= calm && pause <= calm + 2 * Self.period)
        }
        // Long after, it is as if nothing had been.
        now += limits.longestCalm * 5
        for thread in [0, 1] { _ = roster.report(thread, self.busy(0.1), now: now) }
        #expect(roster.resting == [false, true])
        #expect(roster.report(0, self.busy(0.9, withGuest: true), now: now) == .giveBack)
        roster.woke(1)
        now += limits.shortestCalm
        for thread in [0, 1] { _ = roster.report(thread, self.busy(0.1), now: now) }
        #expect(roster.resting == [false, true])
    }

    /// The way of a guest's events is longer: a thread whose own worker has hardly any gives its guest back.
    @Test func aThreadWithHardlyAnyOwnWorkGivesBackInTime() {
        var roster = ThreadRoster(count: 2, limits: .immediate)
        _ = roster.report(0, self.busy(0.1), now: 0)
        #expect(roster.report(1, self.busy(0.1), now: 0) == .rest(on: 0))
        let idle = Report(length: Self.period, busy: 0.1, servedOwn: 9, servedGuest: 100)
        for round in 1..<10 { #expect(roster.report(0, idle, now: Int64(round) * Self.period) == .goOn) }
        #expect(roster.report(0, idle, now: 10 * Self.period) == .giveBack)
        roster.woke(1)
        // What it did with its guest is not what it will do without.
        #expect(roster.report(1, self.busy(0.09), now: 11 * Self.period) == .goOn)
        // It may be as before soon, and is tried again after the shortest time.
        let next = 11 + roster.limits.shortestCalm / Self.period
        for round in 12..<next {
            for thread in [0, 1] {
                let decision = roster.report(thread, self.busy(0.1), now: round * Self.period)
                #expect(decision == .goOn || round == next - 1)
            }
        }
        _ = roster.report(0, self.busy(0.1), now: next * Self.period)
        _ = roster.report(1, self.busy(0.1), now: next * Self.period)
        #expect(roster.resting == [false, true])
        // Also where there is little to do at all.
        let slow = Report(length: Self.period, busy: 0.01, servedOwn: 0, servedGuest: 1)
        for round in next + 1..<next + 10 { #expect(roster.report(0, slow, now: round * Self.period) == .goOn) }
        #expect(roster.report(0, slow, now: (next + 10) * Self.period) == .giveBack)
    }

    /// A thread with many guests gives them back one by one: that is one overload, not one for each.
    @Test func manyGuestsAreOneOverload() {
        var roster = ThreadRoster(count: 8, limits: .immediate)
        _ = roster.report(0, self.busy(0.02), now: 0)
        for thread in 1..<8 { #expect(roster.report(thread, self.busy(0.01), now: 1) == .rest(on: 0)) }
        var now: MonotonicMicroseconds = 0
        for thread in 1..<8 {
            now += Self.period
            #expect(roster.report(0, self.busy(0.9, withGuest: true), now: now) == .giveBack)
            roster.woke(thread)
        }
        now += roster.limits.shortestCalm
        _ = roster.report(0, self.busy(0.02), now: now)
        #expect(roster.report(1, self.busy(0.01), now: now) == .rest(on: 0))
    }

    /// Where the kernel will not have it, nobody tries again and again.
    @Test func whoWasRefusedDoesNotComeBackSoon() {
        var roster = ThreadRoster(count: 2, limits: .immediate)
        _ = roster.report(0, self.busy(0.1), now: 0)
        #expect(roster.report(1, self.busy(0.1), now: 0) == .rest(on: 0))
        roster.refused(now: 0)
        roster.woke(1)
        for round in 1...300 {
            for thread in [0, 1] {
                #expect(roster.report(thread, self.busy(0.1), now: Int64(round) * Self.period) == .goOn)
            }
        }
    }

    @Test func nobodyRestsOnAThreadThatEndsOrRests() {
        var roster = ThreadRoster(count: 3, limits: .immediate)
        _ = roster.report(0, self.busy(0.1), now: 0)
        #expect(roster.report(1, self.busy(0.1), now: 0) == .rest(on: 0))
        roster.left(0)
        #expect(roster.report(2, self.busy(0.01), now: 0) == .goOn)
        #expect(roster.report(0, self.busy(0.1), now: 0) == .goOn)
    }
}
