import Testing

@testable import Sessions

/// Expected forms follow RFC 4013 with the fallback to raw bytes that PostgreSQL has.
@Suite struct SASLprepTests {
    private func prepared(_ password: [UInt8]) -> [UInt8] {
        SASLprep.prepare(SecretBytes(password)).exposed()
    }

    @Test(arguments: [
        "", "secret", "a b", "tab\tand\u{7f}", "caf\u{e9}", "p\u{e4}ss\u{f6}\u{df}", "\u{5e9}\u{5dc}\u{5d5}\u{5dd}",
        "\u{65e5}\u{672c}", "cafe\u{301}", "\u{1f600}", "\u{221e}\u{20ac}\u{a7}\u{b0}",
    ])
    func takenAsItIs(password: String) {
        #expect(self.prepared(bytes(password)) == bytes(password))
    }

    @Test(arguments: [
        ("a\u{a0}b", "a b"), ("caf\u{e9}\u{a0}x", "caf\u{e9} x"), ("\u{3000}\u{2003}", "  "), ("so\u{ad}ft", "soft"),
        ("I\u{ad}X", "IX"), ("\u{c4}\u{200d}\u{d6}", "\u{c4}\u{d6}"), ("\u{200b}", " "),
        ("\u{65e5}\u{3000}\u{672c}", "\u{65e5} \u{672c}"), ("stra\u{df}e\u{a0}1", "stra\u{df}e 1"),
        ("\u{43f}\u{430}\u{a0}\u{42f}", "\u{43f}\u{430} \u{42f}"), ("\u{fb01}n", "fin"), ("\u{212a}\u{a0}", "K "),
        ("\u{ff26}\u{ff35}1", "FU1"), ("5\u{b5}m\u{b2}\u{bd}", "5\u{3bc}m21\u{2044}2"), ("\u{2116}7\u{2026}", "No7..."),
        ("a\u{b4}b\u{a8}", "a \u{301}b \u{308}"), ("\u{2074}\u{2089}\u{2070}\u{2460}", "4901"), ("\u{2122}", "TM"),
        ("\u{ff41}\u{ff5e}\u{fb06}", "a~st"),
    ])
    func mapped(password: String, expected: String) {
        #expect(self.prepared(bytes(password)) == bytes(expected))
    }

    /// Nothing left, control characters, private use, unassigned in Unicode 3.2, or not certain: raw bytes.
    @Test(arguments: [
        "\u{ad}", "\u{ad}\u{200d}", "a\u{a0}\u{7}", "a\u{a0}\u{85}", "a\u{a0}\u{e000}", "a\u{a0}\u{1f600}",
        "a\u{a0}\u{2028}",
        "a\u{a0}\u{fffd}", "\u{5d0}\u{a0}\u{5d1}", "e\u{301}\u{a0}x", "\u{fb01}\u{7}",
        "\u{b5}e\u{301}", "\u{b4}\u{5d0}", "\u{1f80}\u{a0}",
    ])
    func fallsBackToRaw(password: String) {
        #expect(self.prepared(bytes(password)) == bytes(password))
    }

    @Test func invalidUTF8IsTakenRaw() {
        for raw: [UInt8] in [[0xff], [0xc2], [0x61, 0xa0], [0xed, 0xa0, 0x80], [0xc2, 0xa0, 0xff]] {
            #expect(self.prepared(raw) == raw)
        }
    }

    @Test func verifierOfAMappedPassword() throws {
        let stored =
            "SCRAM-SHA-256$2:c2FsdA==$"
            + "8W2w+W+OSBBJ/exTkm6j9F/4guUT+aIeXXlFou9lYJk=:ZkOo51UVo7/aOkfP/u5/mpR75ZSqSSxnsKoZeCA3BsY="
        guard case .scram(let verifier) = try StoredSecret(parsing: stored).kind else {
            Issue.record("not SCRAM")
            return
        }
        #expect(verifier.accepts(password: SecretBytes("caf\u{e9}\u{a0}x")))
        #expect(verifier.accepts(password: SecretBytes("caf\u{e9} x")))
    }
}
