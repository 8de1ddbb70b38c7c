import AuthProviderTestKit
import AuthProviders
import Sessions
import Testing

/// A provider as a plug-in author writes it.
private struct TokenProvider: AuthProvider {
    static let hbaMethods = ["token", "token2"]
    private let issuer: String

    init(options: MethodOptions, services: AuthServices) throws(AuthConfigurationError) {
        try options.allowOnly("issuer", "strict")
        self.issuer = try options.required("issuer")
        _ = try options.flag("strict")
    }

    func authenticate(
        _ attempt: LoginAttempt,
        over dialogue: some ClientDialogue
    ) async throws(AuthFailure) -> AuthenticatedIdentity {
        let token = try await dialogue.requestCleartextPassword()
        guard token.matches(Array("\(self.issuer):\(attempt.user)".utf8)) else {
            throw .wrongPassword(of: attempt, reason: .other, log: "bad token")
        }
        return AuthenticatedIdentity(
            user: "mapped",
            credential: .none,
            provider: "token",
            method: attempt.rule.method
        )
    }
}

private struct NamelessProvider: AuthProvider {
    static let hbaMethods: [String] = []
    init(options: MethodOptions, services: AuthServices) throws(AuthConfigurationError) {}
    func authenticate(
        _ attempt: LoginAttempt,
        over dialogue: some ClientDialogue
    ) async throws(AuthFailure) -> AuthenticatedIdentity {
        throw .unavailable(log: "")
    }
}

private struct OddlyNamedProvider: AuthProvider {
    static let hbaMethods = ["fine", "not fine"]
    init(options: MethodOptions, services: AuthServices) throws(AuthConfigurationError) {}
    func authenticate(
        _ attempt: LoginAttempt,
        over dialogue: some ClientDialogue
    ) async throws(AuthFailure) -> AuthenticatedIdentity {
        throw .unavailable(log: "")
    }
}

@Suite struct RegistryTests {
    @Test func standardMethods() throws {
        #expect(
            try AuthProviderRegistry.standard().hbaMethods
                == [
                    "trust", "reject", "scram-sha-256", "md5", "password", "peer", "cert", "pam", "ldap", "jwt",
                    "talos",
                ]
        )
    }

    @Test func registeringIsOneLine() async throws {
        var registry = try AuthProviderRegistry.standard()
        try registry.register(TokenProvider.self)
        #expect(registry.hbaMethods.suffix(2) == ["token", "token2"])
        let options = try MethodOptions(method: "token2", entries: [("issuer", "me"), ("strict", "ON")])
        let provider = try registry.makeProvider(options: options, services: TestSetting.services())
        let client = ScriptedClient(user: "u", .password("me:u"))
        let identity = try await provider.authenticate(TestSetting.attempt("u", method: "token2"), over: client)
        #expect(identity.user == "mapped")
        #expect(identity.method == "token2")
    }

    @Test func duplicateMethodIsAnErrorAndChangesNothing() throws {
        var registry = try AuthProviderRegistry.standard()
        try registry.register(TokenProvider.self)
        let before = registry.hbaMethods
        #expect(throws: AuthConfigurationError.duplicateMethod("token")) { try registry.register(TokenProvider.self) }
        #expect(registry.hbaMethods == before)
    }

    @Test func badNamesAreErrors() throws {
        var registry = AuthProviderRegistry()
        #expect(throws: AuthConfigurationError.providerWithoutMethods(provider: "NamelessProvider")) {
            try registry.register(NamelessProvider.self)
        }
        #expect(throws: AuthConfigurationError.invalidMethodName("not fine")) {
            try registry.register(OddlyNamedProvider.self)
        }
        #expect(registry.hbaMethods.isEmpty)
    }

    @Test func unknownMethodIsAnError() throws {
        let options = try MethodOptions(method: "ident")
        #expect(throws: AuthConfigurationError.unknownMethod("ident")) {
            try AuthProviderRegistry.standard().makeProvider(options: options, services: TestSetting.services())
        }
    }

    @Test(arguments: ["trust", "reject", "scram-sha-256", "md5", "password"])
    func passwordMethodsHaveNoOptions(method: String) throws {
        let options = try MethodOptions(method: method, entries: [("map", "x")])
        #expect(throws: AuthConfigurationError.unknownOption(method: method, name: "map")) {
            try AuthProviderRegistry.standard().makeProvider(options: options, services: TestSetting.services())
        }
    }

    @Test func optionErrors() throws {
        #expect(throws: AuthConfigurationError.duplicateOption(method: "m", name: "a")) {
            try MethodOptions(method: "m", entries: [("a", "1"), ("b", "1"), ("a", "2")])
        }
        let options = try MethodOptions(method: "m", entries: [("on", "yes"), ("off", "0"), ("odd", "maybe")])
        #expect(try options.flag("on") == true)
        #expect(try options.flag("off") == false)
        #expect(try options.flag("none") == nil)
        #expect(throws: AuthConfigurationError.invalidOption(method: "m", name: "odd", reason: "not a Boolean value")) {
            try options.flag("odd")
        }
        #expect(throws: AuthConfigurationError.missingOption(method: "m", name: "x")) { try options.required("x") }
        #expect(options.value("on") == "yes")
    }
}
