/// Slows guessing of passwords: remembers failed proofs by address, by user and by both, and says how long an answer or
/// a challenge has to wait.
///
/// The k-th recent failure is answered after `base * 2^(k-1)`, at most `base * maximumFactor`, where k is the larger of
/// the failures from that address and those for that user. Right passwords are answered at once, so nobody is locked
/// out by guesses at his name from elsewhere; only the same user from the same address waits before it is asked again,
/// until the delay of its last failure is over: hanging up early gains nothing. Pure; time is passed in. A value behind
/// the lock of its owner.
package struct FailureThrottle: Sendable {
    /// Microseconds of a monotonic clock.
    package typealias Time = Int64

    /// No delay is longer than so many times `auth_failure_delay`.
    package static let maximumFactor: Int64 = 16
    /// Far more doublings than lead to `maximumFactor`, and far fewer than 64 bits hold.
    private static let doublingsMax = 32
    /// Failures beyond so many are not counted: they would only take longer to be forgotten.
    package static let countMax = 10
    /// One failure is forgotten after this time, then the next.
    package static let forgetInterval: Time = 30_000_000
    /// Addresses, users and pairs of both that are remembered at most, each.
    package static let entriesMax = 4096

    /// Recent failures, and the moment of the last change.
    private struct Tally {
        var count: Int
        var since: Time
    }

    private struct Pair: Hashable {
        let origin: LoginOrigin
        let user: Int
    }

    private struct PairTally {
        var tally: Tally
        /// No challenge before this moment.
        var heldUntil: Time
    }

    private var origins: RecentTable<LoginOrigin, Tally>
    private var users: RecentTable<Int, Tally>
    private var pairs: RecentTable<Pair, PairTally>
    /// When everything that is remembered now will be forgotten.
    package private(set) var quietAt = Time.min

    package init(entriesMax: Int = FailureThrottle.entriesMax) {
        self.origins = RecentTable(limit: entriesMax)
        self.users = RecentTable(limit: entriesMax)
        self.pairs = RecentTable(limit: entriesMax)
    }

    /// A proof failed. Returns how long its answer is held back, in microseconds.
    ///
    /// - Parameter base: the delay of a first failure.
    package mutating func failed(_ origin: LoginOrigin, user: String, base: Int64, now: Time) -> Int64 {
        // Names are remembered as hashes, so that long ones take no more memory.
        let key = user.hashValue
        let pair = Pair(origin: origin, user: key)
        let ofOrigin = Self.increased(self.origins.value(of: origin), now)
        let ofUser = Self.increased(self.users.value(of: key), now)
        self.origins.set(origin, to: ofOrigin)
        self.users.set(key, to: ofUser)
        let delay = Self.delay(max(ofOrigin.count, ofUser.count), base: base)
        let known = self.pairs.value(of: pair)
        let heldUntil = max(known?.heldUntil ?? .min, now + delay)
        self.pairs.set(pair, to: PairTally(tally: Self.increased(known?.tally, now), heldUntil: heldUntil))
        let forgotten = now + Self.forgetInterval * Int64(max(ofOrigin.count, ofUser.count))
        self.quietAt = max(self.quietAt, forgotten, heldUntil)
        return delay
    }

    /// The moment before which this user gets no challenge at this address; nil for none.
    package func challengeHeldUntil(_ origin: LoginOrigin, user: String, now: Time) -> Time? {
        guard let known = self.pairs.value(of: Pair(origin: origin, user: user.hashValue)), known.heldUntil > now
        else { return nil }
        return known.heldUntil
    }

    /// A login went well: the failures of this user at this address count no longer, those of others do.
    package mutating func succeeded(_ origin: LoginOrigin, user: String, now: Time) {
        let key = user.hashValue
        let pair = Pair(origin: origin, user: key)
        guard let known = self.pairs.value(of: pair) else { return }
        self.pairs.remove(pair)
        let share = Self.decayed(known.tally, now).count
        guard share > 0 else { return }
        if let tally = self.origins.value(of: origin) {
            self.origins.replace(origin, with: Self.reduced(tally, by: share, now))
        }
        if let tally = self.users.value(of: key) {
            self.users.replace(key, with: Self.reduced(tally, by: share, now))
        }
    }

    // MARK: Counting

    static func delay(_ count: Int, base: Int64) -> Int64 {
        guard base > 0, count > 0 else { return 0 }
        let factor = min(1 << Int64(min(count - 1, Self.doublingsMax)), Self.maximumFactor)
        let (delay, overflow) = base.multipliedReportingOverflow(by: factor)
        return overflow ? .max / 4 : min(delay, .max / 4)
    }

    private static func decayed(_ tally: Tally, _ now: Time) -> Tally {
        let intervals = max(now - tally.since, 0) / Self.forgetInterval
        guard intervals > 0 else { return tally }
        return Tally(
            count: intervals >= Int64(tally.count) ? 0 : tally.count - Int(intervals),
            since: tally.since + intervals * Self.forgetInterval
        )
    }

    /// Forgetting begins anew with each failure.
    private static func increased(_ tally: Tally?, _ now: Time) -> Tally {
        let count = tally.map { Self.decayed($0, now).count } ?? 0
        return Tally(count: min(count + 1, Self.countMax), since: now)
    }

    private static func reduced(_ tally: Tally, by share: Int, _ now: Time) -> Tally {
        var tally = Self.decayed(tally, now)
        tally.count = max(tally.count - share, 0)
        return tally
    }
}
