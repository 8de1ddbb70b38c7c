import AuthProviders
import PGWire
import Settings

/// Users whose proof is another than their rule's: a rule that asks for a password asks such a user for a token, or has
/// the password checked by PAM.
final class UserProviders: Sendable {
    /// The proof of one user, and under rules of which methods it is asked for.
    private struct Proof: Sendable {
        let provider: any AuthProvider
        let methods: Set<String>
    }

    private let users: [PoolKey: Proof]
    /// For the user `talos`, where the settings have keys in a table `talos`.
    private let talos: (any AuthProvider)?
    /// There are no such users.
    let isEmpty: Bool

    /// Rules of these methods ask for a password; what they ask of a user is the user's own affair.
    private static let passwordMethods: Set<String> = ["md5", "scram-sha-256", "password"]
    /// Whoever has a key file brings a token under `trust`, too: pg_doorman, whose files have such users, asks for it.
    private static let tokenMethods = UserProviders.passwordMethods.union(["trust"])
    /// A rule `talos` has a provider of its own, with the rule's options.
    private static let talosMethods: Set<String> = ["md5", "scram-sha-256"]
    static let talosUser = "talos"

    init(
        settings: GatewaySettings,
        registry: AuthProviderRegistry,
        services: AuthServices,
        _ problems: inout SnapshotProblems
    ) {
        var users: [PoolKey: Proof] = [:]
        var talos: (any AuthProvider)?
        for pool in settings.pools {
            for user in pool.users {
                let key = PoolKey(database: pool.name, user: user.username)
                let path = "pools.\(pool.name).users.\(user.username)"
                do throws(SnapshotError) {
                    if let service = user.authPamService {
                        let options = [("pamservice", service)]
                        let place = path + ".auth_pam_service"
                        let provider = try Self.provider("pam", options, place, registry, services)
                        users[key] = Proof(provider: provider, methods: Self.passwordMethods)
                    } else if let file = user.tokenKeyFile {
                        let place = path + ".password"
                        let provider = try Self.provider("jwt", [("keys", file)], place, registry, services)
                        users[key] = Proof(provider: provider, methods: Self.tokenMethods)
                    }
                } catch {
                    problems.add(error)
                }
            }
        }
        let hasTalos = services.talos != nil
        do throws(SnapshotError) {
            if hasTalos { talos = try Self.provider("talos", [], "talos", registry, services) }
        } catch {
            problems.add(error)
        }
        self.talos = talos
        self.users = users
        self.isEmpty = users.isEmpty && !hasTalos
    }

    /// All of them.
    var all: [any AuthProvider] { self.users.values.map(\.provider) + [self.talos].compactMap { $0 } }

    /// Who proves this user under a rule of this method; nil when the rule's own provider does.
    func provider(method: String, user: String, database: String) -> (any AuthProvider)? {
        if let talos, user.hasSameBytes(as: Self.talosUser), Self.talosMethods.contains(method) { return talos }
        guard !self.users.isEmpty, Self.tokenMethods.contains(method),
            let proof = self.users[PoolKey(database: database, user: user)], proof.methods.contains(method)
        else { return nil }
        return proof.provider
    }

    private static func provider(
        _ method: String,
        _ entries: [(name: String, value: String)],
        _ path: String,
        _ registry: AuthProviderRegistry,
        _ services: AuthServices
    ) throws(SnapshotError) -> any AuthProvider {
        do throws(AuthConfigurationError) {
            let options = try MethodOptions(method: method, entries: entries)
            return try registry.makeProvider(options: options, services: services)
        } catch {
            throw SnapshotError(at: path, error.description)
        }
    }
}

extension Snapshot {
    /// The settings table `talos`; nil without one, and with one that lists no keys: files of pg_doorman have such.
    static func talosRealm(_ settings: GatewaySettings, _ problems: inout SnapshotProblems) -> TalosRealm? {
        guard let talos = settings.talos, !talos.keys.isEmpty else { return nil }
        do throws(AuthConfigurationError) {
            return try TalosRealm(keyFiles: talos.keys, databases: talos.databases)
        } catch {
            problems.add(SnapshotError([.init(key: "talos.keys", text: error.description)]))
            return nil
        }
    }

    /// The plan of a user of the settings.
    static func plan(
        pool: PoolSettings,
        user: UserSettings,
        general: GeneralSettings,
        tls: ServerTLS?
    ) throws(SnapshotError) -> PoolPlan {
        var plan = PoolPlan(pool: pool, user: user, general: general, tls: tls)
        // A text that stands for a file or for nothing is no secret that a server keeps: nothing of the client's could
        // be its proof.
        if !Self.isStoredSecret(user) {
            plan.storedSecret = nil
            plan.md5Hash = nil
        }
        guard let file = user.serverTokenKeyFile else { return plan }
        do throws(AuthConfigurationError) {
            plan.mint = try TokenMint(keyFile: file, user: plan.serverUser)
        } catch {
            let path = "pools.\(pool.name).users.\(user.username).server_password"
            throw SnapshotError(at: path, error.description)
        }
        plan.password = nil
        return plan
    }
}

extension AuthLanes.Limits {
    init(_ general: GeneralSettings) {
        self.init(
            threads: general.authLaneThreads,
            queueMax: general.authLaneQueue,
            timeout: general.authLaneTimeout
        )
    }
}
