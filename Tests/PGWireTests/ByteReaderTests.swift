import PGWire
import Testing

@Suite("Byte reader")
struct ByteReaderTests {
    let body = bytes(.raw([0xFE]), .int16(-2), .int32(.min), .string("häß"), .string(""), .raw([1, 2, 3]))

    @Test func readsEveryType() throws {
        var reader = ByteReader(self.body)
        #expect(reader.peek == 0xFE)
        #expect(try reader.int8() == -2)
        #expect(try reader.int16() == -2)
        #expect(try reader.int32() == .min)
        #expect(try reader.cString() == "häß")
        #expect(try reader.cStringBytes() == [])
        #expect(reader.remaining == 3)
        #expect(wireError { () throws(WireError) in try reader.expectEnd() } == .trailingBytes(count: 3))
        #expect(try reader.bytes(2) == [1, 2])
        #expect(reader.rest() == [3])
        #expect(reader.isAtEnd)
        #expect(reader.peek == nil)
        try reader.expectEnd()
    }

    @Test func failsOnEveryCut() {
        for count in 0..<self.body.count - 3 {
            var reader = ByteReader(Array(self.body.prefix(count)))
            let error = wireError { () throws(WireError) -> Bool in
                _ = try reader.int8()
                _ = try reader.int16()
                _ = try reader.int32()
                _ = try reader.cString()
                _ = try reader.cStringBytes()
                return true
            }
            #expect(error != nil)
        }
    }

    @Test(arguments: [-1, 4, .min, .max])
    func refusesRunsThatAreNotThere(count: Int) {
        var reader = ByteReader([1, 2, 3])
        let error = wireError { () throws(WireError) in try reader.bytes(count) }
        #expect(error == .truncated(needed: count, available: 3))
        #expect(reader.remaining == 3)
    }

    @Test func keepsItsPlaceWhenAReadFails() {
        var reader = ByteReader([0xFF, 0, 1])
        #expect(wireError { () throws(WireError) in try reader.cString() } == .invalidText)
        #expect(reader.offset == 0)
        #expect(wireError { () throws(WireError) in try reader.repairedCString() } == nil)
        #expect(reader.offset == 2)
        #expect(wireError { () throws(WireError) in try reader.cString() } == .missingTerminator)
        #expect(wireError { () throws(WireError) in try reader.int16() } == .truncated(needed: 2, available: 1))
        #expect(reader.offset == 2)
    }

    @Test(arguments: [(0, 3), (1, 2), (3, 0), (4, 0), (-1, 0), (.max, 0), (.min, 0)])
    func startsAnywhere(offset: Int, remaining: Int) {
        #expect(ByteReader([1, 2, 3], startingAt: offset).remaining == remaining)
    }
}
