import Sessions
import Testing

@Suite struct SQLScanHostileTests {
    private static let pieces: [String] = [
        "select", "SELECT", "deallocate", "Deallocate", "prepare", "PREPARE", "all", "ALL", "discard", "execute",
        "begin",
        "BEGIN", "atomic", "end", "END", "case", "work", "transaction", "start", "explain", "analyze", "verbose",
        "create",
        "Create", "or", "replace", "function", "procedure", "temp", "TEMPORARY", "local", "global", "table", "as", "AS",
        "reset",
        "into", "insert", "merge", "copy", "set_config", "pg_advisory_lock", "pg_try_advisory_lock_shared", "pg_temp",
        "a", "e", "E", "u", "U&", "x", "b", "n", "é", "$1", "$$", "$a$", "$b$", "$", "1", "1.", "'", "''",
        "\"", "\"\"",
        "\\", "\\'", "/*", "*/", "--", "-", "/", "*", "\n", "\r", " ", " ", " ", " ", " ", ";", ";", "(", ")", ".", ",",
        "\"A\"", "u&\"a\"", "'x'", "E'\\''", "\u{B}", "/**/", "--\n",
    ]

    private func agree(_ bytes: [UInt8], standard: Bool) -> Bool {
        let scan = SQLScan(bytes.span, 0..<bytes.count, standardConformingStrings: standard)
        let expected = ReferenceStatements(bytes, standardConformingStrings: standard)
        if ReferenceStatements(scan) == expected { return true }
        Issue.record("\(String(decoding: bytes, as: UTF8.self)): \(ReferenceStatements(scan)), expected \(expected)")
        return false
    }

    @Test func randomTextsReadAsTheReferenceReadsThem() {
        var random = SeededRandom(seed: 11)
        var seen: StatementTraits = []
        for _ in 0..<25_000 {
            var text = ""
            // Words need space between them to be words, quotes do not.
            let isSpaced = random.chance(70)
            for _ in 0..<Int.random(in: 0...14, using: &random) {
                text += Self.pieces.randomElement(using: &random) ?? ""
                if isSpaced, random.chance(80) { text += " " }
            }
            let standard = !random.chance(20)
            guard self.agree(Array(text.utf8), standard: standard) else { return }
            seen.formUnion(scan(text).traits)
        }
        #expect(seen.rawValue == 0x1_1FFF)
    }

    @Test func randomBytesReadAsTheReferenceReadsThem() {
        var random = SeededRandom(seed: 12)
        let bytes = Array("'\"$-/*\\;()ea.\n \u{0}x\u{7F}".utf8) + [0x80, 0xC3, 0xFF, 0xE2]
        for _ in 0..<25_000 {
            let text = (0..<Int.random(in: 0...24, using: &random)).map { _ in
                bytes.randomElement(using: &random) ?? 0
            }
            guard self.agree(text, standard: random.chance(80)) else { return }
        }
    }

    /// Pieces of a text that has every form of quote: from every fifth byte on, up to every byte behind it.
    @Test func cutsReadAsTheReferenceReadsThem() {
        let text = Array(
            """
            deallocate a; /* x /* ; */ */ select E'\\'' -- y
            '\\'', U&'d\\', "q"";" , $t$ ; $$ $t$ ;create function f() begin atomic select 1; end;
            prepare "P" as select $1; discard all -- z
            """.utf8
        )
        for start in stride(from: 0, through: text.count, by: 5) {
            for end in start...text.count where self.agree(Array(text[start..<end]), standard: true) == false { return }
        }
    }

    @Test func longTextsAreReadToTheirEnd() {
        let count = 1 << 20
        func repeated(_ text: String) -> String { String(repeating: text, count: count / text.utf8.count) }
        #expect(scan(repeated("/*")).traits == .unfinished)
        #expect(scan(repeated("/*") + repeated("*/") + "copy").traits == .copy)
        #expect(scan(repeated("(") + ";copy").statementCount == 1)
        #expect(scan(repeated(")") + ";copy").traits == [.copy, .multiple])
        #expect(scan(repeated("a;")).statementCount == count / 2)
        #expect(scan("'" + repeated("''") + "';copy").traits == [.copy, .multiple])
        #expect(scan("$a$" + repeated("$a") + "$a$;copy").traits == [.copy, .multiple])
        #expect(scan("deallocate " + repeated("x")).deallocated.first?.count == 63)
        #expect(scan(repeated("E'a'\n")).traits == [])
        #expect(scan(repeated("$a ")).traits == [])
        #expect(scan(repeated("$")).traits == [])
    }

    /// The search for the end of a dollar quote never goes back: the time grows with the text alone.
    @Test func longTagsTakeNoMoreThanTheirLength() {
        let tag = String(repeating: "a", count: 1 << 19)
        #expect(scan("$" + tag + "$" + String(repeating: "$", count: 1 << 19)).traits == .unfinished)
        #expect(scan("$" + tag + "$" + "$" + tag.dropLast() + "$" + tag + "$;copy").traits == [.copy, .multiple])
        // A tag without its end is read once more as a word.
        #expect(scan("$" + tag).traits == [])
    }
}
