import Testing

@testable import Telemetry

@Suite("Pool counters")
struct PoolCountersTests {
    @Test func addUp() {
        let counters = PoolCounters()
        counters.transactions.add(2)
        counters.transactions.add(3)
        counters.sentBytes.add(.max)
        counters.sentBytes.add(2)
        #expect(counters.transactions.value == 5)
        #expect(counters.queries.value == 0)
        // Wraps around, never traps.
        #expect(counters.sentBytes.value == 1)
    }

    @Test func totalsSumEveryFieldOfEveryInstance() {
        let workers = [PoolCounters(), PoolCounters()]
        for (index, counters) in workers.enumerated() {
            let scale = UInt64(index) * 99 + 1
            counters.transactions.add(1 * scale)
            counters.queries.add(2 * scale)
            counters.receivedBytes.add(3 * scale)
            counters.sentBytes.add(4 * scale)
            counters.transactionTime.add(5 * scale)
            counters.queryTime.add(6 * scale)
            counters.checkouts.add(7 * scale)
            counters.waitTime.add(8 * scale)
            counters.errors.add(9 * scale)
            counters.serverLogins.add(10 * scale)
            counters.serverLoginFailures.add(11 * scale)
            counters.serverCloses.add(12 * scale)
            counters.waitTimeouts.add(13 * scale)
            counters.statementHits.add(14 * scale)
            counters.statementMisses.add(15 * scale)
            counters.statementEvictions.add(16 * scale)
        }
        let totals = CounterTotals(summing: workers)
        #expect(CounterTotals.fields.map { totals[keyPath: $0] } == (1...16).map { $0 * 101 })
        #expect(CounterTotals.fields.count == Mirror(reflecting: totals).children.count)

        var twice = totals
        twice.add(totals)
        #expect(twice.since(totals) == totals)
        #expect(totals.since(twice) == CounterTotals())
    }

    @Test func aReaderSeesARisingNumberWhileTheOwnerAdds() async {
        let counters = PoolCounters()
        let additions: UInt64 = 200_000
        async let writer: Void = Self.write(counters, additions)
        let rises = await Self.watch(counters, until: additions)
        await writer
        #expect(rises)
        #expect(counters.queries.value == additions)
    }

    @concurrent
    private static func write(_ counters: PoolCounters, _ additions: UInt64) async {
        for _ in 0..<additions {
            counters.queries.add(1)
        }
    }

    @concurrent
    private static func watch(_ counters: PoolCounters, until end: UInt64) async -> Bool {
        var last: UInt64 = 0
        while last < end {
            let value = counters.queries.value
            if value < last || value > end { return false }
            last = value
            await Task.yield()
        }
        return true
    }
}
