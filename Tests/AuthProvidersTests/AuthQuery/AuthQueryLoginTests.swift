import AuthProviderTestKit
import Sessions
import Testing

@testable import AuthProviders

/// Logins of users whose secrets are remembered: what a change of the password, a new role and a wrong password do.
@Suite struct AuthQueryLoginTests {
    private static func md5(_ password: String) -> String {
        let digits = MD5Password.hash(password: SecretBytes(password), user: "u").exposed()
        return "md5" + String(decoding: digits, as: UTF8.self)
    }

    private static func scram(_ password: String) -> String {
        let salt = Array("0123456789abcdef".utf8)
        let verifier = SCRAMVerifier(password: SecretBytes(password), salt: salt, iterations: 2)
        let parts = [verifier.salt, verifier.storedKey.exposed(), verifier.serverKey.exposed()]
            .map { part in String(decoding: Base64.encode(part), as: UTF8.self) }
        return "SCRAM-SHA-256$2:\(parts[0])$\(parts[1]):\(parts[2])"
    }

    /// The reason of the refusal, or the freshness of the secret that was proved.
    private static func logIn(
        _ password: String,
        method: String,
        _ service: AuthQueryService,
        unknown: AuthServices.UnknownUserExchange = .scramSHA256
    ) async throws -> String {
        let services = try TestSetting.services(
            SecretSourceChain([TestSetting.secrets(), service]),
            unknownUserExchange: unknown
        )
        switch try await AuthProvidersTests.logIn("u", method: method, .password(password), services: services) {
        case .admitted(let identity):
            return "\(identity.secretOrigin?.name ?? "") \(identity.secretOrigin?.freshness as Any)"
        case .refused(let failure):
            #expect(failure.clientText == "password authentication failed for user \"u\"")
            return failure.reason.rawValue
        }
    }

    private static let fetched = "auth_query Optional(AuthProviders.SecretOrigin.Freshness.fetched)"
    private static let cached = "auth_query Optional(AuthProviders.SecretOrigin.Freshness.cached)"

    /// md5 and cleartext within the login, SCRAM at the next.
    @Test(arguments: [("md5", false), ("password", false), ("password", true), ("scram-sha-256", true), ("md5", true)])
    func rotation(method: String, isSCRAM: Bool) async throws {
        let text = isSCRAM ? Self.scram : Self.md5
        let executor = ScriptedExecutor(passwords: ["u": text("old")])
        let service = executor.service()
        #expect(try await Self.logIn("old", method: method, service) == Self.fetched)
        executor.pass(seconds: 10)
        #expect(try await Self.logIn("old", method: method, service) == Self.cached)
        executor.set("u", text("new"))
        if isSCRAM, method != "password" {
            #expect(try await Self.logIn("new", method: method, service) == "password_wrong")
        }
        #expect(try await Self.logIn("new", method: method, service) == Self.fetched)
        #expect(try await Self.logIn("new", method: method, service) == Self.cached)
        #expect(executor.asked.count == 2)
        #expect(try await Self.logIn("old", method: method, service) == "password_wrong")
    }

    /// However often somebody tries, the server is asked once per interval.
    @Test(arguments: ["md5", "password", "scram-sha-256"], [nil, "right"])
    func guessing(method: String, password: String?) async throws {
        let text = method == "md5" ? Self.md5 : Self.scram
        let executor = ScriptedExecutor(passwords: password.map { ["u": text($0)] } ?? [:])
        let service = executor.service()
        for _ in 0..<10 { _ = try await Self.logIn("wrong", method: method, service, unknown: .md5) }
        #expect(executor.asked.count == 1)
        for _ in 0..<5 {
            executor.pass(seconds: 1)
            for _ in 0..<3 { _ = try await Self.logIn("wrong", method: method, service, unknown: .md5) }
        }
        #expect(executor.asked.count == 6)
        #expect(service.counters.rateLimited > 0)
    }

