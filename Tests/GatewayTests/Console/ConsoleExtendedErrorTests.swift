import PGWire
import Testing

@testable import Gateway

@Suite("Console, errors of the extended query protocol")
struct ConsoleExtendedErrorTests {
    /// Each message, sent alone, is refused with this code.
    @Test(
        "refusals",
        arguments: [
            (.parse("s", "nonsense"), "42601"),
            (.parse("s", "SHOW nonsense"), "42704"),
            (.parse("s", "RELOAD; RELOAD"), "42601"),
            (.parse("s", "SHOW 'open"), "42601"),
            (.bind("never", parameters: 0), "26000"),
            (.bind("", parameters: 0), "26000"),
            (.bind("users", parameters: 1), "08P01"),
            (.describe(.statement, "never"), "26000"),
            (.describe(.portal, "never"), "34000"),
            (.execute("never"), "34000"),
        ] as [(Message, String)]
    )
    func refusals(message: Message, state: String) throws {
        var script = ConsoleScript()
        let replies = try script.send {
            $0.parse(name: "users", query: "SHOW USERS")
            message.write(into: &$0)
            // All of this is skipped.
            $0.parse(name: "x", query: "RELOAD")
            $0.bind(portal: "", statement: "x")
            $0.execute(portal: "")
            $0.flush()
            $0.query("RELOAD")
            $0.sync()
            $0.describe(kind: .statement, name: "x")
            $0.sync()
        }
        #expect(replies.map(\.sqlState) == [nil, state, nil, "26000", nil])
        #expect(replies.last == .ready(.idle))
        #expect(script.requests.isEmpty)
    }

    enum Message: Sendable {
        case parse(String, String)
        case bind(String, parameters: Int)
        case describe(NamedObject, String)
        case execute(String)

        func write(into writer: inout MessageWriter) {
            switch self {
            case .parse(let name, let query):
                writer.parse(name: name, query: query)
            case .bind(let statement, let parameters):
                writer.bind(portal: "", statement: statement, parameters: Array(repeating: [1], count: parameters))
            case .describe(let kind, let name):
                writer.describe(kind: kind, name: name)
            case .execute(let portal):
                writer.execute(portal: portal)
            }
        }
    }

    @Test("a failed request skips to Sync")
    func failedRequest() throws {
        var script = ConsoleScript()
        let replies = try script.send {
            $0.query("BEGIN")
            $0.parse(name: "c", query: "SHOW CONFIG")
            $0.bind(portal: "", statement: "c")
            $0.execute(portal: "")
            $0.execute(portal: "")
            $0.sync()
            $0.bind(portal: "", statement: "c")
            $0.sync()
            $0.parse(name: "", query: "RELOAD")
            $0.sync()
            $0.parse(name: "", query: "ROLLBACK")
            $0.bind(portal: "", statement: "")
            $0.describe(kind: .portal, name: "")
            $0.execute(portal: "")
            $0.sync()
        }
        #expect(
            replies.map(\.sqlState) == [
                nil, nil, nil, nil, "58000", nil, "25P02", nil, "25P02", nil, nil, nil, nil, nil, nil,
            ]
        )
        #expect(replies.suffix(5) == [.parsed, .bound, .noData, .complete("ROLLBACK"), .ready(.idle)])
        #expect(script.requests == [.config])
    }

    @Test("statements and portals are bounded")
    func limits() throws {
        var script = ConsoleScript()
        let statements = try script.send {
            for number in 0...ConsoleLimits.preparedStatements {
                $0.parse(name: "s\(number)", query: "RELOAD")
            }
            $0.sync()
        }
        #expect(statements.filter { $0 == .parsed }.count == ConsoleLimits.preparedStatements)
        #expect(statements.suffix(2).map(\.sqlState) == ["53400", nil])
        let portals = try script.send {
            for number in 0...ConsoleLimits.portals {
                $0.bind(portal: "p\(number)", statement: "s0")
            }
            $0.sync()
        }
        #expect(portals.filter { $0 == .bound }.count == ConsoleLimits.portals)
        #expect(portals.suffix(2).map(\.sqlState) == ["53400", nil])
    }
}
