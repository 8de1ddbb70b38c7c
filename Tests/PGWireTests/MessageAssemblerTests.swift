import PGWire
import Testing

@Suite("Assembling messages")
struct MessageAssemblerTests {
    let stream = bytes(
        .byte("Q"), .int32(6), .string("x"), .byte("S"), .int32(4), .byte("p"), .int32(7), .raw([1, 2, 3])
    )
    let messages = [
        WireMessage(kind: UInt8(ascii: "Q"), body: [0x78, 0]),
        WireMessage(kind: UInt8(ascii: "S"), body: []),
        WireMessage(kind: UInt8(ascii: "p"), body: [1, 2, 3]),
    ]

    func drain(_ assembler: inout MessageAssembler) throws(WireError) -> [WireMessage] {
        var messages: [WireMessage] = []
        while let message = try assembler.next() {
            messages.append(message)
        }
        return messages
    }

    @Test func deliversAtEveryByteSplit() throws {
        for split in 0...self.stream.count {
            var assembler = MessageAssembler(maximumBodyLength: 100)
            let head = Array(self.stream.prefix(split))
            let tail = Array(self.stream.dropFirst(split))
            assembler.append(head.span)
            var received = try self.drain(&assembler)
            assembler.append(tail.span)
            received += try self.drain(&assembler)
            #expect(received == self.messages)
            #expect(assembler.unreadCount == 0)
        }
    }

    @Test func deliversByteByByte() throws {
        var assembler = MessageAssembler(maximumBodyLength: 3)
        var received: [WireMessage] = []
        for byte in self.stream {
            assembler.append([byte])
            received += try self.drain(&assembler)
        }
        #expect(received == self.messages)
    }

    @Test(arguments: [Int32(0), 1, 2, 3, -1, .min, .max, 15])
    func refusesLengthsOutOfBounds(length: Int32) {
        let header = bytes(.byte("p"), .int32(length))
        let expected = WireError.lengthOutOfRange(length: Int(length), minimum: 4, maximum: 14)
        var assembler = MessageAssembler(maximumBodyLength: 10)
        assembler.append(Array(header.prefix(4)))
        #expect(wireError { () throws(WireError) in try assembler.next() } == nil)
        assembler.append([header[4]])
        #expect(wireError { () throws(WireError) in try assembler.next() } == expected)
        #expect(wireError { () throws(WireError) in try assembler.next() } == expected)
    }

    @Test func acceptsTheLargestMessageAndSaysWhenItIsFull() throws {
        var assembler = MessageAssembler(maximumBodyLength: 10)
        assembler.append(bytes(.byte("d"), .int32(14), .raw([UInt8](repeating: 7, count: 9))))
        #expect(try assembler.next() == nil)
        #expect(!assembler.isFull)
        assembler.append([7])
        #expect(assembler.isFull)
        #expect(try assembler.next()?.body == [UInt8](repeating: 7, count: 10))
        #expect(!assembler.isFull)
    }

    @Test func handsOverUnreadBytes() throws {
        var assembler = MessageAssembler(maximumBodyLength: 100)
        assembler.append(self.stream)
        #expect(try assembler.next() == self.messages[0])
        #expect(assembler.unreadCount == self.stream.count - 7)
        #expect(assembler.takeUnread() == Array(self.stream.dropFirst(7)))
        #expect(assembler.unreadCount == 0)
        #expect(assembler.takeUnread() == [])
        #expect(try assembler.next() == nil)
    }

    @Test func copesWithManySmallMessagesBehindAPartialOne() throws {
        var assembler = MessageAssembler(maximumBodyLength: 1_000)
        let sync = bytes(.byte("S"), .int32(4))
        var received = 0
        for round in 0..<20_000 {
            // Each append ends in the middle of a message.
            assembler.append(round == 0 ? Array(sync.prefix(3)) : Array(sync.dropFirst(3)) + Array(sync.prefix(3)))
            received += try self.drain(&assembler).count
            #expect(assembler.unreadCount == 3)
        }
        #expect(received == 19_999)
    }

    @Test func feedsAMebibyteByteByByteInLinearTime() throws {
        let body = [UInt8](repeating: 5, count: 1 << 20)
        var assembler = MessageAssembler(maximumBodyLength: body.count)
        assembler.append(bytes(.byte("d"), .int32(Int32(body.count + 4))))
        let one: [UInt8] = [5]
        let started = ContinuousClock.now
        for _ in body.indices {
            assembler.append(one.span)
        }
        // A copy of the buffer per byte would take minutes.
        #expect(ContinuousClock.now - started < .seconds(20))
        #expect(try assembler.next()?.body == body)
    }
}
