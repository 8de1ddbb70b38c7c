import Telemetry
import Testing

@Suite("UTC timestamps")
struct UTCTimestampTests {
    @Test(arguments: [
        (Int64(1_704_655_178_080), "2024-01-07T19:19:38.080Z"),
        (0, "1970-01-01T00:00:00.000Z"),
        (-1, "1969-12-31T23:59:59.999Z"),
        (951_782_399_999, "2000-02-28T23:59:59.999Z"),
        (951_782_400_000, "2000-02-29T00:00:00.000Z"),
        (951_868_800_000, "2000-03-01T00:00:00.000Z"),
        (1_709_164_800_000, "2024-02-29T00:00:00.000Z"),
        (1_735_689_599_999, "2024-12-31T23:59:59.999Z"),
        (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
        (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
        (-62_135_596_800_000, "0001-01-01T00:00:00.000Z"),
    ])
    func formats(milliseconds: Int64, text: String) {
        #expect(UTCTimestamp(milliseconds: milliseconds).description == text)
    }

    @Test func extremesDoNotTrap() {
        #expect(!UTCTimestamp(milliseconds: .max).description.isEmpty)
        #expect(!UTCTimestamp(milliseconds: .min).description.isEmpty)
    }

    @Test func nowIsLaterThanThisTest() {
        #expect(UTCTimestamp.now().milliseconds > 1_704_655_178_080)
    }
}
