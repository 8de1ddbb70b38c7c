import Sessions
import Testing

@Suite struct SecretBytesTests {
    @Test func keepsAndComparesBytes() {
        let secret = SecretBytes([1, 2, 3])
        #expect(secret.count == 3)
        #expect(secret.exposed() == [1, 2, 3])
        #expect(secret == SecretBytes([1, 2, 3]))
        #expect(secret != SecretBytes([1, 2, 4]))
        #expect(secret.matches([1, 2, 3]))
        for wrong: [UInt8] in [[], [1, 2], [1, 2, 3, 4], [0, 2, 3], [1, 2, 0x83]] {
            #expect(!secret.matches(wrong))
        }
    }

    @Test func emptySecretIsFine() {
        let secret = SecretBytes([])
        #expect(secret.isEmpty)
        #expect(secret.exposed() == [])
        #expect(secret == SecretBytes(""))
    }

    @Test func takingOverWipesTheSource() {
        var source = bytes("hunter2")
        let secret = SecretBytes(wiping: &source)
        #expect(source == [UInt8](repeating: 0, count: 7))
        #expect(secret.exposed() == bytes("hunter2"))
    }

    @Test func nothingThatPrintsShowsTheSecret() throws {
        let keys = try #require(
            SCRAMKeys(
                clientKey: SecretBytes([UInt8](repeating: 65, count: 32)),
                serverKey: nil,
                salt: [1],
                iterations: 1
            )
        )
        let stored = try StoredSecret(parsing: "md5" + String(repeating: "ab", count: 16))
        let holders: [Any] = [
            SecretBytes("hunter2"), ServerCredential.cleartext(SecretBytes("hunter2")),
            ServerCredential.md5Hash(SecretBytes("hunter2")), ServerCredential.scramKeys(keys), stored, keys,
            try SCRAMVector.plain.verifier(), MockAuthentication(key: SecretBytes("hunter2")),
            // A fixed nonce: a random one may hold the very bytes that are looked for.
            SCRAMClient(secret: .password(SecretBytes("hunter2")), nonce: Array("fixed-nonce".utf8)),
            ServerLogin(user: "u", database: "d", credential: .cleartext(SecretBytes("hunter2"))),
        ]
        for holder in holders {
            var dumped = ""
            dump(holder, to: &dumped)
            for shown in [String(describing: holder), String(reflecting: holder), dumped] {
                #expect(!shown.contains("hunter2"))
                // "hu" as numbers, in the form of an array and in that of a dump; "104" alone may be part of an address.
                #expect(!shown.contains("104, 117"))
                #expect(!shown.contains("- 104\n"))
                #expect(!shown.contains("abab"))
                #expect(!shown.contains("65, 65"))
                #expect(!shown.contains("THoP"))
            }
        }
    }

    @Test func credentialKeysAreChecked() {
        let good = SecretBytes([UInt8](repeating: 1, count: 32))
        #expect(SCRAMKeys(clientKey: good, serverKey: good, salt: [1], iterations: 1) != nil)
        #expect(SCRAMKeys(clientKey: SecretBytes([1]), serverKey: good, salt: [1], iterations: 1) == nil)
        #expect(SCRAMKeys(clientKey: good, serverKey: SecretBytes([1]), salt: [1], iterations: 1) == nil)
        #expect(SCRAMKeys(clientKey: good, serverKey: good, salt: [], iterations: 1) == nil)
        #expect(SCRAMKeys(clientKey: good, serverKey: good, salt: [1], iterations: 0) == nil)
    }
}
