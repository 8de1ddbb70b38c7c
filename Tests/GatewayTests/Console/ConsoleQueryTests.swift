import PGWire
import Testing

@testable import Gateway

@Suite("Console, simple query protocol")
struct ConsoleQueryTests {
    @Test("answers what it knows itself")
    func own() throws {
        var script = ConsoleScript()
        #expect(
            try script.query("show version;") == [
                .columns(["version"], types: [25], formats: [0]), .text("pggateway 9.8.7"), .complete("SHOW"),
                .ready(.idle),
            ]
        )
        let help = try script.query("SHOW HELP")
        #expect(help.first == .columns(["item"], types: [25], formats: [0]))
        #expect(help.suffix(2) == [.complete("SHOW"), .ready(.idle)])
        #expect(help.count == 3 + HelpRow.rows.count)
        #expect(script.requests.isEmpty)
    }

    @Test("asks the gateway for the rest")
    func requested() throws {
        var script = ConsoleScript()
        #expect(
            try script.query("SHOW USERS") == [.usersColumns] + ConsoleReply.usersRows + [
                .complete("SHOW"), .ready(.idle),
            ]
        )
        #expect(
            try script.query("SHOW CONNECTIONS") == [
                .columns(
                    ["total", "errors", "tls", "plain", "cancel"],
                    types: [20, 20, 20, 20, 20],
                    formats: [0, 0, 0, 0, 0]
                ),
                .text("7", "1", "0", "5", "2"), .complete("SHOW"), .ready(.idle),
            ]
        )
        #expect(try script.query("RELOAD") == [.complete("RELOAD"), .ready(.idle)])
        #expect(
            try script.query("SHUTDOWN") == [
                .columns(["success"], types: [25], formats: [0]), .text("t"), .complete("SHUTDOWN"), .ready(.idle),
            ]
        )
        #expect(script.requests == [.users, .connections, .reload, .shutdown])
    }

    @Test("every request is answered with the columns of its command", arguments: ConsoleRequest.allCases)
    func everyRequest(request: ConsoleRequest) throws {
        let command = try #require(ConsoleCommand.all.first { $0.answer == .request(request) })
        var script = ConsoleScript()
        let empty: ConsoleOutcome =
            switch request {
            case .pools: .rows([PoolRow]())
            case .clients: .rows([ClientRow]())
            case .servers: .rows([ServerRow]())
            case .stats: .rows([StatsRow]())
            case .databases: .rows([DatabaseRow]())
            case .users: .rows([UserRow]())
            case .lists: .rows([ListRow]())
            case .config: .rows([ConfigRow]())
            case .connections: .rows([ConnectionsRow]())
            case .startupParameters: .rows([StartupParameterRow]())
            case .preparedStatements: .rows([StatementRow]())
            case .authQuery: .rows([AuthQueryRow]())
            case .interner: .rows([InternerRow]())
            case .internedTexts: .rows([InternedTextRow]())
            case .audit, .lastAudit, .auditFailures, .lastAuditFailures: .rows([AuditRow]())
            case .reload: .done
            case .shutdown: .rows([ShutdownRow]())
            case .hba: .rows([HBARow]())
            case .authProviders: .rows([AuthProviderRow]())
            case .tls: .rows([TLSRow]())
            case .reconnect: .done
            case .killUser: .rows([KillRow]())
            case .invalidateAuth: .rows([InvalidationRow]())
            }
        script.outcomes = [request: empty]
        let replies = try script.query(command.words.joined(separator: " ") + (command.parameter == nil ? "" : " 7")
            + (command.argument == .user ? " app" : ""))
        if command.columns.isEmpty {
            #expect(replies == [.complete(command.tag), .ready(.idle)])
        } else {
            let columns = ConsoleReply.columns(
                command.columns.map(\.name),
                types: command.columns.map(\.type.oid),
                formats: command.columns.map { _ in 0 }
            )
            #expect(replies == [columns, .complete(command.tag), .ready(.idle)])
        }
    }

    @Test(
        "a number behind the words is how many rows are sent",
        arguments: [("0", 0), ("1", 1), ("3", 3), ("9999999999", 3)]
    )
    func limited(number: String, count: Int) throws {
        var script = ConsoleScript()
        let texts = (1...3).map { InternedTextRow(hash: 0, kind: "named", bytes: $0, query: "\($0)") }
        script.outcomes = [.internedTexts: .rows(texts), .interner: .rows([InternerRow]())]
        let rows = try script.query("show interner \(number);").filter { if case .row = $0 { true } else { false } }
        #expect(rows.count == count)
        #expect(script.requests == [.internedTexts])
        #expect(try script.query("SHOW INTERNER").count == 3)
        #expect(script.requests == [.internedTexts, .interner])
    }

    @Test(
        "no number where none belongs, and nothing else where one does",
        arguments: ["SHOW POOLS 1", "SHOW INTERNER 1 1", "SHOW INTERNER x", "SHOW INTERNER 99999999999999999999"]
    )
    func misplacedNumber(text: String) throws {
        var script = ConsoleScript()
        #expect(try script.query(text).first?.sqlState == "42601")
    }

    @Test("nothing to do", arguments: ["", " ", ";", " ; ;; ", "-- comment", "/* comment */ ;"])
    func empty(text: String) throws {
        var script = ConsoleScript()
        #expect(try script.query(text) == [.emptyQuery, .ready(.idle)])
    }

    @Test("several statements, in order, up to the first error")
    func several() throws {
        var script = ConsoleScript()
        #expect(
            try script.query("RELOAD; SHOW USERS;; SET datestyle = ISO; SHOW nothing; RELOAD")
                == [.complete("RELOAD"), .usersColumns] + ConsoleReply.usersRows + [
                    .complete("SHOW"), .complete("SET"),
                    .error("42704", message: "unknown SHOW target \"nothing\""), .ready(.idle),
                ]
        )
        #expect(script.requests == [.reload, .users])
    }

    @Test("a failed request ends the query, not the session")
    func failure() throws {
        var script = ConsoleScript()
        #expect(
            try script.query("SHOW CONFIG; RELOAD")
                == [.error("58000", message: "settings cannot be read"), .ready(.idle)]
        )
        #expect(try script.query("RELOAD") == [.complete("RELOAD"), .ready(.idle)])
        #expect(script.requests == [.config, .reload])
    }

    @Test("a failure without severity is an ERROR; FATAL closes")
    func severity() throws {
        var script = ConsoleScript()
        var fields = ServerMessageFields(severity: .error, sqlState: .systemError, message: "x")
        fields.severity = nil
        script.outcomes[.config] = .failure(fields)
        #expect(try script.query("SHOW CONFIG") == [.error("58000", message: "x"), .ready(.idle)])
        fields.severity = .fatal
        script.outcomes[.config] = .failure(fields)
        #expect(try script.query("SHOW CONFIG") == [.fatal("58000")])
        #expect(script.isClosed)
    }

    @Test("an outcome that does not fit is an internal error")
    func mismatch() throws {
        var script = ConsoleScript()
        let expected = "the answer to SHOW USERS does not have its columns"
        for outcome in [ConsoleOutcome.done, .rows([PoolRow]())] {
            script.outcomes[.users] = outcome
            #expect(try script.query("SHOW USERS") == [.error("XX000", message: expected), .ready(.idle)])
        }
        script.outcomes[.reload] = .rows([ConsoleScript.user])
        #expect(try script.query("RELOAD").first?.sqlState == "XX000")
    }

    @Test("transaction status follows PostgreSQL")
    func transaction() throws {
        var script = ConsoleScript()
        let aborted = ConsoleReply.error(
            "25P02",
            message: "current transaction is aborted, commands ignored until end of transaction block"
        )
        #expect(try script.query("BEGIN") == [.complete("BEGIN"), .ready(.inTransaction)])
        #expect(try script.query("BEGIN") == [.warning("25001"), .complete("BEGIN"), .ready(.inTransaction)])
        #expect(try script.query("RELOAD") == [.complete("RELOAD"), .ready(.inTransaction)])
        #expect(try script.query("") == [.emptyQuery, .ready(.inTransaction)])
        #expect(try script.query("COMMIT") == [.complete("COMMIT"), .ready(.idle)])
        #expect(try script.query("COMMIT") == [.warning("25P01"), .complete("COMMIT"), .ready(.idle)])
        #expect(try script.query("ROLLBACK") == [.warning("25P01"), .complete("ROLLBACK"), .ready(.idle)])

        #expect(try script.query("BEGIN; SHOW CONFIG").suffix(1) == [.ready(.failed)])
        #expect(try script.query("RELOAD") == [aborted, .ready(.failed)])
        #expect(try script.query("SHOW VERSION") == [aborted, .ready(.failed)])
        #expect(try script.query("BEGIN") == [aborted, .ready(.failed)])
        #expect(try script.query("nonsense").first?.sqlState == "42601")
        #expect(try script.query("SET datestyle = ISO; ROLLBACK") == [aborted, .ready(.failed)])
        #expect(try script.query("COMMIT; SELECT 1").prefix(2).first == .complete("ROLLBACK"))
        #expect(script.session.status == .idle)

        #expect(try script.query("BEGIN; nonsense").suffix(1) == [.ready(.failed)])
        #expect(try script.query("ROLLBACK; RELOAD") == [.complete("ROLLBACK"), .complete("RELOAD"), .ready(.idle)])
    }

    @Test("savepoints follow PostgreSQL")
    func savepoints() throws {
        var script = ConsoleScript()
        for text in ["SAVEPOINT a", "RELEASE a", "ROLLBACK TO a", "COMMIT AND CHAIN"] {
            #expect(try script.query(text).first?.sqlState == "25P01")
            #expect(script.session.status == .idle)
        }
        #expect(try script.query("BEGIN; SAVEPOINT a").suffix(2) == [.complete("SAVEPOINT"), .ready(.inTransaction)])
        #expect(try script.query("nonsense; RELEASE a").suffix(1) == [.ready(.failed)])
        #expect(try script.query("RELEASE a").first?.sqlState == "25P02")
        #expect(try script.query("ROLLBACK TO b").first?.sqlState == "3B001")
        #expect(try script.query("ROLLBACK TO a") == [.complete("ROLLBACK"), .ready(.inTransaction)])
        #expect(try script.query("SAVEPOINT b; SAVEPOINT a; RELEASE b").suffix(1) == [.ready(.inTransaction)])
        #expect(try script.query("RELEASE a") == [.complete("RELEASE"), .ready(.inTransaction)])
        #expect(
            try script.query("RELEASE a")
                == [.error("3B001", message: "savepoint \"a\" does not exist"), .ready(.failed)])
        #expect(try script.query("COMMIT AND CHAIN") == [.complete("ROLLBACK"), .ready(.inTransaction)])
        #expect(try script.query("SAVEPOINT a; ROLLBACK").suffix(1) == [.ready(.idle)])
        #expect(try script.query("BEGIN; ROLLBACK TO a").suffix(1) == [.ready(.failed)])
    }

    @Test("savepoints of one name in a row, as drivers set them, have no limit; others have")
    func savepointLimit() throws {
        var script = ConsoleScript()
        _ = try script.query("BEGIN")
        for _ in 0...ConsoleLimits.savepoints {
            #expect(try script.query("SAVEPOINT same").last == .ready(.inTransaction))
        }
        for _ in 0...ConsoleLimits.savepoints {
            #expect(try script.query("RELEASE same").last == .ready(.inTransaction))
        }
        #expect(try script.query("RELEASE same").first?.sqlState == "3B001")
        _ = try script.query("ROLLBACK; BEGIN")
        for number in 0..<ConsoleLimits.savepoints {
            #expect(try script.query("SAVEPOINT s\(number)").last == .ready(.inTransaction))
        }
        #expect(try script.query("SAVEPOINT another").first?.sqlState == "53400")
    }

    @Test("too many statements in one query are refused whole")
    func statementLimit() throws {
        var script = ConsoleScript()
        let limit = ConsoleLimits.statementsPerQuery
        let accepted = try script.query(String(repeating: "RELOAD;", count: limit))
        #expect(accepted.count == limit + 1)
        let refused = try script.query(String(repeating: "RELOAD;", count: limit + 1))
        #expect(refused.first?.sqlState == "53400")
        #expect(refused.count == 2)
        #expect(script.requests.count == limit)
    }

    @Test("function calls are refused, the session goes on")
    func functionCall() throws {
        var script = ConsoleScript()
        let replies = try script.send {
            $0.begin(FrontendMessageKind.functionCall)
            $0.int32(1)
            $0.end()
            $0.query("RELOAD")
        }
        #expect(replies.first?.sqlState == "0A000")
        #expect(replies.dropFirst() == [.ready(.idle), .complete("RELOAD"), .ready(.idle)])
    }

    @Test("the end of a session")
    func end() throws {
        var script = ConsoleScript()
        #expect(try script.send { $0.terminate() }.isEmpty)
        #expect(script.isClosed)
        script = ConsoleScript()
        #expect(try script.send { $0.empty(UInt8(ascii: "?")) } == [.fatal("08P01")])
        #expect(script.isClosed)
        script = ConsoleScript()
        #expect(try script.send { $0.passwordMessage([1]) } == [.fatal("08P01")])
        #expect(script.isClosed)
    }

    @Test("misuse by the caller ends in an error, not in a trap")
    func misuse() throws {
        var session = ConsoleSession(facts: ConsoleFacts(version: "1", database: "pggateway", user: "admin"))
        #expect(session.complete(.done) == ConsoleStep(bytes: [], next: .receive))
        let reload = WireMessage(kind: FrontendMessageKind.query, body: Array("RELOAD\0".utf8))
        #expect(session.receive(reload) == ConsoleStep(bytes: [], next: .perform(.reload)))
        let step = session.receive(reload)
        #expect(step.next == .close)
        #expect(try ConsoleScript.decode(step.bytes) == [.fatal("XX000")])
    }
}
