import PGWire
import Testing

@testable import Gateway

@Suite("Console parser")
struct ConsoleParserTests {
    private let parser = ConsoleParser(facts: ConsoleFacts(version: "9.8.7", database: "pgbouncer", user: "admin"))

    private func parse(_ text: String) throws -> ConsoleStatement {
        try self.parser.parse(try #require(try ConsoleLexer.statements(of: text).first))
    }

    private func error(_ text: String) throws -> ConsoleError {
        let error = #expect(throws: ConsoleError.self) { try self.parse(text) }
        return try #require(error)
    }

    @Test("understands every entry of the command table in any case", arguments: ConsoleCommand.all.map(\.name))
    func commands(name: String) throws {
        // A number where the name has a parameter, names where it has optional ones.
        var typed = name.hasSuffix(" n") ? name.dropLast() + "12" : name
        for (optional, given) in [("[database[.user]]", "shop.app"), ("[database]", "shop")] {
            if name.hasSuffix(optional) { typed = name.dropLast(optional.count) + given }
        }
        let mixed = typed.prefix(2).lowercased() + typed.dropFirst(2)
        for text in [typed, typed.lowercased(), " /* x */ \(mixed) ; -- y"] {
            guard case .command(let command) = try self.parse(text) else {
                Issue.record("\(text) is no command")
                continue
            }
            #expect(command.name == name)
        }
        let error = try self.error(typed + " extra")
        #expect(error.sqlState == .syntaxError)
        #expect(error.message == "syntax error at or near \"extra\"")
    }

    @Test(
        "takes transaction commands",
        arguments: [
            ("BEGIN", .begin, "BEGIN"),
            ("begin transaction isolation level serializable, read only", .begin, "BEGIN"),
            ("BEGIN WORK NOT DEFERRABLE", .begin, "BEGIN"),
            ("START TRANSACTION READ WRITE", .begin, "START TRANSACTION"),
            ("COMMIT", .commit(chains: false), "COMMIT"),
            ("END TRANSACTION", .commit(chains: false), "COMMIT"),
            ("COMMIT AND NO CHAIN", .commit(chains: false), "COMMIT"),
            ("commit work and chain", .commit(chains: true), "COMMIT"),
            ("ROLLBACK WORK", .rollback(chains: false), "ROLLBACK"),
            ("abort", .rollback(chains: false), "ROLLBACK"),
            ("ROLLBACK AND CHAIN", .rollback(chains: true), "ROLLBACK"),
            ("SAVEPOINT PGJDBC_AUTOSAVE", .savepoint("pgjdbc_autosave"), "SAVEPOINT"),
            ("savepoint \"A b\"", .savepoint("A b"), "SAVEPOINT"),
            ("RELEASE a", .release("a"), "RELEASE"),
            ("RELEASE SAVEPOINT a", .release("a"), "RELEASE"),
            ("ROLLBACK TO a", .rollbackTo("a"), "ROLLBACK"),
            ("rollback transaction to savepoint a", .rollbackTo("a"), "ROLLBACK"),
        ] as [(String, ConsoleTransaction, String)]
    )
    func transactions(text: String, expected: ConsoleTransaction, tag: String) throws {
        let statement = try self.parse(text)
        guard case .transaction(let transaction, _) = statement else {
            Issue.record("\(text) is no transaction command")
            return
        }
        #expect(transaction == expected)
        #expect(statement.tag == tag)
        #expect(statement.columns.isEmpty)
    }

    @Test(
        "accepts client settings and clean-up without effect",
        arguments: [
            ("SET client_encoding TO 'UTF8'", "SET"),
            ("set extra_float_digits = 3", "SET"),
            ("SET extra_float_digits TO -1", "SET"),
            ("SET SESSION application_name = 'PostgreSQL JDBC Driver'", "SET"),
            ("SET LOCAL search_path = a, \"B\"", "SET"),
            ("SET \"DateStyle\" = ISO", "SET"),
            ("SET standard_conforming_strings=on", "SET"),
            ("SET TIME ZONE 'UTC'", "SET"),
            ("SET SESSION TIME ZONE DEFAULT", "SET"),
            ("SET NAMES 'utf8'", "SET"),
            ("SET TRANSACTION READ ONLY", "SET"),
            ("SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL READ COMMITTED", "SET"),
            ("RESET ALL", "RESET"),
            ("RESET statement_timeout", "RESET"),
            ("CLOSE ALL", "CLOSE CURSOR ALL"),
            ("UNLISTEN *", "UNLISTEN"),
            ("DISCARD PLANS", "DISCARD PLANS"),
            ("DISCARD SEQUENCES", "DISCARD SEQUENCES"),
            ("DISCARD TEMPORARY", "DISCARD TEMP"),
        ]
    )
    func accepted(text: String, tag: String) throws {
        guard case .accepted(let actual) = try self.parse(text) else {
            Issue.record("\(text) is not accepted")
            return
        }
        #expect(actual == tag)
    }

    @Test(
        "forgets prepared statements",
        arguments: [
            ("DISCARD ALL", .everything, "DISCARD ALL"),
            ("DEALLOCATE ALL", .allStatements, "DEALLOCATE ALL"),
            ("DEALLOCATE PREPARE ALL", .allStatements, "DEALLOCATE ALL"),
            ("DEALLOCATE My_Stmt", .statement("my_stmt"), "DEALLOCATE"),
            ("DEALLOCATE \"My Stmt\"", .statement("My Stmt"), "DEALLOCATE"),
        ] as [(String, ConsoleStatement.Forgotten, String)]
    )
    func forgets(text: String, expected: ConsoleStatement.Forgotten, tag: String) throws {
        guard case .forget(let forgotten, let actual) = try self.parse(text) else {
            Issue.record("\(text) forgets nothing")
            return
        }
        #expect(forgotten == expected)
        #expect(actual == tag)
    }

    @Test(
        "answers questions of drivers",
        arguments: [
            ("SELECT 1", "?column?", .int(1), "SELECT 1"),
            ("select version()", "version", .text("PostgreSQL 15.0 (pggateway 9.8.7)"), "SELECT 1"),
            ("SELECT pg_catalog . version ( );", "version", .text("PostgreSQL 15.0 (pggateway 9.8.7)"), "SELECT 1"),
            ("SELECT current_database()", "current_database", .text("pgbouncer"), "SELECT 1"),
            ("SELECT CURRENT_USER", "current_user", .text("admin"), "SELECT 1"),
            ("SELECT pg_is_in_recovery()", "pg_is_in_recovery", .text("f"), "SELECT 1"),
            ("SHOW server_version", "server_version", .text("15.0 (pggateway 9.8.7)"), "SHOW"),
            ("SHOW DateStyle", "DateStyle", .text("ISO, MDY"), "SHOW"),
            ("show time zone", "TimeZone", .text("UTC"), "SHOW"),
            ("SHOW TRANSACTION ISOLATION LEVEL", "transaction_isolation", .text("read committed"), "SHOW"),
            ("SHOW SESSION AUTHORIZATION", "session_authorization", .text("admin"), "SHOW"),
            ("SHOW transaction_read_only", "transaction_read_only", .text("off"), "SHOW"),
        ] as [(String, String, ConsoleValue, String)]
    )
    func constants(text: String, column: String, value: ConsoleValue, tag: String) throws {
        guard case .constant(let table, let actual) = try self.parse(text) else {
            Issue.record("\(text) has no fixed answer")
            return
        }
        #expect(table.columns.map(\.name) == [column])
        #expect(table.rows == [[value]])
        #expect(actual == tag)
    }

    @Test(
        "refuses with the right code and words",
        arguments: [
            ("DROP TABLE users", "42601", "unsupported console command \"DROP TABLE users\""),
            ("KILL mydb", "42601", "unsupported console command \"KILL mydb\""),
            ("ALTER USER bob PASSWORD 'secret'", "42601", "unsupported console command \"ALTER USER bob PASSWORD\""),
            ("SELECT a FROM b WHERE c", "42601", "unsupported console command \"SELECT a FROM b\""),
            ("SELECT 'secret'", "42601", "unsupported console command \"SELECT\""),
            ("(", "42601", "unsupported console command \"\""),
            ("SHOW", "42601", "syntax error at end of input"),
            ("SHOW 'pools'", "42601", "syntax error at or near \"pools\""),
            ("SHOW =", "42601", "syntax error at or near \"=\""),
            ("SHOW server_version now", "42601", "syntax error at or near \"now\""),
            ("SHOW POOL", "42704", "unknown SHOW target \"POOL\""),
            ("SET", "42601", "syntax error at end of input"),
            ("SET client_encoding", "42601", "syntax error at end of input"),
            ("SET client_encoding 'UTF8'", "42601", "syntax error at or near \"UTF8\""),
            ("SET client_encoding =", "42601", "syntax error at end of input"),
            ("SET client_encoding = (", "42601", "syntax error at or near \"(\""),
            ("SET nonsense = 1", "42704", "unrecognized configuration parameter \"nonsense\""),
            ("RESET nonsense", "42704", "unrecognized configuration parameter \"nonsense\""),
            ("RESET", "42601", "syntax error at end of input"),
            ("BEGIN SOMETHING", "42601", "syntax error at or near \"SOMETHING\""),
            ("SAVEPOINT", "42601", "syntax error at end of input"),
            ("RELEASE SAVEPOINT a b", "42601", "syntax error at or near \"b\""),
            ("ABORT TO a", "42601", "syntax error at or near \"TO\""),
            ("COMMIT AND", "42601", "syntax error at end of input"),
            ("START", "42601", "syntax error at end of input"),
            ("CLOSE cursor", "42601", "syntax error at or near \"cursor\""),
            ("UNLISTEN channel", "42601", "syntax error at or near \"channel\""),
            ("DISCARD", "42601", "syntax error at end of input"),
            ("DEALLOCATE", "42601", "syntax error at end of input"),
            ("DEALLOCATE a b", "42601", "syntax error at or near \"b\""),
        ]
    )
    func refusals(text: String, state: String, message: String) throws {
        let error = try self.error(text)
        #expect(error.sqlState.text == state)
        #expect(error.message == message)
        #expect(error.fields.severity == .error)
    }

    @Test("hints at the nearest name, and at SHOW HELP")
    func hints() throws {
        #expect(try self.error("SHOW pool").hint == "Perhaps you mean SHOW POOLS. SHOW HELP lists the commands.")
        #expect(try self.error("SHOW cleints").hint == "Perhaps you mean SHOW CLIENTS. SHOW HELP lists the commands.")
        #expect(try self.error("SHOW zzzzzzzzz").hint == "SHOW HELP lists the commands.")
        #expect(try self.error("FLUSH").hint == "SHOW HELP lists the commands.")
    }
}
