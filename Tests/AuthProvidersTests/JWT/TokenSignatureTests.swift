import Foundation
import Sessions
import Testing

@testable import AuthProviders

/// Which keys make which tokens hold.
@Suite struct TokenSignatureTests {
    private static let vectorTime = 1_800_000_000.0

    private static func pem(_ text: String, id: String? = nil) throws -> TokenKey {
        try #require(TokenKey(publicPEM: Array(text.utf8), id: id))
    }

    private static func keySet() throws -> [TokenKey] {
        try KeyFile.publicKeys(path: try TokenWorkshop().keeping("keys.json", TokenVectors.keySet))
    }

    private static let pems = [
        "RS256": TokenVectors.rsa, "RS384": TokenVectors.rsaPKCS1, "RS512": TokenVectors.rsaCertificate,
        "PS256": TokenVectors.rsa, "PS384": TokenVectors.rsa, "PS512": TokenVectors.rsa, "ES256": TokenVectors.p256,
        "ES384": TokenVectors.p384, "EdDSA": TokenVectors.ed25519,
    ]

    @Test func everyAlgorithmHoldsByPEM() throws {
        let workshop = try TokenWorkshop()
        #expect(TokenVectors.tokens.map(\.algorithm) == TokenAlgorithm.allCases.map(\.rawValue))
        for (algorithm, token) in TokenVectors.tokens {
            let key = try Self.pem(try #require(Self.pems[algorithm]))
            let verifier = try workshop.verifier(keys: [key], now: Self.vectorTime)
            #expect(verifier.refusal(token) == nil, "\(algorithm)")
        }
    }

    @Test func everyAlgorithmHoldsByKeySet() throws {
        let workshop = try TokenWorkshop()
        let keys = try Self.keySet()
        #expect(keys.count == 9, "the symmetric key and the one for encryption are left out")
        let verifier = try workshop.verifier(keys: keys, now: Self.vectorTime)
        for (algorithm, token) in TokenVectors.tokens { #expect(verifier.refusal(token) == nil, "\(algorithm)") }
    }

    /// Every bit of the signature, the first of every byte of the rest.
    @Test func everyChangedByteIsRefused() throws {
        let workshop = try TokenWorkshop()
        let verifier = try workshop.verifier(keys: try Self.keySet(), now: Self.vectorTime)
        for (algorithm, token) in TokenVectors.tokens {
            let parts = token.split(separator: ".").map(String.init)
            let signature = try #require(Base64URL.decode(parts[2].utf8))
            for index in stride(from: 0, to: signature.count, by: max(signature.count / 16, 1)) {
                for mask: UInt8 in [1, 0x80] {
                    var changed = signature
                    changed[index] ^= mask
                    let text = "\(parts[0]).\(parts[1]).\(TokenWorkshop.base64URL(changed))"
                    #expect(verifier.refusal(text) == "the token's signature is wrong", "\(algorithm) byte \(index)")
                }
            }
            var claims = try #require(Base64URL.decode(parts[1].utf8))
            let place = try #require(claims.indices.dropLast(2).first { claims[$0...].starts(with: Array("app".utf8)) })
            claims[place] = UInt8(ascii: "b")
            let other = "\(parts[0]).\(TokenWorkshop.base64URL(claims)).\(parts[2])"
            #expect(verifier.refusal(other) == "the token's signature is wrong", "\(algorithm)")
        }
    }

    @Test func signatureOfAnotherAlgorithmIsRefused() throws {
        let workshop = try TokenWorkshop()
        let verifier = try workshop.verifier(keys: try Self.keySet(), now: Self.vectorTime)
        let parts = TokenVectors.tokens.map { $0.token.split(separator: ".") }
        for (index, one) in parts.enumerated() {
            for other in parts.indices where other != index {
                #expect(verifier.refusal("\(one[0]).\(one[1]).\(parts[other][2])") != nil)
            }
        }
    }

    // MARK: Confusion of algorithms

    @Test(arguments: ["none", "None", "NONE", "nOnE", "HS256", "HS384", "HS512", "es256", "ES256 ", "", "RS1", "ES512"])
    func algorithmsThatDoNotExist(name: String) throws {
        let workshop = try TokenWorkshop()
        let verifier = try workshop.verifier()
        let header = "{\"alg\":\"\(name)\",\"typ\":\"JWT\"}"
        let token = try workshop.token(header: header, claims: try TokenWorkshop.claims())
        #expect(verifier.refusal(token) == "the token's algorithm is none that is admitted")
        let parts = token.split(separator: ".")
        #expect(verifier.refusal("\(parts[0]).\(parts[1]).") != nil, "unsigned")
    }

    /// The public key, in every form it has been seen in, as the secret of an HMAC.
    @Test func publicKeyAsSharedSecretIsRefused() throws {
        let workshop = try TokenWorkshop()
        let (key, pem) = (workshop.key, workshop.key.publicPEM)
        #expect(pem.hasSuffix("\n"))
        let secrets = [Array(pem.utf8), Array(pem.dropLast().utf8), key.publicDER, key.publicPoint]
        let verifier = try workshop.verifier()
        for secret in secrets {
            let header = TokenWorkshop.base64URL(#"{"alg":"HS256","typ":"JWT"}"#.utf8)
            let signed = header + "." + TokenWorkshop.base64URL(try TokenWorkshop.claims().utf8)
            let code = SigningKey.authenticationCode(bits: 256, for: Array(signed.utf8), secret: secret)
            let token = signed + "." + TokenWorkshop.base64URL(code)
            #expect(verifier.refusal(token) == "the token's algorithm is none that is admitted")
            // The same under a name that the key has.
            let parts = signed.split(separator: ".")
            let claimed = TokenWorkshop.base64URL(#"{"alg":"ES256"}"#.utf8) + "." + parts[1]
            let forged = SigningKey.authenticationCode(bits: 512, for: Array(claimed.utf8), secret: secret)
            #expect(verifier.refusal(claimed + "." + TokenWorkshop.base64URL(forged)) != nil)
        }
    }

    @Test func algorithmOfAnotherKindOfKeyIsRefused() throws {
        let workshop = try TokenWorkshop()
        let verifier = try workshop.verifier()
        for algorithm in TokenAlgorithm.allCases where algorithm != .es256 {
            let header = "{\"alg\":\"\(algorithm.rawValue)\"}"
            let token = try workshop.token(header: header, claims: try TokenWorkshop.claims())
            #expect(verifier.refusal(token) == "no key is for the token's algorithm \(algorithm.rawValue)")
        }
    }

    /// A key set may bind a key to one algorithm.
    @Test func keyForOneAlgorithmServesNoOther() throws {
        let keys = try Self.keySet()
        let bound = try #require(keys.first { $0.id == "k-RS256" })
        #expect(TokenAlgorithm.allCases.filter { bound.admits($0) } == [.rs256])
        #expect(try TokenAlgorithm.allCases.filter { try Self.pem(TokenVectors.rsa).admits($0) }.count == 6)
        let verifier = try TokenWorkshop().verifier(keys: [bound], now: Self.vectorTime)
        #expect(verifier.refusal(TokenVectors.tokens[1].token) == "no key has the token's key id")
    }

    // MARK: Key ids

    @Test func keyIDChoosesTheKey() throws {
        let workshop = try TokenWorkshop()
        let own = workshop.key
        let stranger = SigningKey()
        func key(_ key: SigningKey, _ id: String?) throws -> TokenKey { try Self.pem(key.publicPEM, id: id) }
        func token(_ id: String?) throws -> String {
            let header = id.map { "{\"alg\":\"ES256\",\"kid\":\"\($0)\"}" } ?? "{\"alg\":\"ES256\"}"
            return try workshop.token(header: header, claims: try TokenWorkshop.claims())
        }
        let both = try workshop.verifier(keys: [key(stranger, "a"), key(own, "b")])
        #expect(both.refusal(try token("b")) == nil)
        #expect(both.refusal(try token("a")) == "the token's signature is wrong")
        #expect(both.refusal(try token("c")) == "no key has the token's key id")
        #expect(both.refusal(try token(nil)) == nil, "without a name every key is tried")
        let twice = try workshop.verifier(keys: [key(stranger, "b"), key(own, "b")])
        #expect(twice.refusal(try token("b")) == nil, "two keys of one name")
        let nameless = try workshop.verifier(keys: [key(stranger, "a"), key(own, nil)])
        #expect(nameless.refusal(try token("z")) == nil, "keys in PEM have no name")
        #expect(nameless.refusal(try token("a")) == "the token's signature is wrong")
        #expect(both.refusal(try workshop.token(header: #"{"alg":"ES256","kid":7}"#, claims: "{}")) != nil)
    }

    // MARK: Minted tokens

    /// The two libraries agree: what libjwt signs holds, with its algorithm by the key.
    @Test(arguments: [
        (TokenVectors.mintRSA, TokenVectors.mintRSAPublic, "RS256"),
        (TokenVectors.mintP256, TokenVectors.mintP256Public, "ES256"),
    ])
    func mintedTokensHold(privatePEM: String, publicPEM: String, algorithm: String) throws {
        let workshop = try TokenWorkshop()
        let mint = try TokenMint(keyFile: try workshop.write("mint.pem", privatePEM), user: "rôle \"x\"")
        let before = Date.now.timeIntervalSince1970
        let token = try #require(mint.token())
        let parsed = try SignedToken(parsing: token.exposed())
        #expect(parsed.algorithm.rawValue == algorithm)
        #expect(parsed.claims["preferred_username"]?.string == "rôle \"x\"")
        let expiry = try #require(parsed.claims["exp"]?.number)
        #expect((before + 119...before + 125).contains(expiry))
        let verifier = try workshop.verifier(keys: [try Self.pem(publicPEM)], now: before + 119)
        #expect(verifier.refusal(token.exposed()) == nil)
        guard case .made(let make) = mint.credential else {
            Issue.record("a mint is asked at each login")
            return
        }
        #expect(make() != nil)
    }

    @Test func mintsAreEqualByNameAndKey() throws {
        let workshop = try TokenWorkshop()
        let one = try workshop.write("one.pem", TokenVectors.mintRSA)
        let two = try workshop.write("two.pem", TokenVectors.mintRSA)
        let other = try workshop.write("other.pem", TokenVectors.mintP256)
        #expect(try TokenMint(keyFile: one, user: "a") == TokenMint(keyFile: two, user: "a"))
        #expect(try TokenMint(keyFile: one, user: "a") != TokenMint(keyFile: one, user: "b"))
        #expect(try TokenMint(keyFile: one, user: "a") != TokenMint(keyFile: other, user: "a"))
        #expect(throws: AuthConfigurationError.self) { try TokenMint(keyFile: one, user: "a\0b") }
    }
}

extension TokenWorkshop {
    /// Writes a file that outlives the workshop's use in one expression.
    func keeping(_ name: String, _ text: String) throws -> String {
        let path = NSTemporaryDirectory() + UUID().uuidString + name
        try text.write(toFile: path, atomically: false, encoding: .utf8)
        return path
    }
}
