import PGWire
import Testing

@testable import Gateway

/// What the console tells the audit stream.
@Suite("Console notes")
struct ConsoleNoteTests {
    private func notes(_ queries: String...) throws -> [String] {
        var script = ConsoleScript()
        for query in queries { _ = try script.query(query) }
        return script.session.takeNotes().map { "\($0.text): \($0.sqlState?.text ?? "ok")" }
    }

    @Test("every statement of a query is told once, up to the one that fails")
    func statements() throws {
        #expect(
            try self.notes("SHOW VERSION; show  users ; SHOW NONSENSE; RELOAD", "begin", "  ; ") == [
                "SHOW VERSION: ok", "show users: ok", "SHOW NONSENSE: 42704", "begin: ok",
            ]
        )
    }

    @Test("a command that the gateway refuses is told with its SQLSTATE")
    func failures() throws {
        var script = ConsoleScript()
        script.outcomes[.reload] = .failure(
            ServerMessageFields(severity: .error, sqlState: .invalidParameterValue, message: "no")
        )
        _ = try script.query("RELOAD; SHUTDOWN")
        #expect(script.session.takeNotes() == [ConsoleNote(text: "RELOAD", sqlState: .invalidParameterValue)])
        #expect(script.session.takeNotes().isEmpty)
    }

    @Test(
        "no text tells what may be a secret",
        arguments: [
            ("SET application_name = 'hunter2'", "SET application_name = '...': ok"),
            ("ALTER USER app PASSWORD 'hunter2'", "ALTER USER app PASSWORD: 42601"),
            ("ALTER ROLE somebody WITH PASSWORD hunter2", "ALTER ROLE somebody WITH: 42601"),
            ("SELECT 'hunter2', hunter2", "SELECT: 42601"),
            ("ALTER USER app PASSWORD 'hunter2", "ALTER USER app PASSWORD: 42601"),
            ("'hunter2", ": 42601"),
        ]
    )
    func secrets(query: String, told: String) throws {
        #expect(try self.notes(query) == [told])
    }

    @Test("a long statement is told whole: the audit stream cuts it, and says so")
    func long() throws {
        let word = String(repeating: "wörd", count: 500)
        #expect(try self.notes(word) == [word + ": 42601"])
        #expect(try self.notes("SHOW \(word)") == ["SHOW \(word): 42704"])
        #expect(try self.notes("a b  \(word) c d '") == ["a b \(word) c: 42601"])
    }

    @Test("the extended protocol tells what is executed, and what cannot be prepared")
    func extended() throws {
        var session = ConsoleSession(facts: ConsoleFacts(version: "1", database: "pggateway", user: "admin"))
        func parse(_ text: String) -> WireMessage {
            WireMessage(kind: FrontendMessageKind.parse, body: [0] + Array(text.utf8) + [0, 0, 0])
        }
        let bind = WireMessage(kind: FrontendMessageKind.bind, body: [0, 0, 0, 0, 0, 0, 0, 0])
        let execute = WireMessage(kind: FrontendMessageKind.execute, body: [0, 0, 0, 0, 1])
        let sync = WireMessage(kind: FrontendMessageKind.sync, body: [])
        for message in [parse("SHOW LISTS"), bind] { _ = session.receive(message) }
        #expect(session.takeNotes().isEmpty)
        #expect(session.receive(execute).next == .perform(.lists))
        let rows = ["a", "b"].map { ListRow(list: $0, items: 1) }
        _ = session.complete(.rows(rows))
        #expect(session.takeNotes() == [ConsoleNote(text: "SHOW LISTS", sqlState: nil)])
        // Fetching more of the same is no new command.
        _ = session.receive(execute)
        for message in [sync, parse("SHOW \"x"), sync] { _ = session.receive(message) }
        #expect(session.takeNotes() == [ConsoleNote(text: "SHOW", sqlState: .syntaxError)])
    }

    @Test("the audit commands ask for no more rows than are wanted")
    func limits() throws {
        let cases: [(String, ConsoleRequest, Int?)] = [
            ("show audit", .audit, nil), ("show audit 7", .lastAudit, 7), ("SHOW AUDIT FAILURES;", .auditFailures, nil),
            ("show audit failures 3", .lastAuditFailures, 3),
        ]
        for (text, request, limit) in cases {
            var session = ConsoleSession(facts: ConsoleFacts(version: "1", database: "pggateway", user: "admin"))
            let query = WireMessage(kind: FrontendMessageKind.query, body: Array(text.utf8) + [0])
            #expect(session.receive(query).next == .perform(request))
            #expect(session.rowLimit == limit)
        }
        #expect(try self.notes("SHOW AUDIT x") == ["SHOW AUDIT x: 42601"])
        #expect(try self.notes("SHOW AUDIT FAILURES 1 2") == ["SHOW AUDIT FAILURES 1: 42601"])
    }
}
