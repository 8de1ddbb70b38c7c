import AuthProviderTestKit
import Foundation
import Sessions
import Testing

@testable import AuthProviders

/// The method `jwt`: options, files, names.
@Suite struct JWTProviderTests {
    private struct Maps: LocalUsers {
        func name(ofUser user: UInt32) async -> SystemUserLookup { .unknown }

        func admits(_ systemUser: String, as attempt: LoginAttempt, map: String) async -> UserMapAnswer {
            switch map {
            case "broken": .unavailable("the map is away")
            case "m": systemUser == "ann@example" && attempt.user == "app" ? .admitted : .refused
            default: .refused
            }
        }
    }

    private func logIn(
        as user: String = "app",
        _ options: [(String, String)],
        token: String
    ) async throws -> LoginOutcome {
        let options = try MethodOptions(method: "jwt", entries: options.map { (name: $0.0, value: $0.1) })
        let services = AuthServices(secrets: StaticSecrets([:]), localUsers: Maps())
        let provider = try AuthProviderRegistry.standard().makeProvider(options: options, services: services)
        let attempt = LoginAttempt(
            user: user, database: "db", peerAddress: "192.0.2.7", isLocal: false, isTLS: true,
            rule: LoginAttempt.Rule(options: options, file: "pg_hba.conf", line: 3)
        )
        let client = ScriptedClient(user: user, .password(token))
        do throws(AuthFailure) {
            let identity = try await provider.authenticate(attempt, over: client)
            #expect(client.requests == [.cleartext])
            return .admitted(identity)
        } catch {
            #expect(client.requests == [.cleartext])
            return .refused(error)
        }
    }

    /// The provider's own clock runs: claims around the present.
    private func token(_ workshop: TokenWorkshop, _ changes: [String: Any?] = [:]) throws -> String {
        let now = Int(Date.now.timeIntervalSince1970)
        return try workshop.token(["exp": now + 600, "iat": now].merging(changes) { $1 })
    }

    @Test func tokenOfTheUserLetsIn() async throws {
        let workshop = try TokenWorkshop()
        let outcome = try await self.logIn([("keys", try workshop.keyFile())], token: try self.token(workshop))
        let identity = try #require(outcome.identity)
        #expect(identity.user == "app" && identity.provider == "jwt" && identity.method == "jwt")
        #expect(identity.secretOrigin == nil && identity.end == nil && identity.applicationName == nil)
        guard case .none = identity.credential else {
            Issue.record("the token is handed on only when asked")
            return
        }
    }

    @Test func otherUsersAndUnusableNamesAreRefused() async throws {
        let workshop = try TokenWorkshop()
        let keys = [("keys", try workshop.keyFile())]
        for name: Any? in ["APP", "app ", "", "other", 5, nil, ["app"], "a\u{0}pp"] {
            let token = try self.token(workshop, ["preferred_username": name])
            let failure = try #require(try await self.logIn(keys, token: token).failure)
            #expect(failure.reason == .proofWrong && failure.sqlStateText == "28P01")
            #expect(failure.clientText == "password authentication failed for user \"app\"")
        }
        // Equal to Swift, two names to PostgreSQL.
        let token = try self.token(workshop, ["preferred_username": "e\u{301}"])
        #expect(try await self.logIn(as: "\u{e9}", keys, token: token).failure?.reason == .proofWrong)
    }

    /// To the client every refusal is the same.
    @Test func refusalsLookAlike() async throws {
        let workshop = try TokenWorkshop()
        let keys = [("keys", try workshop.keyFile())]
        let good = try self.token(workshop)
        let tokens = [
            "", "secret", String(good.dropLast()), try self.token(workshop, ["exp": 1]),
            try self.token(try TokenWorkshop()), try self.token(workshop, ["preferred_username": "other"]),
        ]
        var seen: Set<String> = []
        for token in tokens {
            let failure = try #require(try await self.logIn(keys, token: token).failure)
            seen.insert("\(failure.sqlStateText) \(failure.clientText) \(failure.reason)")
            #expect(token.isEmpty || !failure.logText.contains(token))
        }
        #expect(seen.count == 1)
    }

    @Test func claimAndMap() async throws {
        let workshop = try TokenWorkshop()
        let keys = ("keys", try workshop.keyFile())
        let token = try self.token(workshop, ["email": "ann@example", "preferred_username": "app"])
        #expect(try await self.logIn([keys, ("user_claim", "email")], token: token).failure?.reason == .proofWrong)
        let mapped = [keys, ("user_claim", "email"), ("map", "m")]
        #expect(try await self.logIn(mapped, token: token).identity?.user == "app")
        #expect(try await self.logIn(as: "root", mapped, token: token).failure?.reason == .proofWrong)
        // With a map, an equal name is not enough.
        #expect(try await self.logIn([keys, ("map", "m")], token: token).failure?.reason == .proofWrong)
        let broken = try await self.logIn([keys, ("map", "broken")], token: token)
        #expect(broken.failure?.reason == .serviceUnavailable)
    }

