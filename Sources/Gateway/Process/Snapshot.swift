import AuthProviders
import Foundation
import HBA
import PGWire
import Pooling
import Reactor
import Sessions
import Settings
import Telemetry

/// Everything the settings decide, checked and resolved: the policy with its providers, the plans of the static
/// pools, and the few numbers that are asked for often. Immutable; a reload makes a new one and swaps it in whole.
final class Snapshot: Sendable {
    /// A rule with the provider that its method named, made when the settings were loaded.
    final class DecidedRule: Sendable {
        let rule: HBARule
        let attemptRule: LoginAttempt.Rule
        let auditRule: AuditRule
        let provider: any AuthProvider
        /// What the client's certificate has to be before the provider is asked; nil for nothing.
        let certificate: CertificateDemand?
        let use: RuleUse

        init(
            rule: HBARule,
            attemptRule: LoginAttempt.Rule,
            provider: any AuthProvider,
            certificate: CertificateDemand?,
            use: RuleUse
        ) {
            self.rule = rule
            self.attemptRule = attemptRule
            self.auditRule = AuditRule(file: rule.file, line: rule.line, method: rule.method)
            self.provider = provider
            self.certificate = certificate
            self.use = use
        }
    }

    /// What the policy says about a client.
    enum Decision {
        case decided(DecidedRule)
        /// No rule matches.
        case noMatch
        /// The question can be decided once this is known.
        case needs(HBANeed)
        /// A rule that matches so far depends on something that cannot be known now.
        case undecidable(HBARule, reason: String)
    }

    let settings: GatewaySettings
    /// Larger than that of every snapshot before; 1 is the first.
    let generation: UInt64
    let policy: HBAPolicy
    let maps: IdentMaps
    /// In the order of the policy's rules.
    let deciding: [DecidedRule]
    /// A rule speaks of the gateway's own addresses.
    let needsInterfaces: Bool
    /// What the administrator should know; logged once per load.
    let warnings: [String]
    /// Users who prove themselves by another method than their rule's.
    let userProviders: UserProviders
    let plans: [PoolKey: PoolPlan]
    /// The databases with users who do not stand in the settings.
    let authQueryPools: [ExactName: PoolSettings]
    /// Nil when clients are not offered TLS.
    let clientTLS: ClientTLS?
    /// By database.
    let serverTLS: [ExactName: ServerTLS]
    /// As whom users that are not listed work, by database.
    let serverUsers: [ExactName: ServerUserMap]
    /// For server connections; accepted sockets inherit theirs from the listening ones.
    let socketOptions: SocketOptions

    let checkQuery: CheckQuery
    let loginTimeout: MonotonicMicroseconds
    let cancelWaitTimeout: MonotonicMicroseconds
    let serverFinishTimeout: MonotonicMicroseconds
    let maxConnections: Int
    /// 0: failed proofs are answered at once.
    let authFailureDelay: MonotonicMicroseconds
    let logsConnections: Bool
    let logsDisconnections: Bool

