import Testing

@testable import HBA

/// Names outside of questions: for entries of settings, and for checks when a policy is loaded.
@Suite struct NamesTests {
    @Test(arguments: [
        ([], "anybody", true), (["all"], "anybody", true), (["anna", "ben"], "ben", true), (["anna"], "Anna", false),
        (["anna"], "ann", false), (["/^svc_"], "svc_1", true), (["/^svc_"], "my_svc_", false),
        (["e\u{301}"], "\u{e9}", false), (["/all"], "small", true), (["x", "/y$"], "my", true),
        (["/\u{301}"], "anna", false), (["/\u{301}"], "anna\u{301}", true),
    ])
    func names(words: [String], user: String, isMeant: Bool) throws {
        #expect(try HBAUserNames(words).contain(user) == isMeant)
    }

    @Test(arguments: ["", "/", "/(", "+staff", "/a{9999}"])
    func badNames(word: String) {
        #expect(throws: HBAUserNameError.self) { try HBAUserNames(["anna", word]) }
    }

    private static func rules(_ text: String) throws -> [HBARule] {
        try HBAPolicy.parse(text: text, file: "f", methods: ["md5", "reject"]).rules
    }

    @Test(arguments: [
        ("host shop anna all md5", true), ("host all all all md5", true), ("host shop,stock /^a all md5", true),
        ("host stock anna all md5", false), ("host shop ben all md5", false), ("host replication anna all md5", false),
        ("host sameuser anna all md5", false), ("host /^s anna all md5", true),
        ("host shop +staff all md5", nil), ("host samerole anna all md5", nil), ("host stock +staff all md5", false),
        ("host shop +staff,anna all md5", true),
    ] as [(String, Bool?)])
    func columns(rule: String, answer: Bool?) throws {
        let rule = try #require(try Self.rules(rule + "\n").first)
        #expect(rule.admits(database: "shop", user: "anna") == answer)
    }

    @Test(arguments: [
        ("host a a all md5", "hostssl b b 10.0.0.0/8 md5", true), ("local a a md5", "local b b md5", true),
        ("host a a 10.0.0.0/8 md5", "host b b 10.0.0.0/8 md5", true), ("host a a all md5", "local b b md5", false),
        ("host a a 10.0.0.0/8 md5", "host b b 10.1.0.0/16 md5", false),
        ("hostssl a a all md5", "host b b all md5", false),
        ("local a a md5", "host b b all md5", false),
    ])
    func origins(wide: String, narrow: String, covers: Bool) throws {
        let rules = try Self.rules("\(wide)\n\(narrow)\n")
        #expect(rules[0].coversOrigin(of: rules[1]) == covers)
    }
}
