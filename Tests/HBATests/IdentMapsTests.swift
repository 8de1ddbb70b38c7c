import HBA
import Testing

@Suite struct IdentMapsTests {
    private static func maps(_ text: String) throws(HBAErrors) -> IdentMaps {
        try IdentMaps.parse(text: text, file: "pg_ident.conf")
    }

    /// Text, `MAP SYSTEM-USER DATABASE-USER`, facts, finding: a line, `no`, `needs` or `undecidable`.
    private static let table: [(text: String, asked: String, facts: String, expected: String)] = [
        ("m bob robert", "m bob robert", "", "1"),
        ("m bob robert", "m bob bob", "", "no"),
        ("m bob robert", "m Bob robert", "", "no"),
        ("m bob robert", "n bob robert", "", "no"),
        ("m bob robert\nm bob bob", "m bob bob", "", "2"),
        ("# c\n\nm \"bob x\" \\\n robert", "m bob_x robert", "", "no"),
        ("m \"bob_x\" \"ro\"\"b\"", "m bob_x ro\"b", "", "1"),
        ("m bob all", "m bob anybody", "", "1"),
        ("m bob \"all\"", "m bob anybody", "", "no"),
        ("m bob \"all\"", "m bob all", "", "1"),
        ("m all robert", "m bob robert", "", "no"),
        ("m bob +staff", "m bob robert", "roles=staff", "1"),
        ("m bob +staff", "m bob robert", "roles=", "no"),
        ("m bob +robert", "m bob robert", "", "1"),
        ("m bob +staff", "m bob robert", "", "needs"),
        ("m bob +staff", "m bob robert", "roles!down", "undecidable"),
        ("m bob +staff\nm bob robert", "m bob robert", "", "2"),
        ("m bob +staff\nm bob robert", "m bob robert", "roles!down", "2"),
        ("m bob +staff\nm /^b() x\\1", "m bob robert", "", "needs"),
        ("m bob \"+staff\"", "m bob robert", "roles=staff", "no"),
        ("m bob /^ro", "m bob robert", "", "1"),
        ("m bob \"/^ro\"", "m bob xrobert", "", "no"),
        ("m /^(.*)@example\\.com$ \\1", "m robert@example.com robert", "", "1"),
        ("m /^(.*)@example\\.com$ \\1", "m robert@example.com bob", "", "no"),
        ("m /^(.*)@example\\.com$ \\1", "m robert@example.org robert", "", "no"),
        ("m /^(.*)@example\\.com$ \\1", "m robert@example.com.evil robert", "", "no"),
        ("m /^(.*)@example\\.com$ app_\\1_ro", "m bob@example.com app_bob_ro", "", "1"),
        ("m /^(.*)@example\\.com$ \\1\\1", "m bob@example.com bob\\1", "", "1"),
        ("m /^(.*)@example\\.com$ guest", "m bob@example.com guest", "", "1"),
        ("m /^(.*)@example\\.com$ all", "m bob@example.com guest", "", "1"),
        // What the group matched is a name, never a keyword, a role or an expression.
        ("m /^(.*)@x$ \\1", "m all@x bob", "", "no"),
        ("m /^(.*)@x$ \\1", "m +staff@x bob", "roles=staff", "no"),
        ("m /^(.*)@x$ \\1", "m /.@x bob", "", "no"),
        ("m /^(.*)@x$ \\1", "m +staff@x +staff", "", "1"),
        ("m /^(.*)@x$ +\\1", "m staff@x bob", "roles=staff", "no"),
        ("m bob \\1", "m bob \\1", "", "1"),
        // A group that took no part refuses at once, as in PostgreSQL.
        ("m /^(x)?bob$ a\\1\nm bob a", "m bob a", "", "no"),
        ("m /^(x)?bob$ a\\1\nm bob a", "m xbob ax", "", "1"),
        ("m /bob robert", "m xbobx robert", "", "1"),
        ("m caf\u{E9} r", "m cafe\u{301} r", "", "no"),
    ]

    @Test(arguments: Self.table)
    func decides(_ text: String, _ asked: String, _ facts: String, _ expected: String) throws {
        let words = asked.split(separator: " ").map { String($0) }
        let maps = try Self.maps(text)
        let found = maps.check(
            map: words[0],
            systemUser: words[1],
            databaseUser: words[2],
            facts: try FactsTests.facts(facts)
        )
        let word =
            switch found {
            case .admitted(_, let line): "\(line)"
            case .refused: "no"
            case .needs: "needs"
            case .undecidable: "undecidable"
            }
        #expect(word == expected)
    }

    @Test(arguments: [
        ("m bob", "1:6", "the line ends where another name is expected"),
        ("m", "1:2", "the line ends where another name is expected"),
        ("m bob robert x", "1:14", "a fourth column"),
        ("m bob,al robert", "1:3", "a list of names"),
        ("m @users robert", "1:3", "names cannot come from a file"),
        ("m \"\" robert", "1:1", "an empty name"),
        ("m /( robert", "1:3", "an opening parenthesis without its closing"),
        ("m bob /[", "1:7", "an opening bracket without its closing"),
        ("m /^bob \\1", "1:3", "no parentheses it could stand for"),
        ("m /(?:b)ob \\1", "1:3", "no parentheses it could stand for"),
        ("m /^(x)* a\\1", "1:3", "repeated from zero times on"),
        ("m bob a\"ll\"", "1:7", "quotes inside"),
        ("m bob +", "1:7", "empty role name"),
        ("m bob \"robert", "1:7", "double quote without a closing one"),
        ("m bob robert\ninclude x", "2:9", "files cannot be included here"),
    ])
    func refuses(_ text: String, _ place: String, _ reason: String) throws {
        let thrown = #expect(throws: HBAErrors.self) { try Self.maps(text) }
        let first = try #require(thrown?.errors.first)
        #expect(thrown?.errors.count == 1)
        #expect("\(first.line):\(first.column)" == place)
        #expect(first.reason.contains(reason), "\(first)")
    }

    @Test func filesIncludeOthers() throws {
        let reader = memoryReader(
            ["/etc/i": "a x y\ninclude_dir d\ninclude_if_exists z", "/etc/d/1.conf": "b x y\nc x y"],
            ["/etc/d": ["1.conf"]]
        )
        let maps = try IdentMaps.load(path: "/etc/i", reader: reader)
        #expect(maps.count == 3)
        #expect(maps.contains(map: "c") && !maps.contains(map: "d") && !IdentMaps.empty.contains(map: "a"))
        let found = maps.check(map: "c", systemUser: "x", databaseUser: "y")
        #expect(found == .admitted(file: "/etc/d/1.conf", line: 2))
        #expect(IdentMaps.empty.check(map: "", systemUser: "x", databaseUser: "x") == .refused)
    }
}
