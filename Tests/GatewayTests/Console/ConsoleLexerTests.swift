import PGWire
import Testing

@testable import Gateway

@Suite("Console lexer")
struct ConsoleLexerTests {
    @Test(
        "cuts texts into statements and tokens",
        arguments: [
            ("", []),
            (" \t\r\n\u{0b}\u{0c} ", []),
            (";;; ;", []),
            ("show pools", [["show", "pools"]]),
            ("SHOW POOLS;", [["SHOW", "POOLS"]]),
            ("a;b ; ; c", [["a"], ["b"], ["c"]]),
            ("-- nothing\nSHOW -- more\r POOLS -- end", [["SHOW", "POOLS"]]),
            ("SHOW/* x */POOLS/**/", [["SHOW", "POOLS"]]),
            ("/* a /* nested ; */ b */ x", [["x"]]),
            ("SET a = 'it''s; -- no'", [["SET", "a", "=", "it's; -- no"]]),
            ("\"Quo\"\"ted\" ''", [["Quo\"ted", ""]]),
            ("x=-1.5,y*", [["x", "=", "-", "1.5", ",", "y", "*"]]),
            ("pg_catalog.version()", [["pg_catalog.version", "(", ")"]]),
            ("größe", [["größe"]]),
        ] as [(String, [[String]])]
    )
    func statements(text: String, expected: [[String]]) throws {
        #expect(try ConsoleLexer.statements(of: text).map { $0.map(\.text) } == expected)
    }

    @Test(
        "refuses what is left open",
        arguments: ["'abc", "''' ", "\"abc", "/* a", "/* /* */", "/*/", "SHOW POOLS; 'x"]
    )
    func unterminated(text: String) {
        let error = #expect(throws: ConsoleError.self) { try ConsoleLexer.statements(of: text) }
        #expect(error?.sqlState == .syntaxError)
        #expect(error?.message.hasPrefix("unterminated") == true)
    }

    @Test("knows quoted from unquoted names")
    func names() throws {
        let tokens = try #require(try ConsoleLexer.statements(of: "Word \"Quoted\" 'string' =").first)
        #expect(tokens.map(\.kind) == [.word, .identifier, .string, .sign])
        #expect(tokens.map(\.name) == ["word", "Quoted", nil, nil])
        #expect(tokens.map { $0.isKeyword("WORD") } == [true, false, false, false])
    }

    @Test("a million opening comments cost no stack")
    func deepComment() {
        let text = String(repeating: "/*", count: 1_000_000)
        #expect(throws: ConsoleError.self) { try ConsoleLexer.statements(of: text) }
    }
}

@Suite("Nearest name")
struct NearestNameTests {
    @Test(
        "counts single-character edits",
        arguments: [("", "", 0), ("abc", "", 3), ("", "abc", 3), ("POOL", "POOLS", 1), ("KITTEN", "SITTING", 3)]
    )
    func edits(source: String, target: String, count: Int) {
        #expect(NearestName.edits(from: source, to: target) == count)
    }

    @Test("suggests only what is near")
    func suggestion() {
        #expect(NearestName.of("POOL", in: ["CLIENTS", "POOLS"]) == "POOLS")
        #expect(NearestName.of("XYZZY", in: ["CLIENTS", "POOLS"]) == nil)
        #expect(NearestName.of(String(repeating: "P", count: 65), in: ["POOLS"]) == nil)
        #expect(NearestName.of("POOLS", in: []) == nil)
    }
}
