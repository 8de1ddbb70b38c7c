import AuthProviders
import Sessions
import Testing

@testable import Gateway

/// Users who do not exist look like most of those that are listed.
@Suite struct UsualSecretTests {
    /// `md5`, `empty`, or a count of SCRAM iterations.
    private static func secret(_ word: Substring) throws -> StoredSecret {
        switch word {
        case "md5": return try StoredSecret(parsing: "md5" + String(repeating: "0", count: 32))
        case "empty": return try StoredSecret(parsing: "")
        default:
            let key = String(repeating: "A", count: 43) + "="
            return try StoredSecret(parsing: "SCRAM-SHA-256$\(word):c2FsdHNhbHRzYWx0c2FsdA==$\(key):\(key)")
        }
    }

    @Test(arguments: [
        ("", "scram", 4096), ("empty empty", "scram", 4096), ("md5", "md5", 4096), ("10000", "scram", 10000),
        ("md5 10000", "scram", 10000), ("md5 md5 10000", "md5", 10000), ("md5 10000 20000", "scram", 10000),
        ("4096 10000", "scram", 4096), ("20000 4096 10000 10000", "scram", 10000),
        ("20000 10000", "scram", 10000), ("empty empty 15000", "scram", 15000),
    ])
    func followsTheMajority(_ words: String, _ kind: String, _ iterations: Int) throws {
        let usual = UsualSecret(of: try words.split(separator: " ").map { try Self.secret($0) })
        let found =
            switch usual.exchange {
            case .md5: "md5"
            case .scramSHA256: "scram"
            }
        #expect(found == kind)
        #expect(usual.iterations == iterations)
    }

    /// A reload that changes what is usual leaves each user's salt as it is.
    @Test func saltsDoNotDependOnTheIterations() {
        let key = SecretBytes("process key")
        let one = MockAuthentication(key: key, iterations: 4096).verifier(user: "nobody")
        let other = MockAuthentication(key: key, iterations: 10000).verifier(user: "nobody")
        #expect(one.salt == other.salt)
        #expect(one.iterations == 4096 && other.iterations == 10000)
    }
}
