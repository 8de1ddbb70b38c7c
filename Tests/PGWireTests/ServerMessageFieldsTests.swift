import PGWire
import Testing

@Suite("Error and notice fields")
struct ServerMessageFieldsTests {
    static let body = bytes(
        .byte("S"), .string("FEHLER"), .byte("V"), .string("ERROR"), .byte("C"), .string("42601"),
        .byte("M"), .string("syntax error"), .byte("P"), .string("8"), .byte("F"), .string("scan.l"),
        .byte("~"), .string("from the future"), .byte("R"), .string("scanner_yyerror"), .raw([0])
    )

    @Test func readsKnownFields() throws {
        let fields = try ServerMessageFields.decode(body: Self.body)
        #expect(fields.severity == .error)
        #expect(fields.sqlState == .syntaxError)
        #expect(fields.message == "syntax error")
        #expect(fields.detail == nil)
        #expect(fields.hint == nil)
        #expect(fields.position == "8")
        #expect(fields.routine == "scanner_yyerror")
        #expect(fields.description == "ERROR 42601: syntax error")
        #expect(try ServerMessageFields.decode(body: Self.body.span) == fields)
    }

    @Test func writesAgainWhatItRead() throws {
        let fields = try ServerMessageFields.decode(body: Self.body)
        let expected = bytes(.byte("E"), .int32(Int32(Self.body.count + 4)), .raw(Self.body))
        #expect(written { $0.errorResponse(fields) } == expected)
    }

    @Test func failsOnEveryCut() {
        for count in 0..<Self.body.count {
            let cut = Array(Self.body.prefix(count))
            let error = wireError { () throws(WireError) in try ServerMessageFields.decode(body: cut) }
            #expect(error == .missingTerminator)
        }
        let longer = Self.body + [0]
        let error = wireError { () throws(WireError) in try ServerMessageFields.decode(body: longer) }
        #expect(error == .trailingBytes(count: 1))
    }

    @Test func toleratesMissingAndRepeatedFieldsAndBrokenText() throws {
        let empty = try ServerMessageFields.decode(body: [0])
        #expect(empty.severity == nil)
        #expect(empty.sqlState == nil)
        #expect(empty.message == "")

        let odd = bytes(
            .byte("M"), .string("first"), .byte("C"), .string("nonsense"), .byte("S"), .string("FATAL"),
            .byte("M"), .raw([0x61, 0xFF, 0x62, 0]), .raw([0])
        )
        var fields = try ServerMessageFields.decode(body: odd)
        #expect(fields.message == "a\u{FFFD}b")
        #expect(fields.severity == .fatal)
        #expect(fields.sqlState == nil)
        #expect(fields.fields.count == 4)
        fields.message = "only"
        #expect(fields.fields.count { $0.code == UInt8(ascii: "M") } == 1)
        #expect(fields.fields.first?.text == "only")
    }

    @Test func writesFieldsInTheOrderOfPostgreSQL() {
        var fields = ServerMessageFields(
            severity: .fatal,
            sqlState: .invalidPassword,
            message: "password authentication failed for user \"u\"",
            detail: "d",
            hint: "h"
        )
        fields.context = "w"
        let expected = bytes(
            .byte("S"), .string("FATAL"), .byte("V"), .string("FATAL"), .byte("C"), .string("28P01"),
            .byte("M"), .string("password authentication failed for user \"u\""), .byte("D"), .string("d"),
            .byte("H"), .string("h"), .byte("W"), .string("w"), .raw([0])
        )
        let length = Int32(expected.count + 4)
        #expect(written { $0.errorResponse(fields) } == bytes(.byte("E"), .int32(length), .raw(expected)))
        #expect(written { $0.noticeResponse(fields) } == bytes(.byte("N"), .int32(length), .raw(expected)))
    }

    @Test func aZeroByteInATextForgesNoField() throws {
        let fields = ServerMessageFields(severity: .error, sqlState: .internalError, message: "a\0Hforged\0")
        let message = written { $0.errorResponse(fields) }
        let decoded = try ServerMessageFields.decode(body: Array(message.dropFirst(5)))
        #expect(decoded.hint == nil)
        #expect(decoded.message == "a\u{FFFD}Hforged\u{FFFD}")
    }

    @Test func removesAField() {
        var fields = ServerMessageFields(severity: .error, sqlState: .internalError, message: "m", hint: "h")
        fields.hint = nil
        fields.severity = .panic
        #expect(fields == ServerMessageFields(severity: .panic, sqlState: .internalError, message: "m"))
    }
}
