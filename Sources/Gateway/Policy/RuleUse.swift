import Foundation
import HBA
import PGWire
import Synchronization

/// How often a rule has decided, and when it did last. One per rule, kept over reloads that leave its text as it is.
/// Any thread.
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

/// The counts of a snapshot's rules, handed on to the rules of the next one that have the same text in the same file,
/// wherever they stand there: of several that do, the first gets those of the first.
struct PastRuleUses {
    private struct Key: Hashable {
        let file: ExactName
        let source: ExactName

        init(_ rule: HBARule) {
            self.file = ExactName(rule.file)
            self.source = ExactName(rule.source)
        }
    }

    /// Those that nobody has got yet, the first at the end.
    private var left: [Key: [RuleUse]] = [:]

    /// - Parameter snapshot: nil for none: all rules begin at zero.
    init(of snapshot: Snapshot?) {
        guard let snapshot else { return }
        for decided in snapshot.deciding.reversed() {
            self.left[Key(decided.rule), default: []].append(decided.use)
        }
    }

    /// The counts for a rule; to be asked in the order of the rules.
    mutating func take(_ rule: HBARule) -> RuleUse { self.left[Key(rule)]?.popLast() ?? RuleUse() }
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
