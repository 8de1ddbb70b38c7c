import AuthProviders
import HBA
import PGWire
import Pooling
import Sessions
import Settings

/// Who somebody is that is proven and not listed: what entries of `server_users` ask about.
struct MappedIdentity: Sendable {
    let user: String
    let roles: [String]
    let provider: String

    init(_ identity: AuthenticatedIdentity) {
        self.user = identity.user
        self.roles = identity.roles
        self.provider = identity.provider
    }
}

/// The `server_users` of one database: as whom users that are not listed work at the server. Immutable.
struct ServerUserMap: Sendable {
    /// What decides who works as whom; pools made by another one are not used any more.
    struct Rules: Sendable, Equatable {
        fileprivate struct Condition: Sendable, Equatable {
            let users: [ExactName]
            let roles: [ExactName]
            let providers: [ExactName]
            let serverUser: ExactName?
        }

        fileprivate let conditions: [Condition]
        /// The users of the settings, whom no entry concerns.
        fileprivate let listed: [ExactName]
    }

    struct Entry: Sendable {
        let index: Int
        let settings: ServerUserSettings
        fileprivate let users: HBAUserNames
        /// Signs with the entry's key; for the name of the one who logs in where the entry has none.
        fileprivate let mint: TokenMint?

        /// Whether the entry speaks of a user whom a provider has admitted.
        /// - Parameter roles: nil when they are not known yet: then the user may have the right one.
        func admits(user: String, roles: [String]?, provider: String) -> Bool {
            let settings = self.settings
            guard settings.authProviders.isEmpty || settings.authProviders.contains(where: provider.hasSameBytes),
                self.users.contain(user)
            else { return false }
            guard let roles, !settings.roles.isEmpty else { return true }
            return settings.roles.contains { role in roles.contains(where: role.hasSameBytes) }
        }
    }

    let entries: [Entry]
    let rules: Rules
    fileprivate let pool: PoolSettings
    fileprivate let tls: ServerTLS?

    /// - Parameter providers: the names of all providers.
    init(_ pool: PoolSettings, tls: ServerTLS?, providers: Set<String>) throws(SnapshotError) {
        var entries: [Entry] = []
        for (index, settings) in pool.serverUsers.enumerated() {
            let path = "pools.\(pool.name).server_users[\(index)]"
            if let stranger = settings.authProviders.first(where: { !providers.contains($0) }) {
                let known = providers.sorted().joined(separator: ", ")
                let text = "there is no provider `\(stranger)`; there are \(known)"
                throw SnapshotError(at: "\(path).auth_providers", text)
            }
            let users: HBAUserNames
            do throws(HBAUserNameError) {
                users = try HBAUserNames(settings.users)
            } catch {
                throw SnapshotError(at: "\(path).users", error.description)
            }
            entries.append(Entry(index: index, settings: settings, users: users, mint: try Self.mint(settings, path)))
        }
        self.entries = entries
        self.pool = pool
        self.tls = tls
        self.rules = Rules(
            conditions: pool.serverUsers.map { entry in
                Rules.Condition(
                    users: entry.users.map { ExactName($0) },
                    roles: entry.roles.map { ExactName($0) },
                    providers: entry.authProviders.map { ExactName($0) },
                    serverUser: entry.serverUsername.map { ExactName($0) }
                )
            },
            listed: pool.users.map { ExactName($0.username) }
        )
    }

    private static func mint(_ settings: ServerUserSettings, _ path: String) throws(SnapshotError) -> TokenMint? {
        guard let file = settings.serverTokenKeyFile else { return nil }
        do throws(AuthConfigurationError) {
            return try TokenMint(keyFile: file, user: settings.serverUsername ?? "")
        } catch {
            throw SnapshotError(at: "\(path).server_password", error.description)
        }
    }

    /// The first entry that speaks of the user.
    func entry(for identity: MappedIdentity) -> Entry? {
        self.entries.first { $0.admits(user: identity.user, roles: identity.roles, provider: identity.provider) }
    }

    /// The pools that several users share.
    func sharedPlans(_ general: GeneralSettings) -> [PoolPlan] {
        self.entries.compactMap { entry in
            entry.settings.serverUsername.map { self.plan(entry, Self.sharedKey(self.pool.name, $0), as: $0, general) }
        }
    }

    static func sharedKey(_ database: String, _ serverUser: String) -> PoolKey {
        PoolKey(database: database, user: serverUser, kind: .shared)
    }

    /// The pool of a user who keeps its name at the server.
    func ownPlan(_ entry: Entry, key: PoolKey, _ general: GeneralSettings) -> PoolPlan {
        var plan = self.plan(entry, key, as: key.user, general)
        plan.origin = .dynamic(row: [:])
        return plan
    }

    private func plan(_ entry: Entry, _ key: PoolKey, as serverUser: String, _ general: GeneralSettings) -> PoolPlan {
        let settings = entry.settings
        let isMinted = entry.mint != nil
        let owner = PoolPlan.Owner(
            key: key,
            mode: settings.poolMode,
            serverUser: serverUser,
            serverPassword: isMinted ? nil : settings.serverPassword.map { SecretBytes($0.bytes) },
            isPassthrough: settings.serverUsername == nil && !isMinted,
            startupParameters: settings.startupParameters,
            poolSize: settings.poolSize,
            minPoolSize: settings.minPoolSize,
            serverLifetime: settings.serverLifetime
        )
        var plan = PoolPlan(pool: self.pool, owner: owner, general: general, tls: self.tls)
        plan.mint = entry.mint?.signing(for: serverUser)
        plan.mapping = PoolPlan.Mapping(rules: self.rules, entry: entry.index)
        return plan
    }
}
