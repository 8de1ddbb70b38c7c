import Testing

@testable import Telemetry

@Suite struct DurationHistogramTests {
    @Test func everyDurationIsInTheSpanThatEndsAtOrAfterIt() {
        var durations = (0..<3000).map { UInt64($0) }
        for bit in 11..<27 {
            for offset: Int64 in [-1, 0, 1] { durations.append(UInt64((Int64(1) << Int64(bit)) + offset)) }
        }
        for duration in durations {
            let span = DurationHistogram.span(of: duration)
            let end = DurationHistogram.end(of: span)
            #expect(end >= Int64(duration))
            #expect(span == 0 || DurationHistogram.end(of: span - 1) < Int64(duration))
            // Within an eighth.
            #expect(Double(end) <= Double(duration) * 1.125)
        }
    }

    @Test func spansFollowOneAnother() {
        for span in 1..<200 { #expect(DurationHistogram.end(of: span) > DurationHistogram.end(of: span - 1)) }
        #expect(DurationHistogram.end(of: 199) == (1 << 27) - 1)
    }

    @Test func percentilesAreDurationsThatOccurred() {
        let histogram = DurationHistogram()
        #expect(histogram.percentile(50) == nil)
        for duration in 1...7 { histogram.add(Int64(duration)) }
        #expect(histogram.percentile(1) == 1)
        #expect(histogram.percentile(50) == 4)
        #expect(histogram.percentile(99) == 7)
        #expect(histogram.percentile(100) == 7)
        for _ in 0..<993 { histogram.add(3) }
        #expect(histogram.percentile(50) == 3)
        #expect(histogram.percentile(99) == 3)
    }

    @Test func extremesAreCountedInTheOutermostSpans() {
        let histogram = DurationHistogram()
        histogram.add(.min)
        #expect(histogram.percentile(100) == 0)
        histogram.add(.max)
        #expect(histogram.percentile(100) == 134_217_727)
    }

    @Test func manyThreadsLoseNothing() async {
        let histogram = DurationHistogram()
        await withTaskGroup(of: Void.self) { group in
            for duration: Int64 in 0..<4 {
                group.addTask { for _ in 0..<1000 { histogram.add(duration) } }
            }
        }
        // A thousand each: a quarter is at most 0, half at most 1, and so on.
        #expect([25, 26, 50, 51, 75, 76].map { histogram.percentile($0) } == [0, 1, 1, 2, 2, 3])
    }
}
