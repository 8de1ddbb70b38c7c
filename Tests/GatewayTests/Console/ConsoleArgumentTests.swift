import PGWire
import Testing

@testable import Gateway

/// What stands behind RECONNECT, KILL USER and INVALIDATE AUTH: names as SQL reads them.
@Suite struct ConsoleArgumentTests {
    @Test(
        arguments: [
            ("KILL USER app", ["app"]), ("kill user App;", ["app"]), ("KILL USER \"App\"", ["App"]),
            ("KILL USER \"a \"\"b\"\"\"", ["a \"b\""]), ("KILL USER ÜBUNG", ["Übung"]),
            ("RECONNECT", []), ("reconnect Shop;", ["shop"]), ("RECONNECT \"Shop\"", ["Shop"]),
            ("INVALIDATE AUTH Shop.Ünal", ["shop", "Ünal"]),
            ("INVALIDATE AUTH", []), ("invalidate auth shop", ["shop"]), ("INVALIDATE AUTH Shop.App", ["shop", "app"]),
            ("INVALIDATE AUTH \"Shop\"", ["Shop"]), ("INVALIDATE AUTH \"My Shop\".\"My App\"", ["My Shop", "My App"]),
            ("INVALIDATE AUTH \"Shop\".app", ["Shop", "app"]), ("INVALIDATE AUTH shop.\"App\"", ["shop", "App"]),
            ("INVALIDATE AUTH shop.\"a.b\"", ["shop", "a.b"]), ("INVALIDATE AUTH \"a.b\".c", ["a.b", "c"]),
            ("INVALIDATE AUTH \"a.b\"", ["a.b"]), ("INVALIDATE AUTH \"a.b\".\"C.d\"", ["a.b", "C.d"]),
        ]
    )
    func read(statement: String, arguments: [String]) throws {
        #expect(try Self.command(statement).arguments == arguments)
    }

    @Test(
        arguments: [
            "RECONNECT 'shop'", "RECONNECT a b", "RECONNECT a, b", "RECONNECT *",
            "KILL", "KILL USER", "KILL USER 'app'", "KILL USER a b", "KILL USER a, b", "KILL app", "INVALIDATE",
            "INVALIDATE AUTH 'shop'", "INVALIDATE AUTH .app", "INVALIDATE AUTH shop.", "INVALIDATE AUTH \"shop\".",
            "INVALIDATE AUTH a.b.c", "INVALIDATE AUTH \"a\".b.c", "INVALIDATE AUTH a. b.c", "INVALIDATE AUTH a.b.",
            "INVALIDATE AUTH shop app", "INVALIDATE AUTH \"a\".\"b\".\"c\"", "INVALIDATE AUTH *",
        ]
    )
    func refused(statement: String) {
        #expect(throws: ConsoleError.self) { try Self.command(statement) }
    }

    @Test func whichDotDividesIsNotGuessed() throws {
        let error = #expect(throws: ConsoleError.self) { try Self.command("invalidate auth shop.john.doe") }
        #expect(error?.sqlState == .syntaxError && error?.hint?.contains("shop.\"john.doe\"") == true)
    }

    private static func command(_ text: String) throws -> ConsoleCommand {
        let parser = ConsoleParser(facts: ConsoleFacts(version: "1", database: "pggateway", user: "admin"))
        let tokens = try #require(try ConsoleLexer.statements(of: text).first)
        guard case .command(let command) = try parser.parse(tokens) else { throw NotACommand() }
        return command
    }

    private struct NotACommand: Error {}
}