    /// - Parameters:
    ///   - registry: the providers whose methods rules may name.
    ///   - lookups: what the policy has to know beyond a question; finds the users that are not listed, too.
    ///   - previous: the one that this follows, whose counts go on where a rule stays the same.
    /// - Throws: `SnapshotError` when the rules cannot be understood or a method's options are wrong: nothing of the
    ///   new settings applies then.
    init(
        settings: GatewaySettings,
        registry: AuthProviderRegistry,
        lookups: PolicyLookups,
        previous: Snapshot?
    ) throws(SnapshotError) {
        self.settings = settings
        self.generation = (previous?.generation ?? 0) &+ 1
        var problems = SnapshotProblems()
        let policy = Self.policy(
            settings.general, methods: Set(registry.hbaMethods), mapMethods: Set(registry.mapMethods), &problems)
        self.policy = policy
        let maps = Self.maps(settings.general, &problems)
        self.maps = maps
        self.clientTLS = Self.clientTLS(settings.general, previous: previous, &problems)
        let serverTLS = Self.serverTLS(settings, &problems)
        self.serverTLS = serverTLS
        self.needsInterfaces = policy.rules.contains { $0.address == .sameHost || $0.address == .sameNet }
        let secrets = Self.secrets(settings, &problems)
        var services = AuthServices(
            secrets: SecretSourceChain([secrets.source, lookups.authQueries]),
            localUsers: MappedUsers(maps: maps, lookups: lookups),
            mock: MockAuthentication(key: Self.mockKey, iterations: secrets.usual.iterations),
            unknownUserExchange: secrets.usual.exchange,
            unknownTrustedUser: .refused,
            lanes: lookups.authLanes,
            randomBytes: { RandomPool.shared.take($0) }
        )
        services.talos = Self.talosRealm(settings, &problems)
        self.userProviders = UserProviders(settings: settings, registry: registry, services: services, &problems)
        let makers = RuleMakers(settings: settings, registry: registry, services: services)
        let deciding = Self.deciding(policy.rules, makers, PastRuleUses(of: previous), &problems)
        self.deciding = deciding
        let pools = SnapshotPools(
            settings, tls: serverTLS, providers: Set(registry.registered.map { $0.name }), &problems)
        self.authQueryPools = pools.authQueryPools
        self.serverUsers = pools.serverUsers
        // Who gets where is asked only of what is whole.
        try problems.check()
        let reach = ServerReach(settings: settings, plans: pools.plans, serverUsers: pools.serverUsers)
        self.warnings =
            settings.warnings + Self.warnings(policy, maps) + Self.roleWarnings(policy, settings)
            + Self.encryptionWarnings(policy, settings.general.clientTLS)
            + Self.warnings(self.clientTLS, serverTLS) + (try reach.findings(deciding))
        self.plans = pools.plans
        self.socketOptions = SocketOptions(settings.general)
        self.checkQuery = CheckQuery(settings.general.poolerCheckQuery)
        self.loginTimeout = settings.general.clientLoginTimeout.microseconds
        self.cancelWaitTimeout = settings.general.cancelWaitTimeout.microseconds
        self.serverFinishTimeout = settings.general.serverFinishTimeout.microseconds
        self.maxConnections = settings.general.maxConnections
        self.authFailureDelay = settings.general.authFailureDelay.microseconds
        self.logsConnections = settings.general.logClientConnections
        self.logsDisconnections = settings.general.logClientDisconnections
    }

    /// One for the life of the process: the salts shown to unknown users must not change with a reload.
    private static let mockKey = SecretBytes(RandomBytes.make(count: 32))

    func isConsole(_ database: String) -> Bool { ConsoleReference.databases.contains(database) }

    /// The first rule that matches decides.
    func decide(_ question: HBAQuestion, facts: HBAFacts) -> Decision {
        switch self.policy.find(question, facts: facts) {
        case .rule(let offset):
            return offset < self.deciding.count ? .decided(self.deciding[offset]) : .noMatch
        case .noMatch: return .noMatch
        case .needs(let need): return .needs(need)
        case .undecidable(let offset, _, let reason):
            return offset < self.deciding.count
                ? .undecidable(self.deciding[offset].rule, reason: reason) : .noMatch
        }
    }

    // MARK: Parts

    /// What rules that stand in the settings have for a file.
    static let rulesKey = "general.pg_hba"

