import Testing

@testable import Gateway

@Suite struct OpenFailureLogTests {
    @Test func eachReasonIsToldOnceInASecondWithTheNumberOfThoseLeftOut() {
        var log = OpenFailureLog()
        #expect(log.failed("refused", now: 5) == 0)
        for now in 6..<16 { #expect(log.failed("refused", now: Int64(now)) == nil) }
        #expect(log.failed("too many", now: 20) == 10, "another reason is news")
        #expect(log.failed("too many", now: 21) == nil)
        #expect(log.failed("refused", now: 1_000_004) == nil)
        #expect(log.failed("refused", now: 1_000_005) == 2)
        #expect(log.failed("refused", now: 9_000_000) == 0)
    }

    @Test func whatFailsBehindASuccessIsNews() {
        var log = OpenFailureLog()
        #expect(log.opened() == 0)
        #expect(log.failed("refused", now: 1) == 0)
        for _ in 0..<3 { #expect(log.failed("refused", now: 2) == nil) }
        #expect(log.opened() == 3)
        #expect(log.opened() == 0)
        #expect(log.failed("refused", now: 3) == 0)
    }

    /// A server may find new words each time.
    @Test func manyReasonsAreBounded() {
        var log = OpenFailureLog()
        var told = 0
        for number in 0..<1_000 where log.failed("reason \(number)", now: 7) != nil { told += 1 }
        #expect(told == 8)
        #expect(log.failed("one more", now: 1_000_007) == 992)
    }
}
