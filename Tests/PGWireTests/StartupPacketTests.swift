import PGWire
import Testing

@Suite("First packet of a connection")
struct StartupPacketTests {
    static let plain = startupPacket(
        body: bytes(.string("user"), .string("alice"), .string("database"), .string("shop"), .raw([0]))
    )

    func message(_ packet: [UInt8]) throws -> StartupMessage? {
        guard case .startup(let message) = try StartupPacket.parse(packet: packet) else { return nil }
        return message
    }

    @Test func readsParametersInOrder() throws {
        let message = try #require(try self.message(Self.plain))
        #expect(message.version == .v3_0)
        #expect(message.parameters.map(\.name) == ["user", "database"])
        #expect(message.parameters.map(\.value) == ["alice", "shop"])
        #expect(message.user == "alice")
        #expect(message.database == "shop")
        #expect(message.options == nil)
        #expect(message.extensions.isEmpty)
    }

    @Test func keepsUnicodeEmptyValuesDuplicatesAndExtensions() throws {
        let body = bytes(
            .string("user"), .string("Zoë"), .string("options"), .string(""),
            .string("_pq_.b"), .string("1"), .string("user"), .string("日本"), .string("_pq_.a"), .string(""),
            .raw([0])
        )
        let message = try #require(try self.message(startupPacket(code: 196_610, body: body)))
        #expect(message.version == .v3_2)
        #expect(message.user == "日本")
        #expect(message.database == "日本")
        #expect(message.options == "")
        #expect(message.extensions == ["_pq_.b", "_pq_.a"])
        #expect(message.parameters.count == 5)
    }

    @Test func leavesMissingUserToTheSession() throws {
        let message = try #require(try self.message(startupPacket(body: [0])))
        #expect(message.user == nil)
        #expect(message.database == nil)
        #expect(message.parameters.isEmpty)
        let empty = startupPacket(body: bytes(.string("user"), .string(""), .raw([0])))
        #expect(try self.message(empty)?.user == nil)
    }

    @Test(arguments: [UInt16(0), 1, 2, 9999, 65535])
    func acceptsEveryMinorOfMajorThree(minor: UInt16) throws {
        let code = ProtocolVersion(major: 3, minor: minor).code
        let message = try #require(try self.message(startupPacket(code: code, body: [0])))
        #expect(message.majorVersion == 3)
        #expect(message.minorVersion == minor)
    }

    @Test(arguments: [Int32(0), 131_072, 262_144, 196_608 - 1, -1, .min, .max, 80_877_105])
    func refusesOtherMajors(code: Int32) {
        let error = wireError { () throws(WireError) in
            try StartupPacket.parse(packet: startupPacket(code: code, body: [0]))
        }
        #expect(error == .unsupportedProtocol(ProtocolVersion(code: code)))
        #expect(error?.sqlState == .featureNotSupported)
    }

    @Test func readsRequests() throws {
        guard case .sslRequest = try StartupPacket.parse(packet: bytes(.int32(8), .int32(80_877_103))) else {
            Issue.record("not an SSLRequest")
            return
        }
        guard case .gssEncRequest = try StartupPacket.parse(packet: bytes(.int32(8), .int32(80_877_104))) else {
            Issue.record("not a GSSENCRequest")
            return
        }
    }

    @Test(arguments: [Int32(80_877_103), 80_877_104])
    func refusesRequestsWithABody(code: Int32) {
        let packet = bytes(.int32(9), .int32(code), .raw([0]))
        let error = wireError { () throws(WireError) in try StartupPacket.parse(packet: packet) }
        #expect(error == .trailingBytes(count: 1))
    }

    @Test(arguments: [4, 5, 32, 255, 256])
    func readsCancelRequests(secretLength: Int) throws {
        let secret = (0..<secretLength).map { UInt8(truncatingIfNeeded: $0 &+ 1) }
        let packet = bytes(.int32(Int32(12 + secretLength)), .int32(80_877_102), .int32(-7), .raw(secret))
        guard case .cancel(let request) = try StartupPacket.parse(packet: packet) else {
            Issue.record("not a CancelRequest")
            return
        }
        #expect(request.processID == -7)
        #expect(request.secret == secret)
        #expect("\(request)" == "CancelRequest(processID: -7)")
        #expect(!String(reflecting: request).contains("secret"))
    }

    @Test(arguments: [0, 1, 3, 257, 9_988])
    func refusesCancelSecretsOutOfBounds(secretLength: Int) {
        let secret = [UInt8](repeating: 1, count: secretLength)
        let packet = bytes(.int32(Int32(12 + secretLength)), .int32(80_877_102), .int32(1), .raw(secret))
        let error = wireError { () throws(WireError) in try StartupPacket.parse(packet: packet) }
        #expect(error == .lengthOutOfRange(length: 12 + secretLength, minimum: 16, maximum: 268))
    }

