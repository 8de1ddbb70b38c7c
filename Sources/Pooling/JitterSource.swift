/// Draws the ±20 % by which servers of one pool differ, so that servers opened together do not all close together.
///
/// SplitMix64 (Steele, Lea, Flood 2014): a small, seedable generator; nothing secret hangs on it.
struct JitterSource: Sendable {
    /// Widest deviation, in thousandths.
    static let spread: Int64 = 200

    private var state: UInt64

    init(seed: UInt64) {
        self.state = seed
    }

    /// A deviation in thousandths, evenly from `-spread` to `spread`.
    mutating func perMille() -> Int16 {
        let choices = UInt64(2 * Self.spread + 1)
        return Int16(truncatingIfNeeded: Int64(self.next() % choices) - Self.spread)
    }

    /// `duration` with the deviation applied. 0 stays 0, which is "off"; anything else stays on.
    static func apply(_ perMille: Int16, to duration: Microseconds) -> Microseconds {
        guard duration > 0 else { return 0 }
        return max(duration + duration * Int64(perMille) / 1_000, 1)
    }

    private mutating func next() -> UInt64 {
        self.state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = self.state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}
