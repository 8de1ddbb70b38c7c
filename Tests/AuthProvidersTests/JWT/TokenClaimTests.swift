import Foundation
import Sessions
import Testing

@testable import AuthProviders

/// What a token has to say, and bytes that are no token.
@Suite struct TokenClaimTests {
    private static let now = Int(TokenWorkshop.now)

    private func refusal(_ changes: [String: Any?], _ rules: TokenRules = TokenRules(leeway: 0)) throws -> String? {
        let workshop = try TokenWorkshop()
        return try workshop.verifier(rules: rules).refusal(try workshop.token(changes))
    }

    @Test func times() throws {
        let now = Self.now
        let leeway = TokenRules(leeway: 10)
        #expect(try self.refusal([:]) == nil)
        #expect(try self.refusal(["exp": Optional<Any>.none]) == "the token has no `exp`")
        #expect(try self.refusal(["exp": now]) == "the token has expired")
        #expect(try self.refusal(["exp": now + 1]) == nil)
        #expect(try self.refusal(["exp": Double(now) + 0.5]) == nil)
        #expect(try self.refusal(["exp": now - 9], leeway) == nil)
        #expect(try self.refusal(["exp": now - 10], leeway) == "the token has expired")
        #expect(try self.refusal(["nbf": now]) == nil)
        #expect(try self.refusal(["nbf": now + 1]) == "the token is not valid yet (`nbf`)")
        #expect(try self.refusal(["nbf": now + 10], leeway) == nil)
        #expect(try self.refusal(["nbf": now + 11], leeway) == "the token is not valid yet (`nbf`)")
        #expect(try self.refusal(["iat": now + 1]) == "the token was issued in the future (`iat`)")
        #expect(try self.refusal(["iat": now + 10], leeway) == nil)
    }

    @Test(arguments: [
        #""2000000000""#, "true", "null", "[2000000000]", "-1", "1e300", "1e999", "253402300800", "{}",
        "02000000000", "2000000000.", "+2000000000", "0x77359400", "NaN",
    ])
    func momentsThatAreNone(text: String) throws {
        let workshop = try TokenWorkshop()
        let verifier = try workshop.verifier()
        for name in ["exp", "nbf", "iat"] {
            let rest = name == "exp" ? "" : #","exp":2000000000"#
            let token = try workshop.token(claims: "{\"\(name)\":\(text)\(rest)}")
            #expect(verifier.refusal(token) != nil, "\(name) \(text)")
        }
    }

    @Test func issuerAndAudience() throws {
        let rules = TokenRules(issuer: "https://a.example", audiences: ["db", "other"], leeway: 0)
        let good: [String: Any?] = ["iss": "https://a.example", "aud": "db"]
        func with(_ changes: [String: Any?]) throws -> String? { try self.refusal(good.merging(changes) { $1 }, rules) }
        #expect(try with([:]) == nil)
        #expect(try with(["aud": ["x", "other"]]) == nil)
        for other: Any? in ["https://b.example", "https://a.example/", 1, nil, ["https://a.example"]] {
            #expect(try with(["iss": other]) == "the token is of another issuer (`iss`)")
        }
        for other: Any? in ["DB", "db ", "", [String](), ["x"], [1], nil, ["db": 1]] {
            #expect(try with(["aud": other]) == "the token is for another audience (`aud`)")
        }
        #expect(try self.refusal(["iss": "x", "aud": "y"]) == nil, "nothing was asked for")
    }

