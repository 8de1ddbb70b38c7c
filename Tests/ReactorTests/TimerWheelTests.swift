import Testing

@testable import Reactor

/// Collects what fires until `now`.
private func fired(_ wheel: inout TimerWheel, at now: MonotonicMicroseconds) -> [Int] {
    var due: ContiguousArray<Int> = []
    wheel.advance(to: now, due: &due)
    return due.sorted()
}

@Suite struct TimerWheelTests {
    private static let tick = TimerWheel.granularity

    @Test func firesNeverEarlyAndAtMostOneTickLate() {
        for offset in stride(from: Int64(1), through: 20 * Self.tick, by: 977) {
            var wheel = TimerWheel(now: 1_000_000)
            wheel.arm(3, at: 1_000_000 + offset)
            #expect(fired(&wheel, at: 1_000_000 + offset - 1).isEmpty)
            #expect(fired(&wheel, at: 1_000_000 + offset + Self.tick) == [3])
            #expect(wheel.armedCount == 0)
        }
    }

    @Test func deadlineBeyondOneTurnStays() {
        var wheel = TimerWheel(now: 0)
        let turn = Self.tick * Int64(TimerWheel.bucketCount)
        wheel.arm(0, at: 3 * turn + 5)
        for step in 1...3 { #expect(fired(&wheel, at: Int64(step) * turn).isEmpty) }
        #expect(fired(&wheel, at: 3 * turn + 2 * Self.tick) == [0])
    }

    @Test func movedAndCancelledDeadlines() {
        var wheel = TimerWheel(now: 0)
        wheel.arm(0, at: Self.tick)
        wheel.arm(1, at: Self.tick)
        wheel.arm(2, at: Self.tick)
        wheel.arm(1, at: 10 * Self.tick)
        wheel.cancel(0)
        wheel.cancel(0)
        wheel.cancel(99)
        #expect(wheel.armedCount == 2)
        #expect(fired(&wheel, at: 3 * Self.tick) == [2])
        #expect(fired(&wheel, at: 12 * Self.tick) == [1])
    }

    @Test func longPauseFiresEverythingDueOnce() {
        var wheel = TimerWheel(now: 0)
        for slot in 0..<1000 { wheel.arm(slot, at: Int64(slot) * 5_000) }
        #expect(fired(&wheel, at: 3600 * 1_000_000) == Array(0..<1000))
        #expect(fired(&wheel, at: 7200 * 1_000_000).isEmpty)
    }

    @Test func pastDeadlineFiresNextRound() {
        var wheel = TimerWheel(now: 50 * Self.tick)
        wheel.arm(7, at: 1)
        #expect(fired(&wheel, at: 52 * Self.tick) == [7])
    }

    @Test func nextDueIsThatOfTheNextDeadline() {
        var wheel = TimerWheel(now: 0)
        #expect(wheel.nextDue() == TimerWheel.never)
        wheel.arm(0, at: 1_000_000)
        wheel.arm(1, at: 3_000_000)
        #expect((1_000_000...1_000_000 + 2 * Self.tick).contains(wheel.nextDue()))
        wheel.cancel(0)
        #expect((3_000_000...3_000_000 + 2 * Self.tick).contains(wheel.nextDue()))
        wheel.cancel(1)
        #expect(wheel.nextDue() == TimerWheel.never)
    }

    @Test func randomOperationsAgreeWithAList() {
        var generator = SystemRandomNumberGenerator()
        var wheel = TimerWheel(now: 0)
        var model: [Int: MonotonicMicroseconds] = [:]
        var now: MonotonicMicroseconds = 0
        for _ in 0..<20_000 {
            let slot = Int.random(in: 0..<64, using: &generator)
            switch Int.random(in: 0..<4, using: &generator) {
            case 0, 1:
                let deadline = now + Int64.random(in: 0...10_000_000, using: &generator)
                wheel.arm(slot, at: deadline)
                model[slot] = deadline
            case 2:
                wheel.cancel(slot)
                model[slot] = nil
            default:
                now += Int64.random(in: 0...200_000, using: &generator)
                for due in fired(&wheel, at: now) {
                    #expect((model[due] ?? .max) <= now)
                    model[due] = nil
                }
                // Whatever is overdue by more than a tick must have fired.
                #expect(!model.values.contains { $0 + Self.tick < now })
            }
            #expect(wheel.armedCount == model.count)
        }
    }
}
