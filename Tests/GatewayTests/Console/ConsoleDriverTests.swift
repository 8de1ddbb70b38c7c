import PGWire
import Testing

@testable import Gateway

/// The message sequences by which common drivers talk to any server.
@Suite("Console, sequences of drivers")
struct ConsoleDriverTests {
    /// asyncpg prepares by name, waits, then binds with binary results.
    @Test func asyncpg() throws {
        var script = ConsoleScript()
        let prepared = try script.send {
            $0.parse(name: "__asyncpg_stmt_1__", query: "SHOW USERS")
            $0.describe(kind: .statement, name: "__asyncpg_stmt_1__")
            $0.flush()
        }
        #expect(prepared == [.parsed, .parameters([]), .usersColumns])
        let fetched = try script.send {
            $0.bind(portal: "", statement: "__asyncpg_stmt_1__", parameterFormats: [1], resultFormats: [1])
            $0.execute(portal: "")
            $0.sync()
        }
        #expect(fetched == [.bound] + ConsoleReply.usersRows + [.complete("SHOW"), .ready(.idle)])
        let reset = try script.query(
            "SELECT pg_advisory_unlock_all();\nCLOSE ALL;\nUNLISTEN *;\nRESET ALL;"
        )
        #expect(
            reset == [
                .columns(["pg_advisory_unlock_all"], types: [25], formats: [0]), .text(""), .complete("SELECT 1"),
                .complete("CLOSE CURSOR ALL"), .complete("UNLISTEN"), .complete("RESET"), .ready(.idle),
            ]
        )
        let closed = try script.send {
            $0.close(kind: .statement, name: "__asyncpg_stmt_1__")
            $0.sync()
            $0.terminate()
        }
        #expect(closed == [.closed, .ready(.idle)])
        #expect(script.isClosed)
    }

    /// pgjdbc sets its session up by the extended protocol and opens transactions in the pipeline of the query.
    @Test func pgjdbc() throws {
        var script = ConsoleScript()
        for setting in ["SET extra_float_digits = 3", "SET application_name = 'PostgreSQL JDBC Driver'"] {
            let replies = try script.send {
                $0.parse(name: "", query: setting)
                $0.bind(portal: "", statement: "")
                $0.execute(portal: "", maxRows: 1)
                $0.sync()
            }
            #expect(replies == [.parsed, .bound, .complete("SET"), .ready(.idle)])
        }
        let queried = try script.send {
            $0.parse(name: "S_1", query: "BEGIN")
            $0.bind(portal: "", statement: "S_1")
            $0.execute(portal: "")
            $0.parse(name: "", query: "SHOW USERS")
            $0.bind(portal: "C_2", statement: "")
            $0.describe(kind: .portal, name: "C_2")
            $0.execute(portal: "C_2", maxRows: 2)
            $0.sync()
        }
        #expect(
            queried == [
                .parsed, .bound, .complete("BEGIN"), .parsed, .bound, .usersColumns, .usersRow(0), .usersRow(1),
                .suspended, .ready(.inTransaction),
            ]
        )
        let rest = try script.send {
            $0.execute(portal: "C_2", maxRows: 2)
            $0.sync()
            $0.parse(name: "S_3", query: "COMMIT")
            $0.bind(portal: "", statement: "S_3")
            $0.execute(portal: "", maxRows: 1)
            $0.sync()
            $0.execute(portal: "C_2", maxRows: 2)
            $0.sync()
        }
        #expect(
            rest == [
                .usersRow(2), .complete("SHOW"), .ready(.inTransaction), .parsed, .bound, .complete("COMMIT"),
                .ready(.idle), .error("34000", message: "portal \"C_2\" does not exist"), .ready(.idle),
            ]
        )
    }

    /// psycopg opens a transaction before the first statement; without parameters it uses the simple protocol, with
    /// server-side preparation the extended one.
    @Test func psycopg() throws {
        var script = ConsoleScript()
        #expect(try script.query("BEGIN") == [.complete("BEGIN"), .ready(.inTransaction)])
        #expect(try script.query("SHOW USERS").last == .ready(.inTransaction))
        let prepared = try script.send {
            $0.parse(name: "_pg3_0", query: "SHOW USERS")
            $0.sync()
            $0.bind(portal: "", statement: "_pg3_0", resultFormats: [0])
            $0.describe(kind: .portal, name: "")
            $0.execute(portal: "")
            $0.sync()
        }
        #expect(
            prepared == [.parsed, .ready(.inTransaction), .bound, .usersColumns] + ConsoleReply.usersRows + [
                .complete("SHOW"), .ready(.inTransaction),
            ]
        )
        #expect(try script.query("SHOW POOOLS").last == .ready(.failed))
        #expect(try script.query("ROLLBACK") == [.complete("ROLLBACK"), .ready(.idle)])
        #expect(try script.query("DEALLOCATE _pg3_0") == [.complete("DEALLOCATE"), .ready(.idle)])
    }

    /// Npgsql sends the whole query in one packet, results in binary, and cleans up before reuse.
    @Test func npgsql() throws {
        var script = ConsoleScript()
        let replies = try script.send {
            $0.query("DISCARD ALL")
            $0.parse(name: "", query: "SHOW CONNECTIONS")
            $0.bind(portal: "", statement: "", resultFormats: [1])
            $0.describe(kind: .portal, name: "")
            $0.execute(portal: "")
            $0.sync()
        }
        #expect(replies.prefix(4) == [.complete("DISCARD ALL"), .ready(.idle), .parsed, .bound])
        #expect(replies.suffix(2) == [.complete("SHOW"), .ready(.idle)])
    }

    /// Pipelines of libpq and pgx: several queries, each with its own Sync, sent at once.
    @Test func pipeline() throws {
        var script = ConsoleScript()
        let replies = try script.send {
            for query in ["RELOAD", "SHOW nothing", "RELOAD"] {
                $0.parse(name: "", query: query)
                $0.bind(portal: "", statement: "")
                $0.describe(kind: .portal, name: "")
                $0.execute(portal: "")
                $0.sync()
            }
        }
        let reload: [ConsoleReply] = [.parsed, .bound, .noData, .complete("RELOAD"), .ready(.idle)]
        #expect(
            replies == reload + [
                .error("42704", message: "unknown SHOW target \"nothing\""), .ready(.idle),
            ] + reload
        )
        #expect(script.requests == [.reload, .reload])
    }
}
