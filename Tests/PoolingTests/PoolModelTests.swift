import Pooling
import Testing

/// The machine against the reference, over random walks that are the same on every run.
@Suite("The pool follows its rules")
struct PoolModelTests {
    static let settings: [PoolRehearsal.Setting] = [
        .init(name: "one of everything", limits: .make(size: 1, creates: 1), workers: 1, openFailures: 10, pace: 10),
        .init(
            name: "small, all timers on",
            limits: .make(
                size: 3, min: 1, creates: 2, idleTimeout: 200, lifetime: 3_000, idleCheck: 100, wait: 1_000, window: 4
            ),
            workers: 2, openFailures: 10, pace: 40
        ),
        .init(
            name: "usual",
            limits: .make(size: 20, min: 5, idleTimeout: 500, lifetime: 10_000, idleCheck: 100, wait: 5_000),
            workers: 2, openFailures: 2, pace: 40
        ),
        .init(
            name: "round robin",
            limits: .make(
                size: 7, min: 2, creates: 3, idleTimeout: 300, lifetime: 5_000, idleCheck: 200, wait: 900,
                roundRobin: true, window: 2
            ),
            workers: 3, openFailures: 10, pace: 30
        ),
        .init(
            name: "strict order", limits: .make(size: 4, creates: 1, lifetime: 4_000, window: 0), workers: 4,
            openFailures: 20, pace: 20
        ),
        .init(
            name: "server mostly down", limits: .make(size: 10, min: 3, creates: 4, wait: 2_000, window: 8), workers: 2,
            openFailures: 85, pace: 5_000
        ),
        .init(
            name: "long queue", limits: .make(size: 2, creates: 2, lifetime: 50_000, window: 16), workers: 4,
            openFailures: 30, pace: 10
        ),
        .init(
            name: "short lives",
            limits: .make(size: 20, min: 20, creates: 20, idleTimeout: 50, lifetime: 200, window: 1),
            workers: 4, openFailures: 5, pace: 10
        ),
    ]

    static let stepsPerSetting = 25_000

    @Test("random walk", arguments: settings, [UInt64(1), 2])
    func walk(_ setting: PoolRehearsal.Setting, seed: UInt64) throws {
        var rehearsal = PoolRehearsal(setting, seed: seed)
        try rehearsal.run(steps: Self.stepsPerSetting / 2)
    }

    @Test("the walks reach every outcome")
    func reach() throws {
        var seen: [String: Int] = [:]
        var mostPassed = 0
        for (number, setting) in Self.settings.enumerated() {
            var rehearsal = PoolRehearsal(setting, seed: UInt64(number) + 100)
            try rehearsal.run(steps: Self.stepsPerSetting / 5)
            seen.merge(rehearsal.seen, uniquingKeysWith: +)
            mostPassed = max(mostPassed, rehearsal.mostPassed)
        }
        let outcomes = [
            "server", "stale", "open", "wait", "idle", "granted", "failed", "expired", "cancelled", "lifetime",
            "reconnect", "pool size", "housekeeping lifetime", "housekeeping idle timeout", "prewarm", "returned",
        ]
        for outcome in outcomes {
            #expect(seen[outcome, default: 0] > 10, "\(outcome): \(seen[outcome, default: 0])")
        }
        #expect(mostPassed > 1)
    }
}
