import Testing

@testable import Gateway

@Suite struct HandshakeRateTests {
    /// A worker's timers fire at the boundaries of their wheel only: what has become due between two is not lost.
    @Test(arguments: [20, 50, 100, 200, 1000])
    func theLimitIsReachedByWhoWaitsForATimer(perSecond: Int) {
        let rate = HandshakeRate()
        var begun = 0
        for tick in 0..<(10_000_000 / 16_384) {
            let now = Int64(1_000_000 + tick * 16_384)
            while rate.take(now: now, perSecond: perSecond) == 0 { begun += 1 }
        }
        let expected = Double(10 * perSecond)
        #expect(Double(begun) >= 0.97 * expected && Double(begun) <= 1.03 * expected + 1)
    }

    @Test func withoutALimitNobodyWaits() {
        let rate = HandshakeRate()
        for _ in 0..<10 { #expect(rate.take(now: 5, perSecond: 0) == 0) }
    }
}
