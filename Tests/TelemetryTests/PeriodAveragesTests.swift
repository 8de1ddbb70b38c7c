import Telemetry
import Testing

@Suite("Averages of a period")
struct PeriodAveragesTests {
    func totals(_ change: (inout CounterTotals) -> Void) -> CounterTotals {
        var totals = CounterTotals()
        change(&totals)
        return totals
    }

    @Test func ratesArePerSecondAndTimesPerItem() {
        let period = self.totals {
            $0.transactions = 30
            $0.queries = 60
            $0.receivedBytes = 15_000
            $0.sentBytes = 29_999
            $0.errors = 15
            $0.transactionTime = 3_000
            $0.queryTime = 1_199
            $0.checkouts = 10
            $0.waitTime = 55
        }
        let averages = PeriodAverages(of: period, overMicroseconds: 15_000_000)
        #expect(averages.transactions == 2)
        #expect(averages.queries == 4)
        #expect(averages.receivedBytes == 1_000)
        #expect(averages.sentBytes == 1_999)
        #expect(averages.errors == 1)
        #expect(averages.transactionTime == 100)
        #expect(averages.queryTime == 19)
        #expect(averages.waitTime == 5)
    }

    @Test func waitsInVainCountAmongTheWaits() {
        let period = self.totals {
            $0.checkouts = 3
            $0.waitTimeouts = 1
            $0.waitTime = 4_000_000
        }
        #expect(PeriodAverages(of: period, overMicroseconds: 15_000_000).waitTime == 1_000_000)
    }

    @Test func nothingHappenedIsZero() {
        #expect(PeriodAverages(of: CounterTotals(), overMicroseconds: 15_000_000) == PeriodAverages())
        let time = self.totals { $0.transactionTime = 5 }
        #expect(PeriodAverages(of: time, overMicroseconds: 15_000_000) == PeriodAverages())
        let bytes = self.totals { $0.sentBytes = 5 }
        #expect(PeriodAverages(of: bytes, overMicroseconds: 0).sentBytes == 0)
    }

    @Test func largeNumbersDoNotOverflow() {
        let period = self.totals { $0.sentBytes = .max }
        #expect(PeriodAverages(of: period, overMicroseconds: 1_000_000).sentBytes == .max)
        #expect(PeriodAverages(of: period, overMicroseconds: 1).sentBytes == .max)
        #expect(PeriodAverages(of: period, overMicroseconds: .max).sentBytes == 1_000_000)
    }

    @Test func rollsFromPeriodToPeriod() {
        let start: UInt64 = 7_000_000
        var period = AveragingPeriod(now: start)
        let first = self.totals { $0.queries = 150 }
        #expect(period.advance(to: first, now: start + 14_999_999) == false)
        #expect(period.averages == PeriodAverages())
        #expect(period.advance(to: first, now: start + 15_000_000) == true)
        #expect(period.averages.queries == 10)

        // The old averages stand until the next period ends; a late call divides by the time that passed.
        let second = self.totals { $0.queries = 150 + 300 }
        #expect(period.advance(to: second, now: start + 29_000_000) == false)
        #expect(period.averages.queries == 10)
        #expect(period.advance(to: second, now: start + 45_000_000) == true)
        #expect(period.averages.queries == 10)
        #expect(period.advance(to: second, now: start + 60_000_000) == true)
        #expect(period.averages.queries == 0)
    }

    @Test func aClockThatGoesBackEndsNothing() {
        var period = AveragingPeriod(now: 50_000_000)
        #expect(period.advance(to: CounterTotals(), now: 1) == false)
    }

    @Test func aSumThatShrinksCountsAsNothing() {
        var period = AveragingPeriod(startingWith: self.totals { $0.queries = 100 }, now: 0)
        #expect(period.advance(to: self.totals { $0.queries = 40 }, now: 15_000_000) == true)
        #expect(period.averages.queries == 0)
    }
}
