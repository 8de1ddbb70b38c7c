import AuthProviderTestKit
import AuthProviders
import Sessions
import Testing

/// Which rule admits which secret, and what the identity carries afterwards.
@Suite struct PasswordLoginTests {
    /// The kind of a credential, for tables.
    private func kind(_ outcome: LoginOutcome) -> String {
        switch outcome {
        case .refused(let failure): return "refused: \(failure.reason.rawValue)"
        case .admitted(let identity):
            switch identity.credential {
            case .none: return "none"
            case .cleartext: return "cleartext"
            case .md5Hash: return "md5"
            case .scramKeys: return "scram"
            case .made: return "made"
            }
        }
    }

    @Test(arguments: [
        ("trust", "scram", "none"), ("trust", "md5", "md5"), ("trust", "empty", "none"),
        ("trust", "nobody", "refused: user_unknown"),
        ("reject", "scram", "refused: rule_rejects"), ("reject", "nobody", "refused: rule_rejects"),
        ("scram-sha-256", "scram", "scram"), ("scram-sha-256", "md5", "refused: secret_unusable"),
        ("scram-sha-256", "empty", "refused: secret_empty"), ("scram-sha-256", "nobody", "refused: user_unknown"),
        ("md5", "scram", "scram"), ("md5", "md5", "md5"), ("md5", "empty", "refused: secret_empty"),
        ("md5", "nobody", "refused: user_unknown"),
        ("password", "scram", "cleartext"), ("password", "md5", "cleartext"),
        ("password", "empty", "refused: secret_empty"), ("password", "nobody", "refused: user_unknown"),
    ])
    func rightPassword(method: String, user: String, expected: String) async throws {
        let outcome = try await logIn(user, method: method, .password(TestSetting.password))
        #expect(self.kind(outcome) == expected)
        if let identity = outcome.identity {
            #expect(identity.user == user)
            #expect(identity.method == method)
            #expect(identity.provider == "password")
            #expect(identity.secretOrigin?.name == "settings")
        }
    }

    @Test(arguments: [
        ("scram-sha-256", "scram"), ("md5", "scram"), ("md5", "md5"), ("password", "scram"), ("password", "md5"),
    ])
    func wrongPassword(method: String, user: String) async throws {
        for wrong in ["Secret", "secret ", "", "secre", TestSetting.scramText, TestSetting.md5Text(user)] {
            let failure = try await logIn(user, method: method, .password(wrong)).failure
            #expect(failure?.reason == .passwordWrong)
            #expect(failure?.clientText == "password authentication failed for user \"\(user)\"")
            #expect(failure?.sqlStateText == "28P01")
        }
    }

    @Test func usersBelongToTheirDatabase() async throws {
        let attempt = try TestSetting.attempt("scram", method: "trust", database: "other")
        let provider = try AuthProviderRegistry.standard()
            .makeProvider(options: attempt.rule.options, services: TestSetting.services())
        let client = ScriptedClient(user: "scram", .leaves)
        await #expect(throws: AuthFailure.self) { try await provider.authenticate(attempt, over: client) }
    }

    @Test func carriedCredentialsLogInElsewhere() async throws {
        let scram = try await logIn("scram", method: "scram-sha-256", .password(TestSetting.password)).identity
        guard case .scramKeys(let keys) = scram?.credential else {
            Issue.record("no keys")
            return
        }
        var server = SCRAMServer(verifier: TestSetting.verifier, isMock: false)
        var client = SCRAMClient(secret: .keys(keys))
        let answer = try client.receiveFirst(try server.receiveFirst(client.start()))
        try client.receiveFinal(try server.receiveFinal(answer).serverFinal)

        for method in ["md5", "trust"] {
            let md5 = try await logIn("md5", method: method, .password(TestSetting.password)).identity
            guard case .md5Hash(let hash) = md5?.credential else {
                Issue.record("no hash")
                return
            }
            #expect(hash == MD5Password.hash(password: SecretBytes(TestSetting.password), user: "md5"))
        }

        let clear = try await logIn("md5", method: "password", .password(TestSetting.password)).identity
        guard case .cleartext(let password) = clear?.credential else {
            Issue.record("no password")
            return
        }
        #expect(password == SecretBytes(TestSetting.password))
    }

    @Test func trustAsksNothingAndRejectNeither() async throws {
        for method in ["trust", "reject"] {
            let client = ScriptedClient(user: "scram", .leaves)
            _ = try await logIn("scram", method: method, client: client)
            #expect(client.requests.isEmpty)
        }
    }

    @Test func unknownUsersUnderTrustAreTheCallersDecision() async throws {
        let refused = try await logIn("nobody", method: "trust", .leaves).failure
        #expect(refused?.clientText == "password authentication failed for user \"nobody\"")
        #expect(refused?.sqlStateText == "28P01")
        let services = try TestSetting.services(unknownTrustedUser: .admitted)
        let admitted = try await logIn("nobody", method: "trust", .leaves, services: services).identity
        #expect(admitted?.user == "nobody")
        #expect(admitted?.secretOrigin?.name == nil)
    }

    @Test func rejectedConnectionIsNamed() async throws {
        let failure = try await logIn("scram", method: "reject", .leaves).failure
        #expect(failure?.sqlStateText == "28000")
        #expect(
            failure?.clientText
                == "connection from 192.0.2.7 to scram@db (TLS: false) is not permitted by HBA configuration"
        )
    }
}
