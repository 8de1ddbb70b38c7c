import AuthProviders
import Foundation
import Telemetry
import Testing

@testable import Gateway

@Suite("Audit reference page")
struct AuditReferenceTests {
    private static let page = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("Documentation/audit.md")

    /// With WRITE_DOCUMENTATION in the environment the page is written instead of compared.
    @Test("Documentation/audit.md is what the tables say")
    func page() throws {
        if ProcessInfo.processInfo.environment["WRITE_DOCUMENTATION"] != nil {
            try AuditReference.markdown.write(to: Self.page, atomically: true, encoding: .utf8)
        }
        #expect(
            try String(contentsOf: Self.page, encoding: .utf8) == AuditReference.markdown,
            "run the tests once with WRITE_DOCUMENTATION=1 and commit the page"
        )
    }

    @Test("names every field, event and reason")
    func complete() {
        let page = AuditReference.markdown
        for field in AuditField.all { #expect(page.contains("| `\(field.name)` | \(field.kind.rawValue) | ")) }
        for event in AuditEvent.allCases { #expect(page.contains("| `\(event.rawValue)` | \(event.meaning) |")) }
        for reason in AuthFailure.Reason.allCases {
            #expect(page.contains("| `\(reason.rawValue)` | "))
            #expect(!reason.meaning.isEmpty && !reason.meaning.hasSuffix("."))
        }
        for cause in AuditLogout.Cause.allCases { #expect(page.contains("| `\(cause.rawValue)` | \(cause.meaning) |")) }
        #expect(page.hasSuffix("\n") && !page.hasSuffix("\n\n"))
    }

    @Test("a row of SHOW AUDIT has the fields of the log, and NULL where the event has none")
    func row() {
        let subject = AuditSubject(
            connection: 7, address: .v4(0x7f00_0001, port: 4711), database: "db", user: "app", identity: "app"
        )
        let row = AuditRow(AuditRecord(time: 0, subject, .command(AuditCommand(text: "SHOW POOLS", sqlState: nil))))
        let values = Dictionary(uniqueKeysWithValues: zip(AuditRow.columns.map(\.name), row.values))
        #expect(values["time"] == .text("1970-01-01T00:00:00.000000Z"))
        #expect(values["connection"] == .text("#c7"))
        #expect(values["port"] == .int(4711))
        #expect(values["tls"] == .text("f"))
        #expect(values["command"] == .text("SHOW POOLS"))
        #expect(values["outcome"] == .text("ok"))
        #expect(values["verdict"] == .null && values["duration_us"] == .null && values["pool"] == .null)
        #expect(values["dropped"] == nil)
    }
}