    /// A role made a moment ago gets in although its name is remembered as unknown.
    @Test(arguments: ["md5", "password", "scram-sha-256", "trust"])
    func aNewRole(method: String) async throws {
        let executor = ScriptedExecutor(passwords: [:])
        let service = executor.service()
        #expect(try await Self.logIn("right", method: method, service, unknown: .md5) == "user_unknown")
        executor.set("u", method == "md5" ? Self.md5("right") : Self.scram("right"))
        #expect(try await Self.logIn("right", method: method, service, unknown: .md5) == "user_unknown")
        executor.pass(seconds: 1)
        #expect(try await Self.logIn("right", method: method, service, unknown: .md5) == Self.fetched)
    }

    /// The password's kind changed: the exchange of the next login fits again.
    @Test func md5BecomesSCRAM() async throws {
        let executor = ScriptedExecutor(passwords: ["u": Self.md5("right")])
        let service = executor.service()
        #expect(try await Self.logIn("right", method: "md5", service) == Self.fetched)
        executor.pass(seconds: 2)
        executor.set("u", Self.scram("other"))
        #expect(try await Self.logIn("other", method: "md5", service) == "secret_unusable")
        #expect(try await Self.logIn("other", method: "md5", service) == Self.cached)
    }

    @Test(arguments: ["md5", "password", "scram-sha-256"])
    func aServerThatIsDownDoesNotMakeAWrongPasswordRight(method: String) async throws {
        let text = method == "md5" ? Self.md5 : Self.scram
        let executor = ScriptedExecutor(passwords: ["u": text("right")])
        let service = executor.service()
        #expect(try await Self.logIn("right", method: method, service) == Self.fetched)
        executor.setDown(true)
        executor.pass(seconds: 5)
        #expect(try await Self.logIn("wrong", method: method, service) == "password_wrong")
        executor.pass(seconds: 5)
        #expect(try await Self.logIn("right", method: method, service) == Self.cached)
    }

    /// Questions, texts and queries are the same for a wrong password and an unknown user.
    @Test(arguments: ["md5", "password", "scram-sha-256"])
    func wrongPasswordAndUnknownUserLookAlike(method: String) async throws {
        var seen: [[String]] = []
        for password in ["right", nil] {
            let text = method == "md5" ? Self.md5 : Self.scram
            let executor = ScriptedExecutor(passwords: password.map { ["u": text($0)] } ?? [:])
            let service = executor.service()
            let services = try TestSetting.services(service, unknownUserExchange: .md5)
            var shapes: [String] = []
            for _ in 0..<4 {
                let client = ScriptedClient(user: "u", .password("wrong"))
                _ = try await AuthProvidersTests.logIn("u", method: method, client: client, services: services)
                shapes += client.shapes
                executor.pass(seconds: 0.6)
                shapes.append("asked \(executor.asked.count)")
            }
            seen.append(shapes)
        }
        #expect(seen[0] == seen[1])
    }

    /// A user of the settings is checked against the settings alone.
    @Test(arguments: ["md5", "password", "scram-sha-256", "trust"])
    func listedUsersAreNotAskedFor(method: String) async throws {
        let executor = ScriptedExecutor(passwords: ["md5": TestSetting.md5Text("other"), "scram": Self.scram("other")])
        let services = try TestSetting.services(SecretSourceChain([TestSetting.secrets(), executor.service()]))
        for user in ["md5", "scram"] {
            for password in ["other", "wrong", TestSetting.password] {
                let outcome = try await AuthProvidersTests.logIn(
                    user, method: method, .password(password), services: services)
                if let identity = outcome.identity { #expect(identity.secretOrigin?.name == "settings") }
            }
        }
        #expect(executor.asked.isEmpty)
    }

    /// An exchange that waits takes nothing but the answer it waits for.
    @Test func answersOutOfOrder() throws {
        let service = ScriptedExecutor(passwords: ["u": Self.md5("right")]).service()
        let services = try TestSetting.services(service)
        let subject = PasswordSubject(nil, attempt: try TestSetting.attempt("u", method: "md5"))
        var exchange = MD5Exchange(subject: subject, services: services)
        _ = try exchange.start()
        #expect(throws: AuthFailure.self) { _ = try exchange.receive(.secret(nil)) }
        guard case .wait = try exchange.receive(.password(SecretBytes("md5"))) else { return #expect(Bool(false)) }
        #expect(throws: AuthFailure.self) { _ = try exchange.receive(.password(SecretBytes("md5"))) }
        #expect(throws: AuthFailure.self) { _ = try exchange.receive(.secret(nil)) }
    }
}
