import AuthProviders
import PGWire
import Pooling
import Sessions
import Settings

/// Which pool: the database as clients name it, and the user whose identity its servers have.
struct PoolKey: Hashable, Sendable, CustomStringConvertible {
    /// Who works in a pool. Two pools of the same name may stand side by side, for a user of the settings may have the
    /// name of the `server_user` of an auth_query.
    enum Kind: UInt8, Sendable {
        /// The user whose name it bears.
        case own
        /// All users whom the auth_query of the database finds (`server_user`).
        case dedicated
        /// The users of an entry of `server_users` who work under one name.
        case shared
        /// A user of an entry of `server_users` who keeps the name.
        case kept

        /// By `server_users`.
        var isMapped: Bool { self == .shared || self == .kept }
    }

    let database: String
    let user: String
    var kind = Kind.own
    /// The index of the entry of `server_users`, where its users keep their names: each entry has settings of its own,
    /// and one user may come by several. 0 elsewhere.
    var entry = 0

    static func == (left: PoolKey, right: PoolKey) -> Bool {
        left.kind == right.kind && left.entry == right.entry && left.user.hasSameBytes(as: right.user)
            && left.database.hasSameBytes(as: right.database)
    }

    func hash(into hasher: inout Hasher) {
        ExactName(self.database).hash(into: &hasher)
        ExactName(self.user).hash(into: &hasher)
        hasher.combine(self.kind)
        hasher.combine(self.entry)
    }

    /// `user@database`, as logs and the console show it.
    var description: String { "\(self.user)@\(self.database)" }
}

/// What the settings say about one pool, resolved. Immutable; a reload makes new plans and compares.
struct PoolPlan: Sendable, Equatable {
    /// Where a pool comes from, and so how long it stays.
    enum Origin: Sendable, Equatable {
        /// Stands in the settings: a user, or the `server_user` of an auth_query.
        case settings
        /// Made at the login of a user whom auth_query found, with the startup parameters of the user's row.
        case dynamic(row: [String: String])

        /// Byte by byte, as PostgreSQL compares.
        static func == (left: Origin, right: Origin) -> Bool {
            switch (left, right) {
            case (.settings, .settings): true
            case (.dynamic(let own), .dynamic(let other)):
                own.count == other.count
                    && own.allSatisfy { name, value in other[name]?.hasSameBytes(as: value) == true }
            case (.settings, _), (.dynamic, _): false
            }
        }
    }

    /// Which entry of which `server_users` a pool is of.
    struct Mapping: Sendable, Equatable {
        let rules: ServerUserMap.Rules
        let entry: Int
    }

    var key: PoolKey
    var origin: Origin
    /// nil for a pool that `server_users` have nothing to do with.
    var mapping: Mapping?
    var mode: PoolMode
    var serverHost: String
    var serverPort: UInt16
    var serverDatabase: String
    /// Nil is clear text.
    var tls: ServerTLS?
    /// The role that logs in at the server.
    var serverUser: String
    /// Whether the client's own proof opens the server (no `server_password`, same user name).
    var isPassthrough: Bool
    /// `server_password`, or the stored md5 hash; nil while only a client's SCRAM proof can tell.
    var password: SecretBytes?
    /// Makes the password of each server login (`server_password: jwt-priv-key-fpath:...`).
    var mint: TokenMint?
    var md5Hash: SecretBytes?
    /// The user's secret as it stands in the settings: a changed one makes a new pool.
    var storedSecret: SecretBytes?
    /// What servers start with: the operator's own, or the pool's.
    var applicationName: String
    /// The operator's parameters for servers.
    var startupParameters: [StartupParameter]
    var cleansSessions: Bool
    var syncsParameters: Bool
    var allowsNamedStatements: Bool
    var sharesUnnamedStatements: Bool
    var statementsMax: Int
    var serverStatementsMax: Int
    var clientUnnamedStatementsMax: Int
    var connectTimeout: Microseconds
    var limits: PoolLimits

    /// What opens the first server, before any client has logged in.
    var credential: ServerCredential {
        if let mint { return mint.credential }
        if let password { return .cleartext(password) }
        if let md5Hash { return .md5Hash(md5Hash) }
        return .none
    }

    /// What a server's startup packet holds beside user and database.
    var serverParameters: [(name: String, value: String)] {
        let others = self.startupParameters.filter { $0.key != Self.applicationNameKey }.map { ($0.name, $0.value) }
        return [(Self.applicationNameKey, self.applicationName)] + others
    }

    static let applicationNameKey = "application_name"

    var isDynamic: Bool {
        if case .dynamic = self.origin { return true }
        return false
    }

    /// What is left of a client's own parameters: those that the operator has not settled, and that do not outlast the
    /// client's turn. (Where servers go back, it is the next client's request that would meet the end of a server that
    /// one client does not want to be idle for long.)
    func parameters(of requested: SessionParameters) -> SessionParameters {
        let mayStay = self.mode == .session || !requested.limitsIdleSessions
        let own = mayStay ? requested : requested.removing([SessionParameters.idleSessionLimit])
        if self.startupParameters.isEmpty { return own }
        return own.removing(Set(self.startupParameters.map(\.key)))
    }

    /// Whether the operator sets this parameter: a client's own value lasts as long as its transaction.
    func manages(_ name: String) -> Bool {
        if self.startupParameters.isEmpty { return false }
        let key = name.lowercased()
        return self.startupParameters.contains { $0.key == key }
    }

    /// Equal but for the limits: such a pool is kept over a reload and only told its new limits.
    func isSameServer(as other: PoolPlan) -> Bool {
        var adjusted = other
        adjusted.limits = self.limits
        return self == adjusted
    }
}
