import Telemetry
import Testing

@testable import Gateway

/// What pools had counted is remembered for those that went last.
@Suite struct PastTotalsTests {
    private static func key(_ number: Int) -> PoolKey { PoolKey(database: "app", user: "user\(number)") }

    private static func totals(_ number: Int) -> CounterTotals {
        var totals = CounterTotals()
        totals.queries = UInt64(number)
        return totals
    }

    @Test func totalsAreTakenOnce() {
        var past = PastTotals()
        past.keep(Self.totals(7), of: Self.key(1))
        #expect(past.take(Self.key(2)) == nil)
        #expect(past.take(Self.key(1)) == Self.totals(7))
        #expect(past.take(Self.key(1)) == nil)
    }

    @Test func nothingIsRememberedOfAPoolThatDidNothing() {
        var past = PastTotals()
        past.keep(CounterTotals(), of: Self.key(1))
        #expect(past.count == 0)
    }

    @Test func theLastOfAKeyCounts() {
        var past = PastTotals()
        for round in 1...3 {
            for number in 1...PastTotals.kept { past.keep(Self.totals(round * number), of: Self.key(number)) }
        }
        #expect(past.count == PastTotals.kept)
        #expect(past.take(Self.key(5)) == Self.totals(15))
    }

    @Test func thoseThatWentLastAreRememberedAndTheNumberIsBounded() {
        var past = PastTotals()
        let count = PastTotals.kept * 5
        for number in 1...count {
            past.keep(Self.totals(number), of: Self.key(number))
            #expect(past.count <= 2 * PastTotals.kept)
        }
        for number in (count - PastTotals.kept + 1)...count {
            #expect(past.take(Self.key(number)) == Self.totals(number))
        }
    }
}
