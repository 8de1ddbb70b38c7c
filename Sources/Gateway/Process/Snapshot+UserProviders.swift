import AuthProviders
import HBA
import Settings

/// Users with a provider of their own (`auth_pam_service`).
extension Snapshot {
    /// The methods that ask for a user's password, and leave it to the user how it is proven.
    private static let passwordMethods: Set<String> = ["md5", "password", "scram-sha-256"]

    /// Who proves the user of a login under a rule: the rule's provider, or the user's own.
    func provider(for decided: DecidedRule, user: String, database: String) -> any AuthProvider {
        guard !self.userProviders.isEmpty, Self.passwordMethods.contains(decided.rule.method),
            let own = self.userProviders[PoolKey(database: database, user: user)]
        else { return decided.provider }
        return own
    }

    static func userProviders(
        _ settings: GatewaySettings,
        registry: AuthProviderRegistry,
        services: AuthServices
    ) throws(SnapshotError) -> [PoolKey: any AuthProvider] {
        var providers: [PoolKey: any AuthProvider] = [:]
        for pool in settings.pools {
            for user in pool.users {
                guard let service = user.authPamService else { continue }
                do throws(AuthConfigurationError) {
                    let options = try MethodOptions(method: "pam", entries: [("pamservice", service)])
                    providers[PoolKey(database: pool.name, user: user.username)] =
                        try registry.makeProvider(options: options, services: services)
                } catch {
                    let path = "pools.\(pool.name).users.\(user.username).auth_pam_service"
                    throw SnapshotError(description: "\(path): \(error.description)")
                }
            }
        }
        return providers
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
