import Reactor

/// Whether the clients of one worker come for a moment only, as those do that connect for each transaction.
///
/// How such clients spread evens out by itself, while each change of the worker that takes the next one costs system
/// calls on both: they may stay with the worker that has the door. A visit over TLS does not count, for a handshake
/// costs so much that another core should have its share. Belongs to its worker's thread.
struct BriefVisits {
    /// A visit as long as this is none of these, in microseconds.
    static let longest: MonotonicMicroseconds = 1_000_000
    /// Two that are farther apart do not belong together, in microseconds.
    static let pause: MonotonicMicroseconds = 100_000
    /// As much credit as makes them the rule, and the most there can be.
    static let enough = 8
    static let most = 12

    /// Two for each such client that leaves, less one for each client that comes: it is used up when they come and
    /// stay, however many have left before.
    private var credit = 0
    /// How long they usually last: a moving average, in microseconds.
    private var duration: MonotonicMicroseconds = 0
    private var last = MonotonicMicroseconds.min / 2

    func areTheRule(at now: MonotonicMicroseconds) -> Bool {
        self.credit >= Self.enough && now - self.last < Self.pause
    }

    /// Who has been here for longer is hardly one of them; in microseconds.
    var usualLongest: MonotonicMicroseconds { min(self.duration * 8 + 10_000, Self.longest) }

    mutating func noteArrival() { self.credit = max(self.credit - 1, 0) }

    /// A client leaves at `now` that has been here for `duration`.
    mutating func noteDeparture(after duration: MonotonicMicroseconds, isSecured: Bool, at now: MonotonicMicroseconds) {
        guard duration < Self.longest, !isSecured else {
            self.credit = 0
            return
        }
        let kept = now - self.last < Self.pause ? self.credit : 0
        self.credit = min(kept + 2, Self.most)
        self.last = now
        self.duration += (duration - self.duration) / 8
    }
}
