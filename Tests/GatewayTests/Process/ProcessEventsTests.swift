import Dispatch
import Synchronization
import Testing

@testable import Gateway

/// How a stop waits for those whom it lets finish.
@Suite struct ProcessEventsTests {
    /// How many are there.
    private final class Crowd: Sendable {
        private let people: Atomic<Int>

        init(_ count: Int) { self.people = Atomic(count) }

        var count: Int { self.people.load(ordering: .relaxed) }

        func leave() { self.people.subtract(1, ordering: .relaxed) }
    }

    @Test func aWaitEndsWhenTheLastHasLeft() {
        let (events, crowd) = (ProcessEvents(), Crowd(2))
        let start = ContinuousClock.now
        events.waitUntilEmpty(timeout: .seconds(60)) {
            let count = crowd.count
            if count > 0 {
                // Heard no sooner than the wait has begun.
                DispatchQueue.global().async {
                    crowd.leave()
                    events.somebodyLeft()
                }
            }
            return count
        }
        #expect(crowd.count <= 0)
        #expect(ContinuousClock.now - start < .seconds(30))
    }

    @Test func aWaitEndsAtItsTime() {
        let start = ContinuousClock.now
        ProcessEvents().waitUntilEmpty(timeout: .milliseconds(20)) { 1 }
        let took = ContinuousClock.now - start
        #expect(took >= .milliseconds(19))
        #expect(took < .seconds(30))
    }
}
