import PGWire
import Testing

@Suite("ParameterStatus")
struct ParameterStatusTests {
    private func report(_ body: [UInt8]) -> [String]? {
        ParameterStatus.decode(body.span).map { [$0.name, $0.value] }
    }

    @Test func hasANameAndAValue() {
        #expect(self.report(bytes(.string("TimeZone"), .string("UTC"))) == ["TimeZone", "UTC"])
        #expect(self.report(bytes(.string("application_name"), .string(""))) == ["application_name", ""])
    }

    @Test func isNothingWhereEitherIsMissingOrNoText() {
        #expect(self.report([]) == nil)
        #expect(self.report(bytes(.string("TimeZone"))) == nil)
        #expect(self.report(bytes(.string("TimeZone"), .raw([0x55]))) == nil)
        #expect(self.report(bytes(.string("TimeZone"), .raw([0xFF, 0]))) == nil)
    }

    @Test func isReadFromAPartOfOtherBytes() {
        let all = bytes(.byte("S"), .string("a"), .string("b"), .byte("Z"))
        let report = ParameterStatus.decode(all.span.extracting(1..<5))
        #expect(report?.name == "a")
        #expect(report?.value == "b")
    }
}
