import PGWire
import Testing

/// Names are compared as PostgreSQL does: byte by byte.
@Suite struct ExactNameTests {
    @Test func twoSpellingsAreTwoUsers() {
        let (one, two) = ("caf\u{e9}", "cafe\u{301}")
        #expect(one == two, "Swift takes them for the same")
        #expect(ExactName(one) != ExactName(two))
        #expect(Set([ExactName(one), ExactName(two)]).count == 2)
    }

    @Test(arguments: ["", "a", "app", "Grüße", "\u{1F600}", String(repeating: "x", count: 500)])
    func equalNamesHaveOneHash(name: String) {
        let copy = String(decoding: Array(name.utf8), as: UTF8.self)
        #expect(ExactName(name) == ExactName(copy))
        #expect(ExactName(name).hashValue == ExactName(copy).hashValue)
        #expect(ExactName(name) != ExactName(name + "\u{301}"))
    }
}
