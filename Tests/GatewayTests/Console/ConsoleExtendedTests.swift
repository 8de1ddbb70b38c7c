import PGWire
import Testing

@testable import Gateway

@Suite("Console, extended query protocol")
struct ConsoleExtendedTests {
    @Test("the whole way, unnamed")
    func unnamed() throws {
        var script = ConsoleScript()
        let replies = try script.send {
            $0.parse(name: "", query: "SHOW USERS")
            $0.bind(portal: "", statement: "")
            $0.describe(kind: .portal, name: "")
            $0.execute(portal: "")
            $0.sync()
        }
        #expect(
            replies == [.parsed, .bound, .usersColumns] + ConsoleReply.usersRows + [
                .complete("SHOW"), .ready(.idle),
            ]
        )
        #expect(script.requests == [.users])
    }

    @Test("columns are known before execution")
    func describe() throws {
        var script = ConsoleScript()
        let replies = try script.send {
            $0.parse(name: "s", query: "SHOW USERS")
            $0.describe(kind: .statement, name: "s")
            $0.parse(name: "r", query: "RELOAD")
            $0.describe(kind: .statement, name: "r")
            $0.parse(name: "", query: "")
            $0.describe(kind: .statement, name: "")
            $0.bind(portal: "p", statement: "r", resultFormats: [1, 1, 0])
            $0.describe(kind: .portal, name: "p")
            $0.sync()
        }
        #expect(
            replies == [
                .parsed, .parameters([]), .usersColumns, .parsed, .parameters([]), .noData, .parsed, .parameters([]),
                .noData, .bound, .noData, .ready(.idle),
            ]
        )
        #expect(script.requests.isEmpty)
    }

    @Test("binary results, for all columns and for some")
    func binary() throws {
        var script = ConsoleScript()
        /// The two messages that follow BindComplete, or the two from its error on.
        func run(_ formats: [Int16]) throws -> [ConsoleReply] {
            let replies = try script.send {
                $0.parse(name: "", query: "SHOW CONNECTIONS")
                $0.bind(portal: "", statement: "", resultFormats: formats)
                $0.describe(kind: .portal, name: "")
                $0.execute(portal: "")
                $0.sync()
            }
            return Array(replies.dropFirst().filter { $0 != .bound }.prefix(2))
        }
        func columns(_ formats: [Int16]) -> ConsoleReply {
            .columns(["total", "errors", "tls", "plain", "cancel"], types: [20, 20, 20, 20, 20], formats: formats)
        }
        func binary(_ byte: UInt8) -> [UInt8] { [0, 0, 0, 0, 0, 0, 0, byte] }
        #expect(try run([1]) == [columns([1, 1, 1, 1, 1]), .row([7, 1, 0, 5, 2].map(binary))])
        #expect(
            try run([0, 1, 0, 1, 0]) == [
                columns([0, 1, 0, 1, 0]), .row([[0x37], binary(1), [0x30], binary(5), [0x32]]),
            ]
        )
        #expect(try run([0]) == [columns([0, 0, 0, 0, 0]), .text("7", "1", "0", "5", "2")])
        #expect(
            try run([1, 1]) == [
                .error("08P01", message: "bind message has 2 result formats but query has 5 columns"), .ready(.idle),
            ]
        )
        #expect(try run([2]) == [.error("22023", message: "unsupported format code: 2"), .ready(.idle)])
    }

    @Test("rows are fetched in portions")
    func rowLimit() throws {
        var script = ConsoleScript()
        let replies = try script.send {
            $0.query("BEGIN")
            $0.parse(name: "", query: "SHOW USERS")
            $0.bind(portal: "p", statement: "")
            $0.execute(portal: "p", maxRows: 2)
            $0.sync()
            $0.execute(portal: "p", maxRows: 1)
            $0.execute(portal: "p", maxRows: 1)
            $0.execute(portal: "p")
            $0.sync()
        }
        #expect(
            replies == [
                .complete("BEGIN"), .ready(.inTransaction), .parsed, .bound, .usersRow(0), .usersRow(1), .suspended,
                .ready(.inTransaction), .usersRow(2), .suspended, .complete("SHOW"), .complete("SHOW"),
                .ready(.inTransaction),
            ]
        )
        #expect(script.requests == [.users])
        for limit in [0, -1, 4, Int32.max] as [Int32] {
            let all = try script.send {
                $0.bind(portal: "", statement: "")
                $0.execute(portal: "", maxRows: limit)
            }
            #expect(all == [.bound] + ConsoleReply.usersRows + [.complete("SHOW")])
        }
    }

    @Test("outside of a transaction, portals end with Sync")
    func portalLifetime() throws {
        var script = ConsoleScript()
        let replies = try script.send {
            $0.parse(name: "s", query: "SHOW USERS")
            $0.bind(portal: "p", statement: "s")
            $0.execute(portal: "p", maxRows: 1)
            $0.sync()
            $0.execute(portal: "p", maxRows: 1)
            $0.sync()
            $0.describe(kind: .statement, name: "s")
            $0.sync()
        }
        #expect(
            replies == [
                .parsed, .bound, .usersRow(0), .suspended, .ready(.idle),
                .error("34000", message: "portal \"p\" does not exist"), .ready(.idle), .parameters([]), .usersColumns,
                .ready(.idle),
            ]
        )
    }

    @Test("a statement without rows runs once per portal; an empty one as often as asked")
    func once() throws {
        var script = ConsoleScript()
        let replies = try script.send {
            $0.parse(name: "", query: " ; ")
            $0.bind(portal: "", statement: "")
            $0.execute(portal: "")
            $0.execute(portal: "")
            $0.parse(name: "r", query: "RELOAD")
            $0.bind(portal: "p", statement: "r")
            $0.execute(portal: "p")
            $0.execute(portal: "p")
            $0.sync()
        }
        #expect(
            replies == [
                .parsed, .bound, .emptyQuery, .emptyQuery, .parsed, .bound, .complete("RELOAD"),
                .error("55000", message: "portal \"p\" cannot be run"), .ready(.idle),
            ]
        )
        #expect(script.requests == [.reload])
    }

    @Test("names are taken once, the unnamed ones are replaced")
    func names() throws {
        var script = ConsoleScript()
        let replies = try script.send {
            $0.query("BEGIN")
            $0.parse(name: "s", query: "SHOW USERS")
            $0.parse(name: "", query: "RELOAD")
            $0.parse(name: "", query: "SHOW USERS")
            $0.bind(portal: "", statement: "s")
            $0.bind(portal: "", statement: "")
            $0.bind(portal: "p", statement: "s")
            $0.close(kind: .portal, name: "p")
            $0.bind(portal: "p", statement: "s")
            $0.close(kind: .statement, name: "s")
            $0.parse(name: "s", query: "")
            $0.close(kind: .statement, name: "never")
            $0.close(kind: .portal, name: "never")
            $0.sync()
        }
        #expect(
            replies == [
                .complete("BEGIN"), .ready(.inTransaction), .parsed, .parsed, .parsed, .bound, .bound, .bound, .closed,
                .bound, .closed, .parsed, .closed, .closed, .ready(.inTransaction),
            ]
        )
        let duplicate = try script.send {
            $0.parse(name: "s", query: "RELOAD")
            $0.sync()
        }
        #expect(
            duplicate == [.error("42P05", message: "prepared statement \"s\" already exists"), .ready(.failed)]
        )
        let portal = try script.send {
            $0.query("ROLLBACK")
            $0.bind(portal: "p", statement: "s")
            $0.bind(portal: "p", statement: "s")
            $0.sync()
        }
        #expect(
            portal == [
                .complete("ROLLBACK"), .ready(.idle), .bound,
                .error("42P03", message: "portal \"p\" already exists"), .ready(.idle),
            ]
        )
    }

    @Test("a Query message ends the unnamed portal, also inside a transaction")
    func queryEndsPortal() throws {
        var script = ConsoleScript()
        let replies = try script.send {
            $0.query("BEGIN")
            $0.parse(name: "", query: "SHOW USERS")
            $0.bind(portal: "", statement: "")
            $0.bind(portal: "named", statement: "")
            $0.query("RELOAD")
            $0.execute(portal: "named", maxRows: 1)
            $0.execute(portal: "")
            $0.sync()
        }
        #expect(
            replies.suffix(5) == [
                .ready(.inTransaction), .usersRow(0), .suspended,
                .error("34000", message: "portal \"\" does not exist"), .ready(.failed),
            ]
        )
    }

    @Test("a Query message ends the unnamed statement")
    func queryBetween() throws {
        var script = ConsoleScript()
        let replies = try script.send {
            $0.parse(name: "", query: "RELOAD")
            $0.query("SHOW VERSION")
            $0.bind(portal: "", statement: "")
            $0.sync()
        }
        #expect(replies.first == .parsed)
        #expect(
            replies.suffix(2)
                == [.error("26000", message: "unnamed prepared statement does not exist"), .ready(.idle)]
        )
    }

    @Test("prepared statements are forgotten on request")
    func forget() throws {
        var script = ConsoleScript()
        func exists(_ name: String) throws -> Bool {
            let replies = try script.send {
                $0.describe(kind: .statement, name: name)
                $0.sync()
            }
            return replies.first == .parameters([])
        }
        _ = try script.send {
            for name in ["a", "b", "c"] { $0.parse(name: name, query: "RELOAD") }
            $0.sync()
        }
        #expect(try script.query("DEALLOCATE a") == [.complete("DEALLOCATE"), .ready(.idle)])
        #expect(try !exists("a") && exists("b"))
        #expect(try script.query("DEALLOCATE a").first?.sqlState == "26000")
        #expect(try script.query("BEGIN; DISCARD ALL").suffix(2).map(\.sqlState) == ["25001", nil])
        #expect(try exists("b"))
        #expect(try script.query("ROLLBACK; DISCARD ALL").suffix(2) == [.complete("DISCARD ALL"), .ready(.idle)])
        #expect(try !exists("b") && !exists("c"))
    }
}
