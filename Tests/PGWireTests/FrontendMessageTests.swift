import PGWire
import Testing

@Suite("Messages written to a server")
struct FrontendMessageTests {
    @Test func firstPacketsHaveNoKindByte() throws {
        let parameters = [(name: "user", value: "ü"), (name: "options", value: "")]
        let startup = written { $0.startupMessage(version: .v3_2, parameters: parameters) }
        #expect(
            startup
                == bytes(
                    .int32(26), .int32(196_610), .string("user"), .string("ü"), .string("options"), .string(""),
                    .raw([0])
                )
        )
        guard case .startup(let message) = try StartupPacket.parse(packet: startup) else {
            Issue.record("not a StartupMessage")
            return
        }
        #expect(message.parameters.map(\.value) == ["ü", ""])
        #expect(written { $0.sslRequest() } == [0, 0, 0, 8, 4, 0xD2, 0x16, 0x2F])
        #expect(written { $0.gssEncRequest() } == [0, 0, 0, 8, 4, 0xD2, 0x16, 0x30])
        #expect(
            written { $0.cancelRequest(processID: 5, secret: [1, 2, 3, 4]) }
                == [0, 0, 0, 16, 4, 0xD2, 0x16, 0x2E, 0, 0, 0, 5, 1, 2, 3, 4]
        )
    }

    @Test func absentSASLDataHasLengthMinusOne() {
        #expect(
            written { $0.passwordMessage(Array("secret".utf8)) } == bytes(.byte("p"), .int32(11), .string("secret"))
        )
        #expect(
            written { $0.saslInitialResponse(mechanism: "SCRAM-SHA-256", data: [1, 2]) }
                == bytes(.byte("p"), .int32(24), .string("SCRAM-SHA-256"), .int32(2), .raw([1, 2]))
        )
        #expect(
            written { $0.saslInitialResponse(mechanism: "X", data: nil) }
                == bytes(.byte("p"), .int32(10), .string("X"), .int32(-1))
        )
        #expect(written { $0.saslResponse([7]) } == bytes(.byte("p"), .int32(5), .raw([7])))
    }

    @Test func queries() {
        #expect(written { $0.query("select 1") } == bytes(.byte("Q"), .int32(13), .string("select 1")))
        #expect(
            written { $0.parse(name: "s", query: "q", parameterTypes: [23, 0]) }
                == bytes(
                    .byte("P"), .int32(18), .string("s"), .string("q"), .int16(2), .int32(23), .int32(0)
                )
        )
        #expect(
            written {
                $0.bind(
                    portal: "", statement: "s", parameterFormats: [0, 1], parameters: [[0x35], nil], resultFormats: [1]
                )
            }
                == bytes(
                    .byte("B"), .int32(28), .string(""), .string("s"), .int16(2), .int16(0), .int16(1),
                    .int16(2), .int32(1), .raw([0x35]), .int32(-1), .int16(1), .int16(1)
                )
        )
        #expect(
            written { $0.describe(kind: .statement, name: "s") }
                == bytes(.byte("D"), .int32(7), .byte("S"), .string("s"))
        )
        #expect(
            written { $0.close(kind: .portal, name: "") } == bytes(.byte("C"), .int32(6), .byte("P"), .string(""))
        )
        #expect(
            written { $0.execute(portal: "", maxRows: 10) } == bytes(.byte("E"), .int32(9), .string(""), .int32(10))
        )
        #expect(written { $0.sync() } == bytes(.byte("S"), .int32(4)))
        #expect(written { $0.flush() } == bytes(.byte("H"), .int32(4)))
        #expect(written { $0.terminate() } == bytes(.byte("X"), .int32(4)))
    }

    @Test func copy() {
        #expect(written { $0.copyData([1, 0, 2]) } == bytes(.byte("d"), .int32(7), .raw([1, 0, 2])))
        #expect(written { $0.copyDone() } == bytes(.byte("c"), .int32(4)))
        #expect(written { $0.copyFail("no") } == bytes(.byte("f"), .int32(7), .string("no")))
    }

    @Test func aZeroByteInANameForgesNoParameter() throws {
        let parameters = [(name: "user", value: "bob\0database\0admin")]
        let packet = written { $0.startupMessage(version: .v3_0, parameters: parameters) }
        guard case .startup(let message) = try StartupPacket.parse(packet: packet) else {
            Issue.record("not a StartupMessage")
            return
        }
        #expect(message.parameters.count == 1)
        #expect(message.value(of: "database") == nil)
    }
}
