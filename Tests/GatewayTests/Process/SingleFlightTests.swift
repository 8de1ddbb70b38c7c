import Synchronization
import Testing

@testable import Gateway

/// Callers with the same question wait for one answer.
struct SingleFlightTests {
    private final class Counter: Sendable {
        private let value = Atomic<Int>(0)
        @discardableResult func add() -> Int { self.value.add(1, ordering: .relaxed).newValue }
        var now: Int { self.value.load(ordering: .relaxed) }
    }

    @Test func manyCallersShareOneAnswer() async {
        let flights = SingleFlight<String, Int>()
        let run = Counter()
        let answers = await withTaskGroup(of: Int.self) { group in
            for _ in 0..<20 {
                group.addTask {
                    await flights.run("key") {
                        while flights.waiters(for: "key") < 20 { await Task.yield() }
                        return run.add()
                    }
                }
            }
            return await group.reduce(into: [Int]()) { $0.append($1) }
        }
        #expect(answers == Array(repeating: 1, count: 20) && run.now == 1)
        #expect(await flights.run("key") { -1 } == -1, "a finished flight is forgotten")
    }
}
