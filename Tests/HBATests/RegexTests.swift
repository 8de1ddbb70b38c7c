import Testing

@testable import HBA

@Suite struct RegexTests {
    @Test(arguments: [
        ("(a)\\1", "back reference"), ("a(?=b)", "look-ahead"), ("a(?!b)", "look-ahead"), ("(?<=a)b", "look-behind"),
        ("(?<!a)b", "look-behind"), ("[[.a.]]", "collating"), ("[[=a=]]", "collating"), ("[a-[.b.]]", "collating"),
        ("(?x)a b", "embedded option"), ("(?n)a", "embedded option"), ("a{256}", "bound above 255"),
        ("(?i", "without its closing"), ("***:(?ic", "without its closing"),
        ("((a{50}){50}){50}", "too large"), (String(repeating: "a", count: 5000), "too large"),
        (String(repeating: "(", count: 101), "more than 100 parentheses"), ("\\ud800", "no Unicode character"),
        ("\\x110000", "no Unicode character"),
    ])
    func saysWhatIsNotSupported(_ pattern: String, _ reason: String) throws {
        let thrown = #expect(throws: RegexError.self) { try HBARegex(pattern, captures: true) }
        #expect(thrown?.reason.contains(reason) == true, "\(String(describing: thrown))")
    }

    @Test func matchesByScalars() throws {
        #expect(try HBARegex("^.$").matches("\u{E9}"))
        #expect(try !HBARegex("^.$").matches("e\u{301}"))
        #expect(try !HBARegex("\u{E9}").matches("e\u{301}"))
        #expect(try HBARegex("^e").matches("e\u{301}"))
        #expect(try HBARegex("(.)$", captures: true).firstGroup(in: "e\u{301}") == "\u{301}")
    }

    /// Expressions that make backtracking engines try for years, on long names.
    @Test(.timeLimit(.minutes(1)), arguments: [
        "(a*)*b", "(a+)+$", "(a|aa)+$", "(a|a?)+$", "^(([a-z])+.)+[A-Z]([a-z])+$", "(.*)(.*)(.*)x", "a{1,50}b",
        "(((a*)*)*)*b", "(a?){20}a{20}$", "\\y(a|b)*?\\yc", "([a-z]+)*@",
    ])
    func hostileNamesTakeLinearTime(_ pattern: String) throws {
        let name = String(repeating: "a", count: 4096)
        let regex = try HBARegex(pattern)
        _ = regex.matches(name)
        _ = regex.matches(name + "!")
        if let capturing = try? HBARegex(pattern, captures: true) {
            _ = capturing.firstGroup(in: name + "!")
        }
    }

    /// Groups in groups: the work on them must not double with each. What the first one matched is known all the same.
    @Test(.timeLimit(.minutes(1)), arguments: [
        ("(", ")", true), ("(", "){1}", true), ("(", "){1}?", true), ("(", ")?", true), ("(", "|b)", true),
        ("(?:", ")", true), ("(?:", "){1}", true), ("(?:b|", ")", true), ("(?:c*?", "d*)", true), ("(", ")+", false),
    ])
    func nestedGroupsAreReadOrRefusedQuickly(_ opening: String, _ closing: String, _ isRead: Bool) throws {
        let depth = 60
        let inner = opening.contains("?:") ? "(a)" : "a"
        let pattern = String(repeating: opening, count: depth) + inner + String(repeating: closing, count: depth)
        let regex = try? HBARegex("^\(pattern)$", captures: true)
        #expect((regex != nil) == isRead)
        if let regex { #expect(regex.firstGroup(in: "a") == "a") }
        let maps = try? IdentMaps.parse(text: "m /^\(pattern)$ \\1", file: "pg_ident.conf")
        #expect((maps != nil) == isRead)
    }

    /// Before the first group stands much that says nothing.
    @Test(.timeLimit(.minutes(1))) func longRunsOfNothingAreReadQuickly() throws {
        let pattern = String(repeating: "(?:)", count: 100_000) + "(a)"
        #expect(try HBARegex(pattern, captures: true).firstGroup(in: "a") == "a")
    }

    /// Every piece of expressions is read or refused, never more.
    @Test func everyPieceIsReadOrRefused() {
        let text = #"***:(?i)(?:a|b)*?[^[:alpha:]\d-z]{1,3}?(x(y)z)+\u00e9\x41\m\Z(?#c)[[:<:]]$|^.\\[]-]"#
        let scalars = Array(text.unicodeScalars)
        for start in scalars.indices {
            for end in start...scalars.count {
                var piece = String.UnicodeScalarView()
                piece.append(contentsOf: scalars[start..<end])
                guard let regex = try? HBARegex(String(piece), captures: true) else { continue }
                _ = regex.matches("axyz-\u{E9}\n")
                _ = regex.firstGroup(in: "axyz-\u{E9}\n")
            }
        }
    }
}
