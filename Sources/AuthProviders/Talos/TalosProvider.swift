import Sessions

/// Logins of the user `talos`: the password is a token that names a client and its roles in databases. The highest role
/// in the requested database becomes the user, the client's id the name of the application.
///
/// Reached by the method `talos`, and by `md5` and `scram-sha-256` for the user `talos` where the settings have keys in
/// a table `talos`. pg_doorman collects the roles of all databases in `talos.databases`; here a role counts in its
/// database alone.
struct TalosProvider: AuthProvider {
    static let hbaMethods = ["talos"]
    /// Whoever comes with a token calls itself this.
    static let user = "talos"

    private let realm: TalosRealm
    private let verifier: TokenVerifier
    private let lanes: AuthLanes
    private let life: TokenLife

    var lane: BlockingLane? { self.lanes.lane(of: Self.name) }

    init(options: MethodOptions, services: AuthServices) throws(AuthConfigurationError) {
        try options.allowOnly("leeway", "on_expiry", "expiry_grace")
        guard let realm = services.talos else {
            throw .unusableFile("authentication method \"\(options.method)\" needs keys in the settings table `talos`")
        }
        self.realm = realm
        self.lanes = services.lanes
        var rules = TokenRules()
        rules.leeway = try options.seconds("leeway", atMost: TokenRules.leewayMax) ?? TokenRules.leewayDefault
        self.verifier = TokenVerifier(keys: realm.keys, rules: rules, needsKeyID: true)
        self.life = try TokenLife(options)
    }

    func authenticate(
        _ attempt: LoginAttempt,
        over dialogue: some ClientDialogue
    ) async throws(AuthFailure) -> AuthenticatedIdentity {
        let password = try await dialogue.requestCleartextPassword()
        let verdict = try await self.verifier.verdict(on: password, by: self.lanes, kind: Self.name)
        do throws(TokenRefusal) {
            let token = try verdict.get()
            guard attempt.user.utf8.elementsEqual(Self.user.utf8) else {
                throw TokenRefusal("Talos tokens are for the user `\(Self.user)`")
            }
            guard self.realm.takes(attempt.database) else {
                throw TokenRefusal("the database is not in talos.databases")
            }
            guard let client = token.claims["clientId"]?.string, Self.isName(client) else {
                throw TokenRefusal("the token has no text `clientId` that could name an application")
            }
            let role = try TalosRole.highest(in: token.claims, database: attempt.database)
            return AuthenticatedIdentity(
                user: role.rawValue,
                credential: .none,
                provider: "talos",
                method: attempt.rule.method,
                roles: [role.rawValue],
                applicationName: client,
                end: self.life.end(of: token)
            )
        } catch {
            throw .tokenRefused(attempt, error)
        }
    }

    /// Bytes of a client's id at most: names of applications in PostgreSQL are shorter.
    private static let clientMax = 256

    private static func isName(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.count <= self.clientMax && !text.utf8.contains(0)
    }
}

/// What a Talos client may do in a database. Ordered: `owner` is the highest.
enum TalosRole: String, Sendable, CaseIterable, Comparable {
    case readOnly = "read_only"
    case readWrite = "read_write"
    case owner

    static func < (left: TalosRole, right: TalosRole) -> Bool { left.rank < right.rank }

    private var rank: Int {
        switch self {
        case .readOnly: 0
        case .readWrite: 1
        case .owner: 2
        }
    }

    /// The highest role that `resource_access` gives in a database: entries `<anything>:<database>` with a list
    /// `roles`.
    /// A role that nobody knows is an error, for it may take something away.
    static func highest(in claims: JSONValue, database: String) throws(TokenRefusal) -> TalosRole {
        guard let access = claims["resource_access"]?.members else {
            throw TokenRefusal("the token has no object `resource_access`")
        }
        var highest: TalosRole?
        for entry in access {
            // The database may have colons of its own: what is left of the first one is the resource's kind.
            guard let colon = entry.name.utf8.firstIndex(of: UInt8(ascii: ":")),
                entry.name.utf8[entry.name.utf8.index(after: colon)...].elementsEqual(database.utf8)
            else { continue }
            guard let names = entry.value["roles"]?.array else {
                throw TokenRefusal("the token's `resource_access` has no list `roles` for the database")
            }
            for name in names {
                guard let role = name.string.flatMap({ TalosRole(rawValue: $0) }) else {
                    throw TokenRefusal("the token has a role that is none of owner, read_write, read_only")
                }
                highest = max(highest ?? role, role)
            }
        }
        guard let highest else { throw TokenRefusal("the token has no role in the requested database") }
        return highest
    }
}