    @Test func passthroughAndExpiry() async throws {
        let workshop = try TokenWorkshop()
        let keys = ("keys", try workshop.keyFile())
        let token = try self.token(workshop, ["exp": 4_000_000_000])
        let options = [
            keys, ("passthrough", "1"), ("on_expiry", "disconnect"), ("leeway", "5"), ("expiry_grace", "7"),
        ]
        let identity = try #require(try await self.logIn(options, token: token).identity)
        guard case .cleartext(let password) = identity.credential else {
            Issue.record("the token is to be handed on")
            return
        }
        #expect(password == SecretBytes(token))
        #expect(identity.end == AuthenticatedIdentity.End(at: 4_000_000_005_000_000, grace: .seconds(7)))
        let ignoring = try await self.logIn([keys, ("on_expiry", "ignore")], token: token)
        #expect(ignoring.identity?.end == nil)
    }

    @Test(arguments: [
        [("keys", "")], [], [("keys", ",")], [("leeway", "5")], [("keys", "K"), ("leeway", "-1")],
        [("keys", "K"), ("leeway", "x")], [("keys", "K"), ("leeway", "3601")],
        [("keys", "K"), ("passthrough", "maybe")], [("keys", "K"), ("on_expiry", "kill")],
        [("keys", "K"), ("secret", "x")], [("keys", "K"), ("expiry_grace", "1.5")],
        [("keys", "K"), ("audience", "")], [("keys", "K"), ("audience", ",")], [("keys", "K"), ("audience", " , ")],
        [("keys", "K"), ("issuer", "")], [("keys", "K"), ("issuer", " ")],
    ])
    func wrongOptionsFailAtLoad(options: [(String, String)]) async throws {
        let workshop = try TokenWorkshop()
        let file = try workshop.keyFile()
        let entries = options.map { (name: $0.0, value: $0.1 == "K" ? file : $0.1) }
        let options = try MethodOptions(method: "jwt", entries: entries)
        let services = AuthServices(secrets: StaticSecrets([:]))
        #expect(throws: AuthConfigurationError.self) { try JWTProvider(options: options, services: services) }
    }
}

/// Files with keys: what is wrong is said with the file's name.
@Suite struct KeyFileTests {
    private func problem(_ text: String) throws -> String? {
        let workshop = try TokenWorkshop()
        let path = try workshop.write("k", text)
        do throws(KeyFileError) {
            _ = try KeyFile.publicKeys(path: path)
            return nil
        } catch {
            #expect(error.path == path && error.description.hasPrefix(path))
            return error.reason
        }
    }

    @Test func severalKeysInOneFile() throws {
        let workshop = try TokenWorkshop()
        let text = "a comment\n" + TokenVectors.rsa + "\n" + TokenVectors.p256 + "\r\n" + TokenVectors.rsaCertificate
        let keys = try KeyFile.publicKeys(path: try workshop.write("k", text), id: "id")
        #expect(keys.map(\.kind) == [.rsa, .p256, .rsa])
        #expect(keys.map(\.id) == ["id", "id", "id"])
        let windows = text.replacing("\n", with: "\r\n")
        #expect(try KeyFile.publicKeys(path: try workshop.write("w", windows)).count == 3)
    }

    @Test func filesThatCannotBeUsed() throws {
        #expect(try self.problem("") == "holds neither public keys in PEM nor a JSON Web Key Set")
        #expect(try self.problem("secret") == "holds neither public keys in PEM nor a JSON Web Key Set")
        for pem in [TokenVectors.rsa1024, TokenVectors.p521, String(TokenVectors.rsa.dropFirst(60))] {
            #expect(try self.problem(pem) != nil)
        }
        let private1 = SigningKey().privatePEM
        #expect(try self.problem(private1) == "holds a private key: the public one is needed")
        let tooShort = TokenVectors.rsa + "\n" + TokenVectors.rsa1024
        #expect(try self.problem(tooShort)?.hasPrefix("a block is no public") == true)
        #expect(try self.problem("{") == "is no JSON text, or names something twice")
        #expect(try self.problem("{}") == "is JSON, but no JSON Web Key Set: it has no list `keys`")
        #expect(try self.problem("{\"keys\":[]}") == "has no key that could check a signature")
        let symmetric = "{\"keys\":[{\"kty\":\"oct\",\"k\":\"AA\"}]}"
        #expect(try self.problem(symmetric) == "has no key that could check a signature")
        #expect(try self.problem("{\"keys\":[{\"kid\":\"a\"}]}") == "key \"a\" cannot be used")
        let tiny = "{\"keys\":[{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"}]}"
        #expect(try self.problem(tiny) == "key number 1 cannot be used")
        let coordinate = String(repeating: "A", count: 43)
        let offCurve = "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"\(coordinate)\",\"y\":\"\(coordinate)\"}]}"
        #expect(try self.problem(offCurve) == "key number 1 cannot be used")
        #expect(try self.problem(String(repeating: "x", count: KeyFile.sizeMax + 1)) == "is too large")
    }

    @Test func filesThatCannotBeRead() throws {
        for (path, reason) in [("/nowhere/at/all.pem", "there is no such file"), ("/tmp", "it is no regular file")] {
            #expect(throws: KeyFileError(path: path, reason: reason)) { try KeyFile.publicKeys(path: path) }
            #expect(throws: KeyFileError(path: path, reason: reason)) { try KeyFile.privateKey(path: path) }
        }
        let workshop = try TokenWorkshop()
        for text in ["", "x", TokenVectors.rsa, TokenVectors.ed25519Private] {
            let path = try workshop.write("p", text)
            #expect(throws: KeyFileError.self) { try KeyFile.privateKey(path: path) }
        }
    }
}
