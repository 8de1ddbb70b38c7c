import Testing

@testable import Sessions

/// Hashes and codes against the vectors of the standards.
@Suite struct KeyedHashTests {
    private static func hex(_ bytes: [UInt8]) -> String { String(decoding: Hexadecimal.encode(bytes), as: UTF8.self) }

    /// FIPS 180-4; the empty input has no address.
    @Test(arguments: [
        ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (
            "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
        ),
    ])
    func sha256(text: String, expected: String) {
        #expect(Self.hex(ContentHash.sha256(Array(text.utf8))) == expected)
        #expect(Self.hex(SCRAMMath.digest(SecretBytes(text)).bytes) == expected)
    }

    /// RFC 4231, test cases 1 to 3, 6 and 7: the last two have keys longer than a block.
    @Test(arguments: [
        (
            [UInt8](repeating: 0x0b, count: 20), Array("Hi There".utf8),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
        ),
        (
            Array("Jefe".utf8), Array("what do ya want for nothing?".utf8),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        ),
        (
            [UInt8](repeating: 0xaa, count: 20), [UInt8](repeating: 0xdd, count: 50),
            "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"
        ),
        (
            [UInt8](repeating: 0xaa, count: 131), Array("Test Using Larger Than Block-Size Key - Hash Key First".utf8),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
        ),
        (
            [UInt8](repeating: 0xaa, count: 131),
            Array(
                ("This is a test using a larger than block-size key and a larger than block-size data. The key needs "
                    + "to be hashed before being used by the HMAC algorithm.").utf8
            ),
            "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"
        ),
    ])
    func hmac(key: [UInt8], message: [UInt8], expected: String) {
        let hash = KeyedHash(key: SecretBytes(key))
        #expect(Self.hex(hash.code(for: message)) == expected)
        // The states are copied, not used up.
        #expect(Self.hex(hash.code(for: message)) == expected)
        #expect(hash.shortCode(for: message, count: 16) != Array(hash.code(for: message).prefix(16)))
        #expect(hash.shortCode(for: message, count: 99).count == 16)
    }

    @Test func nothingAtAll() {
        let expected = "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad"
        #expect(Self.hex(KeyedHash(key: SecretBytes([])).code(for: [])) == expected)
        #expect(SecretBytes([]) == SecretBytes("") && SecretBytes([]).exposed().isEmpty && SecretBytes([]).matches([]))
    }
}
