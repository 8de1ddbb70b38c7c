import Synchronization

/// How long something takes: a fixed number of counts, each for a span of durations, the spans growing with the
/// durations. Any thread adds and reads; no lock, no allocation after it is made.
///
/// A percentile is told within an eighth of its value: each power of two has eight spans. Durations below 8 us are told
/// exactly, those beyond the last span (over two minutes) are counted in it.
package final class DurationHistogram: Sendable {
    private static let exactBits = 3
    /// The last span ends at 2^27 us.
    private static let topBit = 27
    /// Eight exact ones, then eight for each further power of two.
    private static let spanCount = 200

    private let counts: InlineArray<200, Atomic<UInt64>>

    package init() {
        self.counts = InlineArray { _ in Atomic(0) }
    }

    /// - Parameter microseconds: a negative one counts as 0.
    package func add(_ microseconds: Int64) {
        self.counts[Self.span(of: UInt64(max(microseconds, 0)))].add(1, ordering: .relaxed)
    }

    /// The longest duration, in microseconds, of the shortest `percent` of all: the end of its span. Nil before the
    /// first.
    ///
    /// - Parameter percent: above 0, at most 100.
    package func percentile(_ percent: Int) -> Int64? {
        var total: UInt64 = 0
        for span in 0..<Self.spanCount { total += self.counts[span].load(ordering: .relaxed) }
        guard total > 0 else { return nil }
        // The rank is rounded up, so that a percentile is a duration that has occurred.
        let share = UInt64(min(max(percent, 1), 100))
        let rank = max((total / 100) * share + ((total % 100) * share + 99) / 100, 1)
        var seen: UInt64 = 0
        for span in 0..<Self.spanCount {
            seen += self.counts[span].load(ordering: .relaxed)
            if seen >= rank { return Self.end(of: span) }
        }
        return Self.end(of: Self.spanCount - 1)
    }

    static func span(of microseconds: UInt64) -> Int {
        guard microseconds >= 1 << UInt64(Self.exactBits) else { return Int(microseconds) }
        let bit = UInt64.bitWidth - 1 - microseconds.leadingZeroBitCount
        guard bit < Self.topBit else { return Self.spanCount - 1 }
        let part = Int(truncatingIfNeeded: microseconds >> UInt64(bit - Self.exactBits)) & 7
        return (bit - Self.exactBits + 1) * 8 + part
    }

    /// The longest duration that is counted in a span.
    static func end(of span: Int) -> Int64 {
        guard span >= 8 else { return Int64(span) }
        let bit = span / 8 + Self.exactBits - 1
        return (Int64(span % 8 + 9) << Int64(bit - Self.exactBits)) - 1
    }
}
