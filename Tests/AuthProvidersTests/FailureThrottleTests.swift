import Testing

@testable import AuthProviders

@Suite struct FailureThrottleTests {
    private static let base: Int64 = 500_000
    private static let here = LoginOrigin.v4(0x7f00_0001)
    private static let there = LoginOrigin.v4(0x7f00_0002)
    private var throttle = FailureThrottle()

    private mutating func fail(_ origin: LoginOrigin, _ user: String, at now: Int64 = 0) -> Int64 {
        self.throttle.failed(origin, user: user, base: Self.base, now: now)
    }

    @Test mutating func eachFailureTakesTwiceAsLongUpToABound() {
        let delays = (0..<8).map { _ in self.fail(Self.here, "app") / 1000 }
        #expect(delays == [500, 1000, 2000, 4000, 8000, 8000, 8000, 8000])
        #expect(delays.max() == Self.base * FailureThrottle.maximumFactor / 1000)
    }

    @Test mutating func theLargerOfAddressAndUserCounts() {
        // One address, many names.
        #expect((0..<4).map { self.fail(Self.here, "user \($0)") / 1000 } == [500, 1000, 2000, 4000])
        // One name, many addresses.
        #expect((10..<13).map { self.fail(.v4($0), "victim") / 1000 } == [500, 1000, 2000])
        #expect(self.fail(Self.here, "victim") / 1000 == 8000)
        #expect(self.fail(.v4(99), "nobody else") / 1000 == 500)
    }

    @Test mutating func aWholeIPv6NetworkIsOneOrigin() {
        #expect(self.fail(.v6(high: 7), "a") == Self.base)
        #expect(self.fail(.v6(high: 7), "b") == 2 * Self.base)
        #expect(self.fail(.v6(high: 8), "c") == Self.base)
        // Not the same as the IPv4 address with these bits.
        #expect(self.fail(.v4(7), "d") == Self.base)
    }

    @Test mutating func usersOfTheUnixSocketDoNotSlowEachOther() {
        for _ in 0..<5 { _ = self.fail(.local(user: "a"), "a") }
        #expect(self.fail(.local(user: "b"), "b") == Self.base)
    }

    @Test mutating func failuresAreForgottenOneByOne() {
        let interval = FailureThrottle.forgetInterval
        for _ in 0..<4 { _ = self.fail(Self.here, "app") }
        // Three are left, the new one is the fourth.
        #expect(self.fail(Self.here, "app", at: interval) == 8 * Self.base)
        #expect(self.fail(Self.here, "app", at: interval * 4) == 2 * Self.base)
        #expect(self.fail(Self.here, "app", at: interval * 100) == Self.base)
        #expect(self.throttle.quietAt == interval * 101)
    }

    @Test mutating func failuresBeyondTheBoundAreNotCounted() {
        for _ in 0..<1000 { _ = self.fail(Self.here, "app") }
        #expect(self.throttle.quietAt == FailureThrottle.forgetInterval * Int64(FailureThrottle.countMax))
        #expect(self.fail(Self.here, "app", at: self.throttle.quietAt) == Self.base)
    }

    @Test mutating func onlyTheSameUserAtTheSameAddressWaitsForAChallenge() {
        #expect(self.throttle.challengeHeldUntil(Self.here, user: "app", now: 0) == nil)
        _ = self.fail(Self.here, "app")
        _ = self.fail(Self.here, "app", at: 100)
        #expect(self.throttle.challengeHeldUntil(Self.here, user: "app", now: 200) == 100 + 2 * Self.base)
        #expect(self.throttle.challengeHeldUntil(Self.here, user: "app", now: 100 + 2 * Self.base) == nil)
        #expect(self.throttle.challengeHeldUntil(Self.there, user: "app", now: 200) == nil)
        #expect(self.throttle.challengeHeldUntil(Self.here, user: "other", now: 200) == nil)
    }

    @Test mutating func guessesElsewhereHoldNobodyBack() {
        for address in 0..<1000 { _ = self.fail(.v4(UInt32(address) + 1_000_000), "victim") }
        #expect(self.throttle.challengeHeldUntil(Self.here, user: "victim", now: 1) == nil)
    }

    @Test mutating func aSuccessClearsTheShareOfItsPair() {
        for _ in 0..<3 { _ = self.fail(Self.here, "app") }
        for _ in 0..<2 { _ = self.fail(Self.here, "other") }
        self.throttle.succeeded(Self.here, user: "app", now: 1)
        #expect(self.throttle.challengeHeldUntil(Self.here, user: "app", now: 1) == nil)
        // The two failures of the other user are still there, for the address and for that user.
        #expect(self.fail(Self.here, "app", at: 1) == 4 * Self.base)
        #expect(self.fail(Self.there, "other", at: 1) == 4 * Self.base)
        #expect(self.throttle.challengeHeldUntil(Self.here, user: "other", now: 1) != nil)
    }

    @Test mutating func aSuccessElsewhereClearsNothing() {
        for _ in 0..<3 { _ = self.fail(Self.here, "app") }
        self.throttle.succeeded(Self.there, user: "app", now: 1)
        self.throttle.succeeded(Self.here, user: "other", now: 1)
        #expect(self.fail(Self.here, "app", at: 1) == 8 * Self.base)
    }

    @Test func memoryHasABound() {
        var throttle = FailureThrottle(entriesMax: 10)
        for index in 0..<100 {
            let user = String(repeating: "long name ", count: 800) + "\(index)"
            _ = throttle.failed(.v4(UInt32(index)), user: user, base: Self.base, now: 0)
        }
        // The newest are still known, the oldest are not.
        #expect(throttle.failed(.v4(99), user: "x", base: Self.base, now: 0) == 2 * Self.base)
        #expect(throttle.failed(.v4(0), user: "y", base: Self.base, now: 0) == Self.base)
    }

    @Test(arguments: [
        (0, 500, 0), (1, 500, 500), (5, 500, 8000), (6, 500, 8000), (64, 500, 8000), (Int.max, 500, 8000), (3, 0, 0),
        (3, -5, 0), (9, Int64.max, Int64.max / 4),
    ])
    func delays(count: Int, base: Int64, expected: Int64) {
        #expect(FailureThrottle.delay(count, base: base) == expected)
    }

    @Test func exactlyWhatLooksAlikeToTheClientIsSlowed() {
        let slowed = AuthFailure.Reason.allCases.filter(\.isFailedProof)
        #expect(slowed == [.userUnknown, .secretEmpty, .secretUnusable, .passwordWrong, .proofWrong])
    }
}
