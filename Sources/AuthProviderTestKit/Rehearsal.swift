public import AuthProviders

/// A provider as one hba rule makes it, played against scripted clients as the gateway plays it against real ones.
///
/// ```swift
/// let rehearsal = try Rehearsal(OneTimeCodes.self, "otp", options: ["codes": path])
/// let outcome = await rehearsal.logIn("alice", .turns([.cleartext("123456")]))
/// #expect(outcome.identity?.user == "alice")
/// ```
///
/// Immutable; one may play many logins, also at the same time.
public struct Rehearsal: Sendable {
    private let provider: any AuthProvider
    private let rule: LoginAttempt.Rule

    /// Makes the provider, as the gateway does when settings load.
    ///
    /// - Parameters:
    ///   - method: the word in the rule's method column.
    ///   - options: what stands behind it.
    ///   - services: what the gateway lends; without users and maps when left out.
    /// - Throws: what the provider says about its options, and what the gateway says about its method words.
    public init(
        _ provider: any AuthProvider.Type,
        _ method: String,
        options: KeyValuePairs<String, String> = [:],
        services: AuthServices = AuthServices(secrets: StaticSecrets([:]))
    ) throws(AuthConfigurationError) {
        var registry = AuthProviderRegistry()
        try registry.register(provider)
        try self.init(registry, method, options: options, services: services)
    }

    /// The same with one provider out of several.
    public init(
        _ registry: AuthProviderRegistry,
        _ method: String,
        options: KeyValuePairs<String, String> = [:],
        services: AuthServices = AuthServices(secrets: StaticSecrets([:]))
    ) throws(AuthConfigurationError) {
        let options = try MethodOptions(method: method, entries: options.map { (name: $0.key, value: $0.value) })
        self.rule = LoginAttempt.Rule(options: options, file: "pg_hba.conf", line: 1)
        self.provider = try registry.makeProvider(options: options, services: services)
    }

    /// One login of a client from 192.0.2.7 without TLS.
    public func logIn(
        _ user: String,
        database: String = "db",
        _ script: ScriptedClient.Script
    ) async -> LoginOutcome {
        await self.logIn(user, database: database, client: ScriptedClient(user: user, script))
    }

    /// The same with a client that the test asks afterwards what it has seen.
    public func logIn(
        _ user: String,
        database: String = "db",
        client: some ClientDialogue
    ) async -> LoginOutcome {
        await self.logIn(self.attempt(user, database: database), client: client)
    }

    /// One login with everything that is known about its client; `attempt` makes one.
    public func logIn(_ attempt: LoginAttempt, client: some ClientDialogue) async -> LoginOutcome {
        do throws(AuthFailure) {
            switch try self.provider.begin(attempt) {
            case .admitted(let identity): return .admitted(identity)
            case .exchange(var exchange): return .admitted(try await exchange.run(over: client))
            case nil: return .admitted(try await self.provider.authenticate(attempt, over: client))
            }
        } catch {
            return .refused(error)
        }
    }

    /// What the gateway knows about a client before it proves anything.
    public func attempt(
        _ user: String,
        database: String = "db",
        peerAddress: String = "192.0.2.7",
        isLocal: Bool = false,
        isTLS: Bool = false,
        peerUserID: UInt32? = nil,
        channelBinding: [UInt8]? = nil,
        certificate: ClientCertificate? = nil
    ) -> LoginAttempt {
        LoginAttempt(
            user: user,
            database: database,
            peerAddress: peerAddress,
            isLocal: isLocal,
            isTLS: isTLS,
            peerUserID: peerUserID,
            channelBinding: channelBinding,
            certificate: certificate,
            rule: self.rule
        )
    }
}

/// How a login ended.
public enum LoginOutcome: Sendable {
    case admitted(AuthenticatedIdentity)
    case refused(AuthFailure)

    /// Who was admitted; nil when the login was refused.
    public var identity: AuthenticatedIdentity? {
        if case .admitted(let identity) = self { identity } else { nil }
    }

    /// Why the login was refused; nil when it was admitted.
    public var failure: AuthFailure? {
        if case .refused(let failure) = self { failure } else { nil }
    }
}
