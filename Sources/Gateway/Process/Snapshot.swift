import AuthProviders
import Foundation
import HBA
import Pooling
import Reactor
import Sessions
import Settings

/// Everything the settings decide, checked and resolved: the policy with its providers, the plans of the static
/// pools, and the few numbers that are asked for often. Immutable; a reload makes a new one and swaps it in whole.
final class Snapshot: Sendable {
    /// A rule with the provider that its method named, made when the settings were loaded.
    final class DecidedRule: Sendable {
        let rule: HBARule
        let attemptRule: LoginAttempt.Rule
        let provider: any AuthProvider

        init(rule: HBARule, attemptRule: LoginAttempt.Rule, provider: any AuthProvider) {
            self.rule = rule
            self.attemptRule = attemptRule
            self.provider = provider
        }
    }

    let settings: GatewaySettings
    let policy: HBAPolicy
    /// In the order of the policy's rules.
    private let deciding: [DecidedRule]
    let plans: [PoolKey: PoolPlan]
    /// For server connections; accepted sockets inherit theirs from the listening ones.
    let socketOptions: SocketOptions

    let checkQuery: CheckQuery
    let loginTimeout: MonotonicMicroseconds
    let maxConnections: Int
    let logsConnections: Bool
    let logsDisconnections: Bool

    /// - Parameter authQueries: finds the users that are not listed.
    /// - Throws: `SnapshotError` when the rules cannot be understood or a method's options are wrong: nothing of the
    ///   new settings applies then.
    init(settings: GatewaySettings, authQueries: AuthQueryRegistry) throws(SnapshotError) {
        let registry: AuthProviderRegistry
        do throws(AuthConfigurationError) {
            registry = try .standard()
        } catch {
            throw SnapshotError(description: error.description)
        }
        self.settings = settings
        self.policy = try Self.policy(settings.general, methods: Set(registry.hbaMethods))
        let secrets = SecretSourceChain([try Self.secrets(settings), authQueries])
        let services = AuthServices(secrets: secrets, mock: Self.mock)
        var deciding: [DecidedRule] = []
        for rule in self.policy.rules {
            deciding.append(try Self.provider(for: rule, registry: registry, services: services))
        }
        self.deciding = deciding
        var plans: [PoolKey: PoolPlan] = [:]
        for pool in settings.pools {
            for user in pool.users {
                let plan = PoolPlan(pool: pool, user: user, general: settings.general)
                plans[plan.key] = plan
            }
        }
        self.plans = plans
        self.socketOptions = SocketOptions(settings.general)
        self.checkQuery = CheckQuery(settings.general.poolerCheckQuery)
        self.loginTimeout = settings.general.clientLoginTimeout.microseconds
        self.maxConnections = settings.general.maxConnections
        self.logsConnections = settings.general.logClientConnections
        self.logsDisconnections = settings.general.logClientDisconnections
    }

    /// One for the life of the process: the salts shown to unknown users must not change with a reload.
    private static let mock = MockAuthentication()

    func isConsole(_ database: String) -> Bool { ConsoleReference.databases.contains(database) }

    /// The first rule that matches; nil when none does.
    func decide(_ question: HBAQuestion) -> DecidedRule? {
        guard let offset = self.policy.decidingOffset(question), offset < self.deciding.count else { return nil }
        return self.deciding[offset]
    }

    // MARK: Parts

    private static func policy(_ general: GeneralSettings, methods: Set<String>) throws(SnapshotError) -> HBAPolicy {
        do throws(HBAErrors) {
            switch general.pgHba {
            case .content(let text):
                return try HBAPolicy.parse(text: text, file: "general.pg_hba", methods: methods)
            case .path(let path):
                let text: String
                do throws(SnapshotError) { text = try Self.rules(at: path) } catch {
                    throw HBAErrors(HBAError(file: path, line: 0, column: 0, reason: error.description))
                }
                return try HBAPolicy.parse(text: text, file: path, methods: methods)
            case .unset:
                return general.hba.isEmpty ? .permissive : try HBAPolicy.legacyAllowList(cidrs: general.hba)
            }
        } catch {
            throw SnapshotError(description: error.description)
        }
    }

