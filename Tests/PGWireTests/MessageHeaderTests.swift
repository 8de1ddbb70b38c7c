import PGWire
import Testing

@Suite("Message header")
struct MessageHeaderTests {
    @Test func readsAtAnyOffset() {
        let buffer = bytes(.raw([9, 9]), .byte("Q"), .int32(6), .string("x"), .byte("S"), .int32(4))
        let first = MessageHeader.read(buffer.span, at: 2)
        #expect(first == MessageHeader(kind: UInt8(ascii: "Q"), bodyLength: 2))
        #expect(first?.wireLength == 7)
        #expect(first?.isValid == true)
        let second = MessageHeader.read(buffer.span, at: 9)
        #expect(second == MessageHeader(kind: UInt8(ascii: "S"), bodyLength: 0))
    }

    @Test func isAbsentWithoutFiveBytes() {
        let buffer = bytes(.byte("S"), .int32(4))
        for count in 0..<5 {
            let cut = Array(buffer.prefix(count))
            #expect(MessageHeader.read(cut.span, at: 0) == nil)
        }
        #expect(MessageHeader.read(buffer.span, at: 0) != nil)
        for offset in [1, 4, 5, 6, -1, .min, .max, .max - 4] {
            #expect(MessageHeader.read(buffer.span, at: offset) == nil)
        }
    }

    @Test(arguments: [
        (Int32(4), 0, true), (5, 1, true), (0, -4, false), (3, -1, false), (-1, -5, false),
        (.min, -2_147_483_652, false), (.max, 2_147_483_643, false),
        (0x3fff_ffff + 4, 0x3fff_ffff, true), (0x3fff_ffff + 5, 0x4000_0000, false),
    ])
    func reportsWhatThePeerClaims(length: Int32, bodyLength: Int, isValid: Bool) {
        let buffer = bytes(.byte("D"), .int32(length))
        let header = MessageHeader.read(buffer.span, at: 0)
        #expect(header?.bodyLength == bodyLength)
        #expect(header?.isValid == isValid)
    }
}
