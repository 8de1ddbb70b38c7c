import Foundation
import HBA
import Synchronization

/// How often a rule has decided, and when it did last. One per rule, kept over reloads that do not touch the rule. Any
/// thread.
final class RuleUse: Sendable {
    private let count = Atomic<Int>(0)
    /// Microseconds since 1970; 0 before the first time.
    private let last = Atomic<Int64>(0)

    func note(now: Int64) {
        self.count.add(1, ordering: .relaxed)
        self.last.store(now, ordering: .relaxed)
    }

    var hits: Int { self.count.load(ordering: .relaxed) }

    /// Microseconds since 1970.
    var lastHit: Int64? {
        let last = self.last.load(ordering: .relaxed)
        return last == 0 ? nil : last
    }
}

extension Snapshot {
    /// The counts of the same rule in this snapshot.
    func use(of rule: HBARule) -> RuleUse? {
        self.deciding.first { own in
            own.rule.line == rule.line && own.rule.file == rule.file && own.rule.source == rule.source
        }?.use
    }
}

/// The time of day.
enum WallClock {
    /// Microseconds since 1970.
    static var now: Int64 { Int64(Date.now.timeIntervalSince1970 * 1_000_000) }

    /// RFC 3339 in UTC with microseconds, as PostgreSQL's clients read it.
    static func text(_ microseconds: Int64) -> String {
        let seconds = Double(microseconds / 1_000_000)
        let fraction = String(microseconds % 1_000_000 + 1_000_000).dropFirst()
        let format = Date.ISO8601FormatStyle.iso8601.year().month().day().time(includingFractionalSeconds: false)
        let date = Date(timeIntervalSince1970: seconds).formatted(format)
        return "\(date).\(fraction)Z"
    }
}