    private static func rules(at path: String) throws(SnapshotError) -> String {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw SnapshotError(description: "the file cannot be read")
        }
        guard data.count <= HBAPolicy.maximumTextSize, let text = String(validating: data, as: UTF8.self) else {
            throw SnapshotError(description: "not a UTF-8 text of at most 1 MiB")
        }
        return text
    }

    private static func provider(
        for rule: HBARule,
        registry: AuthProviderRegistry,
        services: AuthServices
    ) throws(SnapshotError) -> DecidedRule {
        do throws(AuthConfigurationError) {
            let options = try MethodOptions(
                method: rule.method,
                entries: rule.options.map { (name: $0.name, value: $0.value) }
            )
            return DecidedRule(
                rule: rule,
                attemptRule: LoginAttempt.Rule(options: options, file: rule.file, line: rule.line),
                provider: try registry.makeProvider(options: options, services: services)
            )
        } catch {
            throw SnapshotError(description: "\(rule.file):\(rule.line): \(error.description)")
        }
    }

    private static func secrets(_ settings: GatewaySettings) throws(SnapshotError) -> StaticSecrets {
        var secrets: [String: [String: StoredSecret]] = [:]
        for pool in settings.pools {
            for user in pool.users {
                let path = "pools.\(pool.name).users.\(user.username).password"
                secrets[pool.name, default: [:]][user.username] = try Self.secret(user.password, path: path)
            }
        }
        let general = settings.general
        let console = try Self.consoleSecret(general.adminPassword)
        for database in ConsoleReference.databases {
            secrets[database] = [general.adminUsername: console]
        }
        return StaticSecrets(secrets)
    }

    private static func secret(_ text: SecretText, path: String) throws(SnapshotError) -> StoredSecret {
        do {
            return try StoredSecret(parsing: String(decoding: text.bytes, as: UTF8.self))
        } catch {
            throw SnapshotError(description: "\(path): \(error)")
        }
    }

    /// `admin_password` may be a stored secret like a user's, or the password itself, which becomes one here.
    private static func consoleSecret(_ text: SecretText) throws(SnapshotError) -> StoredSecret {
        if let stored = try? StoredSecret(parsing: String(decoding: text.bytes, as: UTF8.self)) { return stored }
        let verifier = SCRAMVerifier(
            password: SecretBytes(text.bytes),
            salt: RandomBytes.make(count: 16),
            iterations: 4096
        )
        return StoredSecret(kind: .scram(verifier))
    }
}

/// The settings are well-formed but cannot be put in force. One line per problem.
struct SnapshotError: Error, Sendable, CustomStringConvertible {
    let description: String
}

extension Duration {
    /// Whole microseconds, clamped to what 64 bits hold.
    var microseconds: Int64 {
        let (seconds, attoseconds) = self.components
        let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000)
        return overflow ? .max / 4 : product + attoseconds / 1_000_000_000_000
    }

    var wholeSeconds: Int32 { Int32(clamping: self.components.seconds) }
}

extension PoolPlan {
    init(pool: PoolSettings, user: UserSettings, general: GeneralSettings) {
        let stored = String(decoding: user.password.bytes, as: UTF8.self)
        let serverUser = user.serverUsername ?? user.username
        self.key = PoolKey(database: pool.name, user: user.username)
        self.mode = user.poolMode
        self.serverHost = pool.serverHost
        self.serverPort = pool.serverPort
        self.serverDatabase = pool.serverDatabase
        self.serverUser = serverUser
        self.password = user.serverPassword.map { SecretBytes($0.bytes) }
        self.isPassthrough = user.serverPassword == nil && serverUser == user.username
        self.md5Hash = self.isPassthrough && stored.hasPrefix("md5") ? SecretBytes(String(stored.dropFirst(3))) : nil
        self.storedSecret = user.password.bytes.isEmpty ? nil : SecretBytes(user.password.bytes)
        self.startupParameters = user.startupParameters
        self.applicationName =
            user.startupParameters.first { $0.key == PoolPlan.applicationNameKey }?.value ?? pool.applicationName
        self.cleansSessions = pool.cleanupServerConnections
        self.syncsParameters = general.syncServerParameters
        self.allowsNamedStatements = general.preparedStatements
        self.sharesUnnamedStatements = general.preparedStatements && general.shareUnnamedStatements
        self.statementsMax = pool.preparedStatementsCacheSize
        self.serverStatementsMax = pool.serverPreparedStatementsCacheSize
        self.clientUnnamedStatementsMax =
            general.clientAnonymousPreparedCacheSize ?? pool.preparedStatementsCacheSize
        self.connectTimeout = pool.connectTimeout.microseconds
        self.cancelWaitTimeout = general.cancelWaitTimeout.microseconds
        self.limits = PoolLimits(
            poolSize: user.poolSize,
            minPoolSize: user.minPoolSize,
            maxConcurrentCreates: general.maxConcurrentCreates,
            idleTimeout: pool.idleTimeout.microseconds,
            serverLifetime: user.serverLifetime.microseconds,
            serverIdleCheckTimeout: general.serverIdleCheckTimeout.microseconds,
            queryWaitTimeout: general.queryWaitTimeout.microseconds,
            isRoundRobin: general.serverRoundRobin
        )
    }
}
