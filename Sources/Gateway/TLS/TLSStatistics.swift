import Reactor
import Synchronization
import TLSEngine
import Telemetry

/// How the handshakes of one side have ended, and how long they took. Kept for the life of the process. Any thread; no
/// lock.
final class TLSStatistics: Sendable {
    private final class Count: Sendable {
        let value = Atomic<Int>(0)
    }

    enum Side: String, Sendable, CaseIterable {
        case clients
        case servers
    }

    let side: Side
    private let done = Atomic<Int>(0)
    private let resumed = Atomic<Int>(0)
    private let direct = Atomic<Int>(0)
    private let underWay = Atomic<Int>(0)
    /// In the order of `TLSFailure.Reason.allCases`.
    private let failures: [(reason: TLSFailure.Reason, count: Count)]
    private let durations = DurationHistogram()

    init(side: Side) {
        self.side = side
        self.failures = TLSFailure.Reason.allCases.map { ($0, Count()) }
    }

    func begins() { self.underWay.add(1, ordering: .relaxed) }

    /// - Parameter microseconds: since the handshake began, waiting for the other side included.
    func ended(_ session: TLSSession, isDirect: Bool, after microseconds: MonotonicMicroseconds) {
        self.underWay.subtract(1, ordering: .relaxed)
        self.done.add(1, ordering: .relaxed)
        if session.isResumed { self.resumed.add(1, ordering: .relaxed) }
        if isDirect { self.direct.add(1, ordering: .relaxed) }
        self.durations.add(microseconds)
    }

    func failed(_ reason: TLSFailure.Reason) {
        self.underWay.subtract(1, ordering: .relaxed)
        self.failures.first { $0.reason == reason }?.count.value.add(1, ordering: .relaxed)
    }

    var doneCount: Int { self.done.load(ordering: .relaxed) }

    var row: TLSRow {
        let failures = self.failures.map { (reason: $0.reason, count: $0.count.value.load(ordering: .relaxed)) }
            .filter { $0.count > 0 }
        return TLSRow(
            side: self.side.rawValue,
            handshakes: self.doneCount,
            resumed: self.resumed.load(ordering: .relaxed),
            direct: self.direct.load(ordering: .relaxed),
            underWay: self.underWay.load(ordering: .relaxed),
            failures: failures.map { ReasonCount(reason: $0.reason.rawValue, count: $0.count) },
            p50Microseconds: self.durations.percentile(50).map { Int(clamping: $0) },
            p90Microseconds: self.durations.percentile(90).map { Int(clamping: $0) },
            p99Microseconds: self.durations.percentile(99).map { Int(clamping: $0) }
        )
    }
}