    @Test func namesThatStandTwice() throws {
        let workshop = try TokenWorkshop()
        let verifier = try workshop.verifier()
        let claims = #"{"exp":2000000000,"preferred_username":"app","preferred_username":"admin"}"#
        let twice = "the token's claims are no JSON object, or name something twice"
        #expect(verifier.refusal(try workshop.token(claims: claims)) == twice)
        let escaped = #"{"exp":2000000000,"sub":"app","s\u0075b":"admin"}"#
        #expect(verifier.refusal(try workshop.token(claims: escaped)) == twice)
        let header = try workshop.token(header: #"{"alg":"none","alg":"ES256"}"#, claims: #"{"exp":2000000000}"#)
        #expect(verifier.refusal(header) == "the token's header is no JSON object")
    }

    @Test(arguments: [
        (#"{"alg":"ES256","crit":["exp"]}"#, "the token's header has `crit`"),
        (#"{"alg":"ES256","typ":"JWE"}"#, "the token's type is not JWT"),
        (#"{"alg":"ES256","typ":1}"#, "the token's type is not JWT"), (#"{"alg":"ES256","typ":"jwt"}"#, nil),
        (#"{"alg":["ES256"]}"#, "the token's algorithm is none that is admitted"),
        ("{}", "the token's algorithm is none that is admitted"), ("[]", "the token's header is no JSON object"),
        ("", "the token's header is no JSON object"), ("{\"alg\":\"ES256\"", "the token's header is no JSON object"),
    ])
    func headers(header: String, expected: String?) throws {
        let workshop = try TokenWorkshop()
        let token = try workshop.token(header: header, claims: try TokenWorkshop.claims())
        #expect(try workshop.verifier().refusal(token) == expected)
    }

    // MARK: Hostile bytes

    @Test func everyTruncationIsRefused() throws {
        let workshop = try TokenWorkshop()
        let verifier = try workshop.verifier()
        let token = Array(try workshop.token([:]).utf8)
        for length in token.indices { #expect(verifier.refusal(Array(token[..<length])) != nil, "\(length)") }
        #expect(verifier.refusal(token + [UInt8(ascii: "A")]) != nil)
        #expect(verifier.refusal(token + [UInt8(ascii: "=")]) != nil)
        #expect(verifier.refusal(token + [UInt8(ascii: ".")]) != nil)
        #expect(verifier.refusal([UInt8(ascii: " ")] + token) != nil)
        #expect(verifier.refusal(token + [0]) != nil)
        #expect(verifier.refusal(token + [0x0a]) != nil)
    }

    /// libjwt reads behind the end of a signature that is no proper base64url: nothing of that kind gets so far.
    /// Whatever the algorithm, it is refused before a key is asked.
    @Test func onlyCanonicalBase64URLGetsToALibrary() throws {
        let workshop = try TokenWorkshop()
        let keys = try KeyFile.publicKeys(path: try workshop.write("keys.json", TokenVectors.keySet))
        let verifier = try workshop.verifier(keys: keys, now: 1_800_000_000)
        let text = "it is no token: not three parts in base64url"
        for (algorithm, token) in TokenVectors.tokens {
            #expect(verifier.refusal(token) == nil)
            let parts = token.split(separator: ".").map { Array($0.utf8) }
            for place in parts.indices {
                for wrong in Self.misspelt(parts[place]) {
                    var changed = parts
                    changed[place] = wrong
                    let bytes = Array(changed.joined(separator: [UInt8(ascii: ".")]))
                    #expect(verifier.refusal(bytes) == text, "\(algorithm) \(place) \(wrong.suffix(4))")
                }
            }
        }
    }

    /// Texts that lax decoders take for the same bytes, or for some.
    private static func misspelt(_ part: [UInt8]) -> [[UInt8]] {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)
        var result = ["=", "==", "\n", " ", "+", "/", "\0", "%3d"].map { part + Array($0.utf8) }
        result += [part + [0xff], [UInt8(ascii: " ")] + part, [0] + part, part.dropLast() + [0x80]]
        // One digit alone is no byte.
        result.append(part + Array(repeating: UInt8(ascii: "A"), count: (5 - part.count % 4) % 4))
        result.append(Array(part.prefix(part.count / 4 * 4)) + [UInt8(ascii: "A")])
        // Bits behind the last byte.
        if part.count % 4 != 0, let last = part.last, let value = alphabet.firstIndex(of: last), value % 2 == 0 {
            result.append(part.dropLast() + [alphabet[value + 1]])
        }
        return result
    }

    @Test func textsThatAreNoToken() throws {
        let verifier = try TokenWorkshop().verifier()
        #expect(verifier.refusal([]) == "the token is empty")
        #expect(verifier.refusal([0xff, 0xfe, 0x80]) == "it is no token: not three parts in base64url")
        for text in [".", "..", "...", "a.b.c", "a.b", "....", "e30.e30.", ".e30.e30", "e30..e30", "secret"] {
            #expect(verifier.refusal(text) != nil, "\(text)")
        }
    }

    @Test func claimsThatAreNotUTF8() throws {
        let workshop = try TokenWorkshop()
        let claims = Array(#"{"exp":2000000000,"preferred_username":""#.utf8) + [0xff, 0xc0] + Array("\"}".utf8)
        let token = try workshop.token(header: Array(#"{"alg":"ES256"}"#.utf8), claims: claims)
        #expect(try workshop.verifier().refusal(token) != nil)
    }

    /// 64 KiB hold, a byte more does not, and is refused before anything is looked at.
    @Test func lengths() throws {
        let workshop = try TokenWorkshop()
        let verifier = try workshop.verifier()
        let frame = try workshop.token(["pad": ""]).utf8.count
        var token = ""
        // Four letters are three bytes: one of the three lengths fits.
        for spare in 0..<4 {
            let pad = String(repeating: "x", count: (SignedToken.sizeMax - frame) / 4 * 3 - spare)
            let candidate = try workshop.token(["pad": pad])
            let count = candidate.utf8.count
            if count <= SignedToken.sizeMax, count > token.utf8.count { token = candidate }
        }
        #expect(token.utf8.count > SignedToken.sizeMax - 4)
        #expect(verifier.refusal(token) == nil)
        let long = try workshop.token(["pad": String(repeating: "x", count: SignedToken.sizeMax)])
        #expect(verifier.refusal(long) == "the token is too long")
    }

    @Test func deepTextsAreRefused() throws {
        let workshop = try TokenWorkshop()
        let verifier = try workshop.verifier()
        func nested(_ depth: Int) -> String {
            let open = String(repeating: "[", count: depth)
            return "{\"exp\":2000000000,\"x\":\(open)\(String(repeating: "]", count: depth))}"
        }
        #expect(verifier.refusal(try workshop.token(claims: nested(31))) == nil)
        #expect(verifier.refusal(try workshop.token(claims: nested(32))) != nil)
        #expect(verifier.refusal(try workshop.token(claims: nested(20_000))) != nil)
        #expect(verifier.refusal(try workshop.token(claims: String(repeating: "{\"a\":", count: 9_000))) != nil)
    }
}

/// The parser of JSON texts that strangers wrote.
@Suite struct JSONValueTests {
    private func parse(_ text: String) -> JSONValue? { JSONValue(parsing: Array(text.utf8)) }

    @Test func values() {
        #expect(self.parse(" {\"a\" : [1, -2.5e1, true, false, null, \"x\"] }\n")?["a"]
            == .array([.number(1), .number(-25), .bool(true), .bool(false), .null, .string("x")]))
        #expect(self.parse(#""\"\\\/\b\f\n\r\té\ud83d\ude00""#) == .string("\"\\/\u{8}\u{c}\n\r\té😀"))
        #expect(self.parse("{}") == .object([]))
        #expect(self.parse("[]") == .array([]))
        #expect(self.parse("0") == .number(0))
    }

    @Test(arguments: [
        "", " ", "{", "}", "[", "]", "[1,]", "{,}", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{a:1}", "{'a':1}", "01", "-",
        "1.", ".5", "1e", "1e+", "+1", "tru", "truex", "nul", "\"", "\"\\\"", "\"\\x\"", "\"\\u12\"", "\"\\ud800\"",
        "\"\\ud800\\u0041\"", "\"\\udc00\"", "\"\n\"", "\"\u{1}\"", "1 2", "{} {}", "[1 2]", "1e999", "// x\n1",
        "\u{feff}1", "{\"a\":1,\"a\":2}", "Infinity",
    ])
    func textsThatAreNone(text: String) {
        #expect(self.parse(text) == nil)
    }

    /// Names are compared byte by byte: these are two.
    @Test func namesAreBytes() {
        let value = self.parse("{\"\u{e9}\":1,\"e\u{301}\":2}")
        #expect(value?["\u{e9}"] == .number(1))
        #expect(value?["e\u{301}"] == .number(2))
    }

    @Test func noBytesTrap() {
        let seed = Array(#"{"a":[1,-2.5e1,true,false,null,"x\u00e9\ud83d\ude00"],"b":{"c":"d"}}"#.utf8)
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<20_000 {
            var bytes = seed
            for _ in 0..<Int.random(in: 1...4, using: &generator) {
                let place = Int.random(in: 0..<bytes.count, using: &generator)
                switch Int.random(in: 0..<3, using: &generator) {
                case 0: bytes[place] = UInt8.random(in: 0...255, using: &generator)
                case 1: bytes.remove(at: place)
                default: bytes.insert(bytes[Int.random(in: 0..<bytes.count, using: &generator)], at: place)
                }
            }
            _ = JSONValue(parsing: bytes)
        }
    }
}

@Suite struct Base64URLTests {
    @Test(arguments: [
        ("", []), ("AA", [0]), ("_w", [255]), ("AAE", [0, 1]), ("AAEC", [0, 1, 2]), ("-_-_", [251, 255, 191]),
    ])
    func texts(text: String, bytes: [UInt8]) {
        #expect(Base64URL.decode(text.utf8) == bytes)
    }

    /// A second spelling of the same bytes would be a second token of the same content.
    @Test(arguments: ["A", "AAAAA", "AB", "AAF", "AA==", "A+", "A/", "A A", "AA\n", "Ä"])
    func textsThatAreNone(text: String) {
        #expect(Base64URL.decode(text.utf8) == nil)
    }
}