    @Test func refusesACancelRequestWithoutProcessID() {
        let packet = bytes(.int32(8), .int32(80_877_102))
        let error = wireError { () throws(WireError) in try StartupPacket.parse(packet: packet) }
        #expect(error == .lengthOutOfRange(length: 8, minimum: 16, maximum: 268))
    }

    /// What a program calls itself may be in an encoding of its own.
    @Test(
        arguments: [
            ([0x63, 0x61, 0x66, 0xE9], "caf?"), ([0xFF, 0x61, 0xC3], "?a?"), ([0xC3, 0xA9], "é"), ([], ""),
        ] as [([UInt8], String)]
    )
    func anApplicationNameIsNoReasonToRefuse(name: [UInt8], expected: String) throws {
        let body = bytes(.string("user"), .string("u"), .string("application_name"), .raw(name + [0]), .raw([0]))
        #expect(try self.message(startupPacket(body: body))?.applicationName == expected)
    }

    static let malformed: [(body: [UInt8], error: WireError)] = [
        ([], .missingTerminator),
        (bytes(.string("user"), .string("a")), .missingTerminator),
        (bytes(.string("user")), .parameterWithoutValue),
        (bytes(.string("user"), .raw([0])), .missingTerminator),
        (bytes(.string("user"), .string("a"), .raw(Array("b".utf8))), .missingTerminator),
        (bytes(.string("user"), .raw(Array("a".utf8))), .missingTerminator),
        (Array("user".utf8), .missingTerminator),
        (bytes(.string("user"), .string("a"), .string("database")), .parameterWithoutValue),
        (bytes(.string("user"), .string("a"), .raw([0, 0])), .emptyParameterName),
        (bytes(.string(""), .string("a"), .raw([0])), .emptyParameterName),
        (bytes(.string("user"), .raw([0xFF, 0]), .raw([0])), .invalidText),
        (bytes(.raw([0xC0, 0x80, 0]), .string("a"), .raw([0])), .invalidText),
        (bytes(.string("user"), .raw([0xED, 0xA0, 0x80, 0]), .raw([0])), .invalidText),
    ]

    @Test(arguments: Self.malformed)
    func refusesMalformedBodies(body: [UInt8], expected: WireError) {
        let error = wireError { () throws(WireError) in try StartupPacket.parse(packet: startupPacket(body: body)) }
        #expect(error == expected)
    }

    @Test(arguments: [Int32(0), 1, 2, 3, 4, 5, 6, 7, -1, .min, .max, 10_001])
    func refusesLengthsOutOfBounds(length: Int32) {
        let packet = bytes(.int32(length), .int32(196_608), .raw([0]))
        let expected = WireError.lengthOutOfRange(length: Int(length), minimum: 8, maximum: 10_000)
        #expect(wireError { () throws(WireError) in try StartupPacket.parse(packet: packet) } == expected)
    }

    @Test func refusesEveryCutOfAPacket() {
        for count in 0..<Self.plain.count {
            let cut = Array(Self.plain.prefix(count))
            #expect(wireError { () throws(WireError) in try StartupPacket.parse(packet: cut) } != nil)
        }
        let longer = Self.plain + [0]
        let error = wireError { () throws(WireError) in try StartupPacket.parse(packet: longer) }
        #expect(error == .trailingBytes(count: 1))
    }

    @Test func acceptsAThousandParameters() throws {
        let pairs = (0..<1_000).flatMap { bytes(.string(String($0)), .string("")) }
        let message = try #require(try self.message(startupPacket(body: pairs + [0])))
        #expect(message.parameters.count == 1_000)
        #expect(message.value(of: "999") == "")
    }

    @Test func acceptsTenThousandBytes() throws {
        let name = bytes(.string("user"))
        let value = [UInt8](repeating: UInt8(ascii: "x"), count: 10_000 - 8 - name.count - 2)
        let packet = startupPacket(body: name + value + [0, 0])
        #expect(packet.count == 10_000)
        #expect(try self.message(packet)?.user?.utf8.count == value.count)
    }

    @Test func survivesEveryMutation() {
        var generator = SeededGenerator(state: 0x9E37_79B9_7F4A_7C15)
        var accepted = 0
        for _ in 0..<20_000 {
            var packet = Self.plain
            for _ in 0..<Int.random(in: 1...4, using: &generator) {
                let index = Int.random(in: packet.indices, using: &generator)
                packet[index] = UInt8.random(in: 0...255, using: &generator)
            }
            if wireError({ () throws(WireError) in try StartupPacket.parse(packet: packet) }) == nil { accepted += 1 }
        }
        #expect(accepted > 0 && accepted < 20_000)
    }
}
