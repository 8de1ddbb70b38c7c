import PGWire
import Testing

@Suite("Messages written to a client")
struct BackendMessageTests {
    @Test func eachAuthenticationRequestHasItsCode() {
        #expect(written { $0.authenticationOk() } == bytes(.byte("R"), .int32(8), .int32(0)))
        #expect(written { $0.authenticationCleartextPassword() } == bytes(.byte("R"), .int32(8), .int32(3)))
        #expect(
            written { $0.authenticationMD5Password(salt: [1, 2, 3, 4]) }
                == bytes(.byte("R"), .int32(12), .int32(5), .raw([1, 2, 3, 4]))
        )
        #expect(
            written { $0.authenticationSASL(mechanisms: ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"]) }
                == bytes(
                    .byte("R"), .int32(42), .int32(10), .string("SCRAM-SHA-256-PLUS"), .string("SCRAM-SHA-256"),
                    .raw([0])
                )
        )
        #expect(
            written { $0.authenticationSASLContinue([0x72]) } == bytes(.byte("R"), .int32(9), .int32(11), .raw([0x72]))
        )
        #expect(
            written { $0.authenticationSASLFinal([0x76]) } == bytes(.byte("R"), .int32(9), .int32(12), .raw([0x76]))
        )
    }

    @Test func sessionMessagesHaveTheirFieldsInOrder() {
        #expect(
            written { $0.parameterStatus(name: "TimeZone", value: "UTC") }
                == bytes(.byte("S"), .int32(17), .string("TimeZone"), .string("UTC"))
        )
        #expect(
            written { $0.backendKeyData(processID: 258, secret: [9, 8, 7, 6]) }
                == bytes(.byte("K"), .int32(12), .int32(258), .raw([9, 8, 7, 6]))
        )
        #expect(written { $0.readyForQuery(.idle) } == [0x5A, 0, 0, 0, 5, 0x49])
        #expect(written { $0.readyForQuery(.inTransaction) } == [0x5A, 0, 0, 0, 5, 0x54])
        #expect(written { $0.readyForQuery(.failed) } == [0x5A, 0, 0, 0, 5, 0x45])
        #expect(
            written { $0.negotiateProtocolVersion(minor: 2, unrecognized: ["_pq_.b", "_pq_.a"]) }
                == bytes(.byte("v"), .int32(26), .int32(196_610), .int32(2), .string("_pq_.b"), .string("_pq_.a"))
        )
        #expect(
            written { $0.notificationResponse(processID: 1, channel: "c", payload: "") }
                == bytes(.byte("A"), .int32(11), .int32(1), .string("c"), .string(""))
        )
    }

    @Test func aRowTellsNullFromEmpty() {
        let column = ColumnDescription(
            name: "id", tableOID: 16_384, attributeNumber: 1, typeOID: 23, typeSize: 4, typeModifier: -1, format: 1
        )
        #expect(
            written { $0.rowDescription([column, .text("t")]) }
                == bytes(
                    .byte("T"), .int32(47), .int16(2),
                    .string("id"), .int32(16_384), .int16(1), .int32(23), .int16(4), .int32(-1), .int16(1),
                    .string("t"), .int32(0), .int16(0), .int32(25), .int16(-1), .int32(-1), .int16(0)
                )
        )
        #expect(
            written { $0.dataRow([[1, 2], nil, []]) }
                == bytes(.byte("D"), .int32(20), .int16(3), .int32(2), .raw([1, 2]), .int32(-1), .int32(0))
        )
        #expect(written { $0.dataRow(text: ["ä", nil]) } == written { $0.dataRow([Array("ä".utf8), nil]) })
        #expect(
            written { $0.commandComplete("SELECT 5") } == bytes(.byte("C"), .int32(13), .string("SELECT 5"))
        )
    }

    @Test func countsUpToUnsigned16() {
        let values = [[UInt8]?](repeating: nil, count: 40_000)
        let row = written { $0.dataRow(values) }
        #expect(Array(row[5..<7]) == [0x9C, 0x40])
    }

    @Test func extendedReplies() {
        #expect(written { $0.emptyQueryResponse() } == bytes(.byte("I"), .int32(4)))
        #expect(written { $0.parseComplete() } == bytes(.byte("1"), .int32(4)))
        #expect(written { $0.bindComplete() } == bytes(.byte("2"), .int32(4)))
        #expect(written { $0.closeComplete() } == bytes(.byte("3"), .int32(4)))
        #expect(written { $0.noData() } == bytes(.byte("n"), .int32(4)))
        #expect(written { $0.portalSuspended() } == bytes(.byte("s"), .int32(4)))
        #expect(
            written { $0.parameterDescription([23, -1]) }
                == bytes(.byte("t"), .int32(14), .int16(2), .int32(23), .int32(-1))
        )
    }

    @Test func messagesStandOneAfterTheOther() throws {
        let stream = written {
            $0.authenticationOk()
            $0.parameterStatus(name: "a", value: "b")
            $0.readyForQuery(.idle)
        }
        var assembler = MessageAssembler(maximumBodyLength: 100)
        assembler.append(stream)
        #expect(try assembler.next()?.kind == BackendMessageKind.authentication)
        #expect(try assembler.next()?.kind == BackendMessageKind.parameterStatus)
        #expect(try assembler.next() == WireMessage(kind: BackendMessageKind.readyForQuery, body: [0x49]))
        #expect(assembler.unreadCount == 0)
    }

    @Test func anOpenMessageIsEndedByTheNext() {
        var writer = MessageWriter(reservingCapacity: 64)
        writer.begin(0x41)
        writer.int8(-1)
        writer.begin(0x42)
        #expect(writer.take() == [0x41, 0, 0, 0, 5, 0xFF, 0x42, 0, 0, 0, 4])
        #expect(writer.isEmpty)
        writer.end()
        #expect(writer.bytes.isEmpty)
    }
}
