import Sessions
import Testing

@Suite struct StoredSecretTests {
    private static let salt = "AAECAwQFBgcICQoLDA0ODw=="
    private static let storedKey = "THoPhoTAuqyoQsK4dUHncUzgfD8fdmhsgKZhWVqNP5U="
    private static let serverKey = "7YiHMMi2OcXGRogub03Ek06JRZ9bkhTOdCzHa5iPLiQ="

    @Test func readsEmpty() throws {
        guard case .empty = try StoredSecret(parsing: "").kind else {
            Issue.record("not empty")
            return
        }
    }

    @Test func readsMD5() throws {
        let secret = try StoredSecret(parsing: "md54a0a68b43b6cd5cf266fa02f196e2371")
        guard case .md5(let hash) = secret.kind else {
            Issue.record("not md5")
            return
        }
        #expect(hash.matches(bytes("4a0a68b43b6cd5cf266fa02f196e2371")))
        #expect(secret.kindName == "md5")
    }

    @Test func readsSCRAM() throws {
        let secret = try StoredSecret(parsing: "SCRAM-SHA-256$4096:\(Self.salt)$\(Self.storedKey):\(Self.serverKey)")
        guard case .scram(let verifier) = secret.kind else {
            Issue.record("not SCRAM")
            return
        }
        #expect(verifier.iterations == 4096)
        #expect(verifier.salt == Array(0...15))
        #expect(verifier.storedKey.matches(Base64.decode(bytes(Self.storedKey)) ?? []))
        #expect(verifier.serverKey.matches(Base64.decode(bytes(Self.serverKey)) ?? []))
        #expect(secret.kindName == "scram-sha-256")
    }

    @Test(arguments: [
        "secret", "MD54a0a68b43b6cd5cf266fa02f196e2371", " md54a0a68b43b6cd5cf266fa02f196e2371",
        "scram-sha-256$4096:a$b:c",
        "SCRAM-SHA-1$4096:a$b:c", "SCRAM-SHA-256", "m",
    ])
    func otherFormsAreRefused(text: String) {
        #expect(throws: StoredSecretError.unknownForm) { try StoredSecret(parsing: text) }
    }

    @Test(arguments: [
        "md5", "md54a0a68b43b6cd5cf266fa02f196e237", "md54a0a68b43b6cd5cf266fa02f196e23711",
        "md54A0A68B43B6CD5CF266FA02F196E2371", "md54a0a68b43b6cd5cf266fa02f196e237g", "md5 password",
    ])
    func malformedMD5(text: String) {
        #expect(throws: StoredSecretError.md5Malformed) { try StoredSecret(parsing: text) }
    }

    @Test(arguments: [
        ("", StoredSecretError.SCRAMPart.structure), ("$", .structure), ("4096:\(salt)", .structure),
        ("4096$\(storedKey):\(serverKey)", .structure), ("4096:\(salt)$\(storedKey)", .structure),
        ("4096:\(salt)$\(storedKey):\(serverKey)$", .structure),
        ("4096:\(salt)$\(storedKey):\(serverKey):", .structure),
        (":\(salt)$\(storedKey):\(serverKey)", .iterations), ("0:\(salt)$\(storedKey):\(serverKey)", .iterations),
        ("-1:\(salt)$\(storedKey):\(serverKey)", .iterations), ("+1:\(salt)$\(storedKey):\(serverKey)", .iterations),
        ("04096:\(salt)$\(storedKey):\(serverKey)", .iterations),
        ("4 6:\(salt)$\(storedKey):\(serverKey)", .iterations),
        ("10000001:\(salt)$\(storedKey):\(serverKey)", .iterations),
        ("2147483648:\(salt)$\(storedKey):\(serverKey)", .iterations),
        ("99999999999999999999999:\(salt)$\(storedKey):\(serverKey)", .iterations),
        ("4096:$\(storedKey):\(serverKey)", .salt), ("4096:*$\(storedKey):\(serverKey)", .salt),
        ("4096:\(salt)$:\(serverKey)", .storedKey), ("4096:\(salt)$AAAA:\(serverKey)", .storedKey),
        ("4096:\(salt)$\(storedKey):", .serverKey), ("4096:\(salt)$\(storedKey):AAAA", .serverKey),
    ])
    func malformedSCRAM(tail: String, part: StoredSecretError.SCRAMPart) {
        #expect(throws: StoredSecretError.scramMalformed(part: part)) {
            try StoredSecret(parsing: "SCRAM-SHA-256$" + tail)
        }
    }

    @Test func largestIterationsAndLongestText() throws {
        _ = try StoredSecret(parsing: "SCRAM-SHA-256$10000000:\(Self.salt)$\(Self.storedKey):\(Self.serverKey)")
        _ = try StoredSecret(parsing: "SCRAM-SHA-256$1:\(Self.salt)$\(Self.storedKey):\(Self.serverKey)")
        #expect(throws: StoredSecretError.tooLong) {
            try StoredSecret(parsing: "md5" + String(repeating: "a", count: 3000))
        }
    }

    @Test func errorsNeverRepeatTheSecret() {
        for secret in [
            "hunter2", "md5hunter2", "SCRAM-SHA-256$hunter2", "SCRAM-SHA-256$hunter2:hunter2$hunter2:hunter2",
        ] {
            do throws(StoredSecretError) {
                _ = try StoredSecret(parsing: secret)
                Issue.record("accepted")
            } catch {
                #expect(!"\(error) \(String(reflecting: error))".contains("hunter2"))
            }
        }
    }

    @Test func noMutationTraps() {
        for mutated in mutations(of: bytes(SCRAMVector.plain.stored)) {
            _ = try? StoredSecret(parsing: String(decoding: mutated, as: UTF8.self))
        }
    }
}
