import Testing

@testable import TLSEngine

@Suite struct ServerNamePatternTests {
    @Test(arguments: [
        (
            "db.example.com", ["db.example.com", "DB.EXAMPLE.COM"],
            ["example.com", "xdb.example.com", "db.example.com.", ""]
        ),
        (
            "*.Example.com", ["db.example.com", "a-b.EXAMPLE.com", "x_1.example.com"],
            ["example.com", ".example.com", "a.b.example.com", "db.example.org", "dbexample.com", "*.example", ""]
        ),
        ("localhost", ["localhost", "LocalHost"], ["localhost.localdomain", "local"]),
        ("*.localhost", ["db.localhost"], ["localhost"]),
        ("xn--bcher-kva.example", ["xn--bcher-kva.example", "XN--BCHER-KVA.example"], ["bücher.example"]),
        ("k.example", ["k.example", "K.example"], ["\u{212a}.example"]),
    ])
    func names(text: String, good: [String], bad: [String]) throws {
        let pattern = try #require(TLSServerNamePattern(text))
        for name in good { #expect(pattern.matches(name), "\(name)") }
        for name in bad { #expect(!pattern.matches(name), "\(name)") }
    }

    @Test(arguments: [
        "", "*", "*.", ".", "a.", ".a", "a..b", "a b", "a/b", "*a.example.com", "a.*.example.com", "**.example.com",
        "*.*.example.com", "127.0.0.1", "::1", "bücher.example", "a\0b", "a:5432", "example.com\n", "*.1.2.3.4",
    ])
    func wordsThatAreNoPattern(text: String) { #expect(TLSServerNamePattern(text) == nil) }

    @Test func lengths() {
        let label = String(repeating: "a", count: 63)
        #expect(TLSServerNamePattern(label) != nil)
        #expect(TLSServerNamePattern(label + "a") == nil)
        let longest = Array(repeating: label, count: 3).joined(separator: ".") + "." + String(label.dropLast(2))
        #expect(longest.utf8.count == 253)
        #expect(TLSServerNamePattern(longest) != nil)
        #expect(TLSServerNamePattern(longest + "a") == nil)
    }

    @Test func equalityKnowsNoCase() {
        #expect(TLSServerNamePattern("*.Example.COM") == TLSServerNamePattern("*.example.com"))
        #expect(TLSServerNamePattern("*.example.com") != TLSServerNamePattern("example.com"))
        #expect(TLSServerNamePattern("*.Example.COM")?.description == "*.example.com")
        #expect(TLSServerNamePattern("*.example.com")?.isWildcard == true)
    }
}