    private static func policy(
        _ general: GeneralSettings,
        methods: Set<String>,
        mapMethods: Set<String>,
        _ problems: inout SnapshotProblems
    ) -> HBAPolicy {
        do throws(HBAErrors) {
            let reader = PolicyFiles.reader
            switch general.pgHba {
            case .content(let text):
                return try HBAPolicy.parse(
                    text: text, file: Self.rulesKey, methods: methods, mapMethods: mapMethods, reader: reader)
            case .path(let path):
                return try HBAPolicy.load(path: path, methods: methods, mapMethods: mapMethods, reader: reader)
            case .unset:
                return general.hba.isEmpty ? .permissive : try HBAPolicy.legacyAllowList(cidrs: general.hba)
            }
        } catch {
            problems.add(SnapshotError(error, key: general.pgHba == .unset ? "general.hba" : Self.rulesKey))
            return .refusing
        }
    }

    private static func maps(_ general: GeneralSettings, _ problems: inout SnapshotProblems) -> IdentMaps {
        let key = "general.pg_ident"
        do throws(HBAErrors) {
            switch general.pgIdent {
            case .content(let text): return try IdentMaps.parse(text: text, file: key, reader: PolicyFiles.reader)
            case .path(let path): return try IdentMaps.load(path: path, reader: PolicyFiles.reader)
            case .unset: return .empty
            }
        } catch {
            problems.add(SnapshotError(error, key: key))
            return .empty
        }
    }

    private static func warnings(_ policy: HBAPolicy, _ maps: IdentMaps) -> [String] {
        Self.nameWarnings(policy) + Self.mapWarnings(policy, maps)
    }

    /// A map that does not exist lets nobody in, which may be meant.
    private static func mapWarnings(_ policy: HBAPolicy, _ maps: IdentMaps) -> [String] {
        policy.rules.compactMap { rule in
            guard let map = rule.option("map"), !maps.contains(map: map) else { return nil }
            return "\(rule.file):\(rule.line): there is no map \"\(map)\" in general.pg_ident: the rule lets nobody in"
        }
    }

    /// Who is a member of what is asked of auth_query's connections.
    private static func roleWarnings(_ policy: HBAPolicy, _ settings: GatewaySettings) -> [String] {
        guard policy.needsRoles else { return [] }
        return settings.pools.filter { $0.authQuery == nil }.map { pool in
            "the policy asks for roles, but pools.\(pool.name) has no auth_query to ask: logins to it that reach such "
                + "a rule are refused"
        }
    }

    /// What providers of rules are made with.
    private struct RuleMakers {
        let settings: GatewaySettings
        let registry: AuthProviderRegistry
        let services: AuthServices

        /// The keys of the table `talos` have a problem of their own: that its rules lack them is not another one.
        func isHopeless(_ rule: HBARule) -> Bool {
            rule.method == "talos" && self.settings.talos?.keys.isEmpty == false && self.services.talos == nil
        }
    }

    private static func deciding(
        _ rules: [HBARule],
        _ makers: RuleMakers,
        _ past: PastRuleUses,
        _ problems: inout SnapshotProblems
    ) -> [DecidedRule] {
        var past = past
        var deciding: [DecidedRule] = []
        for rule in rules where !makers.isHopeless(rule) {
            do throws(SnapshotError) {
                try Self.checkCertificates(rule, makers.settings.general.clientTLS)
                deciding.append(try Self.decided(rule, makers, past.take(rule)))
            } catch {
                problems.add(error)
            }
        }
        return deciding
    }

    private static func decided(
        _ rule: HBARule,
        _ makers: RuleMakers,
        _ use: RuleUse
    ) throws(SnapshotError) -> DecidedRule {
        do throws(AuthConfigurationError) {
            let options = try MethodOptions(rule, settingsFile: makers.settings.sourceFiles.first ?? "")
            return DecidedRule(
                rule: rule,
                attemptRule: LoginAttempt.Rule(options: options, file: rule.file, line: rule.line),
                provider: try makers.registry.makeProvider(options: options, services: makers.services),
                certificate: CertificateDemand(
                    method: rule.method, option: { rule.option($0) }, users: makers.services.localUsers),
                use: use
            )
        } catch {
            throw SnapshotError([.init(rule: rule, error.description)])
        }
    }
}
