import PGWire
import Testing

@Suite("Collecting the first packet")
struct StartupPacketReaderTests {
    let packet = StartupPacketTests.plain

    func absent(_ packet: StartupPacket?) -> Bool {
        if case .none = packet { true } else { false }
    }

    @Test func readsAPacketAtEveryByteSplit() throws {
        for split in 0...self.packet.count {
            var reader = StartupPacketReader()
            let head = Array(self.packet.prefix(split))
            let tail = Array(self.packet.dropFirst(split))
            #expect(try reader.append(head.span) == head.count)
            #expect(reader.isComplete == tail.isEmpty)
            #expect(try reader.append(tail.span) == tail.count)
            guard case .startup(let message) = try reader.next() else {
                Issue.record("no startup message at split \(split)")
                continue
            }
            #expect(message.user == "alice")
            #expect(!reader.isComplete)
        }
    }

    @Test func readsAPacketByteByByte() throws {
        var reader = StartupPacketReader()
        for (index, byte) in self.packet.enumerated() {
            #expect(!reader.isComplete)
            #expect(try self.absent(reader.next()))
            let one = [byte]
            #expect(try reader.append(one.span) == 1)
            #expect(reader.collectedCount == index + 1)
        }
        #expect(try !self.absent(reader.next()))
    }

    @Test func leavesStuffedBytesAlone() throws {
        let request = bytes(.int32(8), .int32(80_877_103))
        for split in 0...request.count {
            var reader = StartupPacketReader()
            let head = Array(request.prefix(split))
            let tail = Array(request.dropFirst(split)) + self.packet
            let first = try reader.append(head.span)
            let second = try reader.append(tail.span)
            #expect(first + second == 8)
            #expect(try reader.append(tail.span) == 0)
            guard case .sslRequest = try reader.next() else {
                Issue.record("no SSLRequest at split \(split)")
                continue
            }
            #expect(try reader.append(self.packet.span) == self.packet.count)
            #expect(reader.isComplete)
        }
    }

    @Test(arguments: [Int32(0), 1, 2, 3, 4, 5, 6, 7, -1, .min, .max, 10_001, 0x4745_5420])
    func refusesALengthAsSoonAsItIsThere(length: Int32) {
        let lengthBytes = bytes(.int32(length))
        let expected = WireError.lengthOutOfRange(length: Int(length), minimum: 8, maximum: 10_000)
        for split in 0..<4 {
            var reader = StartupPacketReader()
            let head = Array(lengthBytes.prefix(split))
            let tail = Array(lengthBytes.dropFirst(split))
            #expect(wireError { () throws(WireError) in try reader.append(head.span) } == nil)
            #expect(wireError { () throws(WireError) in try reader.append(tail.span) } == expected)
            #expect(wireError { () throws(WireError) in try reader.append(tail.span) } == expected)
            #expect(reader.collectedCount == 4)
            #expect(!reader.isComplete)
        }
    }

    @Test func holdsTenThousandBytesAndNoMore() throws {
        var reader = StartupPacketReader()
        let flood = bytes(.int32(10_000), .int32(196_608)) + [UInt8](repeating: 0x61, count: 50_000)
        #expect(try reader.append(flood.span) == 10_000)
        #expect(reader.collectedCount == 10_000)
        #expect(wireError { () throws(WireError) in try reader.next() } == .missingTerminator)
        #expect(reader.collectedCount == 0)
    }
}
