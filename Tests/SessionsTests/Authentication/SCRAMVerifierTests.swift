import Sessions
import Testing

@Suite struct SCRAMVerifierTests {
    @Test(arguments: SCRAMVector.all)
    func passwordMakesTheStoredVerifier(vector: SCRAMVector) throws {
        let stored = try vector.verifier()
        let made = SCRAMVerifier(
            password: SecretBytes(vector.password),
            salt: stored.salt,
            iterations: stored.iterations
        )
        #expect(made == stored)
    }

    @Test func acceptsItsPasswordOnly() throws {
        let verifier = try SCRAMVector.nonASCII.verifier()
        #expect(verifier.accepts(password: SecretBytes(SCRAMVector.nonASCII.password)))
        for wrong in ["", "passwort", SCRAMVector.nonASCII.password + " ", SCRAMVector.nonASCII.stored] {
            #expect(!verifier.accepts(password: SecretBytes(wrong)))
        }
    }

    @Test func mockIsStablePerNameAndKey() {
        let mock = MockAuthentication(key: SecretBytes("one"))
        let alice = mock.verifier(user: "alice")
        #expect(alice == mock.verifier(user: "alice"))
        #expect(alice == MockAuthentication(key: SecretBytes("one")).verifier(user: "alice"))
        #expect(alice.salt != mock.verifier(user: "alicf").salt)
        #expect(alice.salt != MockAuthentication(key: SecretBytes("two")).verifier(user: "alice").salt)
        #expect(MockAuthentication().verifier(user: "alice").salt != MockAuthentication().verifier(user: "alice").salt)
        #expect(mock.md5Hash(user: "alice") == mock.md5Hash(user: "alice"))
        #expect(mock.md5Hash(user: "alice") != mock.md5Hash(user: "bob"))
    }

    @Test func mockLooksLikeAPostgreSQLVerifier() {
        let verifier = MockAuthentication().verifier(user: "")
        #expect(verifier.salt.count == 16)
        #expect(verifier.iterations == 4096)
        #expect(MockAuthentication().md5Hash(user: "").count == 32)
        for (asked, got) in [(0, 1), (-5, 1), (7, 7), (Int.max, 10_000_000)] {
            #expect(MockAuthentication(iterations: asked).verifier(user: "x").iterations == got)
        }
    }
}
