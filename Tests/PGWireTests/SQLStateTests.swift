import PGWire
import Testing

@Suite("SQLSTATE, severity, version")
struct SQLStateTests {
    @Test(arguments: ["00000", "08P01", "XX000", "F0000", "25P02", "ZZZZZ"])
    func keepsItsText(text: String) throws {
        let state = try #require(SQLState(text))
        #expect(state.text == text)
        #expect("\(state)" == text)
        #expect(state.bytes == Array(text.utf8))
    }

    @Test(arguments: ["", "0800", "080060", "08p01", "08 01", "0800é", "日本"])
    func refusesOtherText(text: String) {
        #expect(SQLState(text) == nil)
    }

    @Test func namesTheRightCodes() {
        let codes: [(SQLState, String)] = [
            (.protocolViolation, "08P01"), (.connectionFailure, "08006"), (.cannotConnectNow, "57P03"),
            (.adminShutdown, "57P01"), (.queryCanceled, "57014"), (.invalidPassword, "28P01"),
            (.invalidAuthorization, "28000"), (.invalidCatalogName, "3D000"), (.tooManyConnections, "53300"),
            (.insufficientResources, "53000"), (.outOfMemory, "53200"), (.featureNotSupported, "0A000"),
            (.syntaxError, "42601"), (.undefinedObject, "42704"), (.invalidStatementName, "26000"),
            (.duplicatePreparedStatement, "42P05"), (.duplicateCursor, "42P03"), (.invalidParameterValue, "22023"),
            (.systemError, "58000"), (.configurationLimitExceeded, "53400"), (.inFailedTransaction, "25P02"),
            (.activeTransaction, "25001"), (.internalError, "XX000"), (.characterNotInRepertoire, "22021"),
        ]
        for (state, text) in codes {
            #expect(state.text == text)
        }
    }

    @Test func knowsTheClassOfSyntaxAndAccessRules() {
        let all: [SQLState] = [.syntaxError, .undefinedObject, .insufficientPrivilege, .duplicateCursor]
        #expect(all.allSatisfy { $0.isSyntaxOrAccessRule })
        let none: [SQLState] = [.internalError, .insufficientResources, .featureNotSupported, .warning]
        #expect(!none.contains { $0.isSyntaxOrAccessRule })
    }

    @Test func knowsWhichSeveritiesEndAConnection() {
        #expect(Severity.allCases.filter(\.endsConnection) == [.fatal, .panic])
    }

    @Test func ordersAndEncodesVersions() {
        #expect(ProtocolVersion.v3_0.code == 196_608)
        #expect(ProtocolVersion.v3_2.code == 196_610)
        #expect(ProtocolVersion(code: -1) == ProtocolVersion(major: 65_535, minor: 65_535))
        #expect(ProtocolVersion(code: -1).code == -1)
        #expect(ProtocolVersion.v3_0 < .v3_2)
        #expect(ProtocolVersion(major: 2, minor: 9) < .v3_0)
        #expect("\(ProtocolVersion(major: 3, minor: 9_999))" == "3.9999")
    }

    @Test func readsTransactionStatus() {
        for byte in UInt8.min...UInt8.max {
            #expect(TransactionStatus(byte: byte) == TransactionStatus(rawValue: byte))
        }
        #expect(TransactionStatus(byte: UInt8(ascii: "T")) == .inTransaction)
    }
}
