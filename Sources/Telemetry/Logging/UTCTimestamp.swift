import Glibc

/// A moment as log lines show it: `2024-01-07T19:19:38.080Z`. Immutable value.
package struct UTCTimestamp: Sendable, Equatable, CustomStringConvertible {
    /// Since 1970-01-01T00:00:00Z, without leap seconds.
    package let milliseconds: Int64

    package init(milliseconds: Int64) {
        self.milliseconds = milliseconds
    }

    package static func now() -> UTCTimestamp {
        var time = timespec()
        unsafe clock_gettime(CLOCK_REALTIME, &time)
        return UTCTimestamp(milliseconds: Int64(time.tv_sec) &* 1_000 &+ Int64(time.tv_nsec) / 1_000_000)
    }

    /// Written digit by digit: every log line begins with it.
    package var description: String {
        let (days, millisecondOfDay) = Self.floorDivide(self.milliseconds, 86_400_000)
        let (year, month, day) = Self.date(daysSince1970: days)
        let parts = [
            (month, 2, "-"), (day, 2, "T"), (millisecondOfDay / 3_600_000, 2, ":"),
            (millisecondOfDay / 60_000 % 60, 2, ":"), (millisecondOfDay / 1_000 % 60, 2, "."),
            (millisecondOfDay % 1_000, 3, "Z"),
        ] as [(Int64, Int, Unicode.Scalar)]
        var text = Array(Self.year(year).utf8)
        text.reserveCapacity(text.count + 21)
        text.append(UInt8(ascii: "-"))
        for (value, count, end) in parts {
            Self.append(value, digits: count, to: &text)
            text.append(UInt8(ascii: end))
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// The Gregorian date of a day number. Counts in cycles of 400 years that start on 1 March, so that the leap day
    /// is the last day of its year.
    private static func date(daysSince1970 days: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let (cycle, dayOfCycle) = self.floorDivide(days + 719_468, 146_097)
        let yearOfCycle = (dayOfCycle - dayOfCycle / 1_460 + dayOfCycle / 36_524 - dayOfCycle / 146_096) / 365
        let dayOfYear = dayOfCycle - (365 * yearOfCycle + yearOfCycle / 4 - yearOfCycle / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
        let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        return (cycle * 400 + yearOfCycle + (month <= 2 ? 1 : 0), month, day)
    }

    private static func floorDivide(_ value: Int64, _ divisor: Int64) -> (quotient: Int64, remainder: Int64) {
        let (quotient, remainder) = value.quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
    }

    /// Four digits, or more, or with a sign.
    private static func year(_ value: Int64) -> String {
        let text = String(value)
        return String(repeating: "0", count: max(0, 4 - text.utf8.count)) + text
    }

    /// - Parameter value: not negative, and of no more digits than that.
    private static func append(_ value: Int64, digits: Int, to text: inout [UInt8]) {
        var scale: Int64 = digits == 3 ? 100 : 10
        while scale > 0 {
            text.append(UInt8(truncatingIfNeeded: 0x30 + value / scale % 10))
            scale /= 10
        }
    }
}
