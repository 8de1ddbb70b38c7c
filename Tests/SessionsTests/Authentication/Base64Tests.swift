import Sessions
import Testing

@Suite struct Base64Tests {
    /// RFC 4648 section 10, and the two characters beyond letters and digits.
    @Test(arguments: [
        ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE="),
        ("foobar", "Zm9vYmFy"), ("n,,", "biws"), ("~~~???", "fn5+Pz8/"),
    ])
    func vectors(plain: String, encoded: String) {
        #expect(text(Base64.encode(bytes(plain))) == encoded)
        #expect(Base64.decode(bytes(encoded)) == bytes(plain))
    }

    @Test func everyLengthComesBack() {
        for length in 0...130 {
            let original = (0..<length).map { index in UInt8(truncatingIfNeeded: index &* 37 &+ 200) }
            #expect(Base64.decode(Base64.encode(original)) == original)
        }
    }

    @Test(arguments: [
        "Z", "Zg", "Zg=", "Zm9", "Zg===", "=Zg=", "Z===", "====", "Zg==Zg==", "Zm8=Zm9v", "Zh==", "Zm9=", "Zm 9",
        "Zm9v\n",
        "Zm-_", "Zg=a", "Zm\u{0}v",
    ])
    func refused(encoded: String) {
        #expect(Base64.decode(bytes(encoded)) == nil)
    }

    @Test func noMutationTraps() {
        for mutated in mutations(of: bytes("Zm9vYmE=")) {
            if let decoded = Base64.decode(mutated) {
                #expect(Base64.encode(decoded) == mutated)
            }
        }
    }
}
