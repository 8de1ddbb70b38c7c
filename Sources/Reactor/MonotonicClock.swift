import CReactor

/// Time of the reactor: microseconds of CLOCK_MONOTONIC.
public typealias MonotonicMicroseconds = Int64

package enum MonotonicClock {
    /// The present moment. Costs one vDSO call; inside a worker prefer `Worker.now`, read once per loop round.
    package static func now() -> MonotonicMicroseconds {
        cr_monotonic_nanoseconds() / 1000
    }
}
