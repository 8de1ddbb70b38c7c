import AuthProviders
import HBA
import PGWire
import Settings

/// Whether those who log in by a proof from outside (a directory, a token, the operating system) can get into a server
/// afterwards. Asked when settings load, so that what is missing is not found out by the first login.
///
/// What lets nobody in is an error. What only a server that trusts the gateway would let in is a warning, for such
/// servers exist. Of users with another name at the server and no password there the settings have warned already.
struct ServerReach {
    let settings: GatewaySettings
    let plans: [PoolKey: PoolPlan]
    let serverUsers: [ExactName: ServerUserMap]

    struct Findings {
        var errors: [SnapshotError.Problem] = []
        var warnings: [String] = []
    }

    /// - Parameter rules: in the order of the policy.
    /// - Returns: warnings.
    func findings(_ rules: [Snapshot.DecidedRule]) throws(SnapshotError) -> [String] {
        var findings = Findings()
        for (index, decided) in rules.enumerated() {
            guard let proof = decided.provider.externalProof else { continue }
            let provider = type(of: decided.provider).name
            let earlier = rules[..<index].map(\.rule).filter { $0.coversOrigin(of: decided.rule) }
            let subject = Subject(rule: decided.rule, provider: provider, proof: proof, earlier: earlier)
            self.check(subject, &findings)
        }
        self.checkListed(&findings)
        self.checkTalos(&findings)
        guard findings.errors.isEmpty else {
            throw SnapshotError(findings.errors)
        }
        return findings.warnings
    }

    // MARK: Rules

    /// A rule, and what its method proves.
    struct Subject {
        let rule: HBARule
        let provider: String
        let proof: ExternalProof
        /// The rules before it that whoever comes by this one comes by as well.
        let earlier: [HBARule]

        var place: String { "\(self.rule.file):\(self.rule.line)" }

        /// Whether the rule decides about the user, as far as its words and those before it tell.
        func decides(_ user: String, in database: String) -> Bool {
            guard self.rule.admits(database: database, user: user) != false else { return false }
            return !self.earlier.contains { $0.admits(database: database, user: user) == true }
        }

        var names: [String] {
            self.rule.users.compactMap { word in if case .name(let name) = word { name } else { nil } }
        }
    }

    private func check(_ subject: Subject, _ findings: inout Findings) {
        if self.reachesConsole(subject) { return self.checkCredentials(subject, &findings) }
        let databases: [String?] = subject.rule.databases.map { word in
            if case .name(let name) = word { name } else { nil }
        }
        let isKnown = { (name: String) in self.settings.pools.contains { $0.name.hasSameBytes(as: name) } }
        if databases.allSatisfy({ name in name.map { !isKnown($0) } ?? false }) {
            findings.warnings.append("\(subject.place): the rule names no database of the settings: it lets nobody in")
            return
        }
        for name in subject.names { self.check(name, subject, &findings) }
        if subject.names.count < subject.rule.users.count { self.checkOthers(subject, &findings) }
        self.checkCredentials(subject, &findings)
    }

    /// One user whom the rule names.
    private func check(_ user: String, _ subject: Subject, _ findings: inout Findings) {
        let pools = self.settings.pools.filter { subject.decides(user, in: $0.name) }
        guard !pools.isEmpty, !pools.contains(where: { self.leads(user, to: $0, subject) }) else { return }
        let text = "user \"\(user)\" is proven by method \"\(subject.rule.method)\" and has no pool in "
            + Self.list(pools.map(\.name)) + ": " + Self.remedy(subject.proof)
        findings.errors.append(.init(rule: subject.rule, text))
    }

    /// Those whom the rule does not name. Of roles and of whoever is not listed nobody knows who they are: only a rule
    /// of which it is certain that it leads nobody anywhere is wrong.
    private func checkOthers(_ subject: Subject, _ findings: inout Findings) {
        let asksForRoles = subject.rule.users.contains { word in if case .role = word { true } else { false } }
        let pools = self.settings.pools.filter { pool in
            subject.rule.databases.contains { $0.admits(pool.name, user: pool.name) != false }
        }
        let isReachable = pools.contains { pool in
            pool.authQuery != nil || self.hasEntry(for: subject, in: pool)
                || pool.users.contains { subject.decides($0.username, in: pool.name) }
        }
        guard !pools.isEmpty, !isReachable, !asksForRoles else { return }
        let text = "nobody whom method \"\(subject.rule.method)\" proves has a pool in "
            + Self.list(pools.map(\.name)) + ": " + Self.remedy(subject.proof)
        findings.errors.append(.init(rule: subject.rule, text))
    }

    private func reachesConsole(_ subject: Subject) -> Bool {
        let admin = self.settings.general.adminUsername
        return ConsoleReference.databases.contains { subject.rule.admits(database: $0, user: admin) != false }
    }

    private func leads(_ user: String, to pool: PoolSettings, _ subject: Subject) -> Bool {
        if pool.authQuery != nil || pool.users.contains(where: { $0.username.hasSameBytes(as: user) }) { return true }
        guard subject.proof != .nameOfKnownUser, let map = self.serverUsers[ExactName(pool.name)] else { return false }
        return map.entries.contains { $0.admits(user: user, roles: nil, provider: subject.provider) }
    }

    private func hasEntry(for subject: Subject, in pool: PoolSettings) -> Bool {
        subject.proof != .nameOfKnownUser
            && pool.serverUsers.contains { entry in
                entry.authProviders.isEmpty || entry.authProviders.contains { $0.hasSameBytes(as: subject.provider) }
            }
    }

    private static func remedy(_ proof: ExternalProof) -> String {
        let entry = proof == .nameOfKnownUser ? "" : "an entry of server_users, "
        return "it needs an entry of users, \(entry)or auth_query"
    }

    // MARK: Credentials

    /// Those who have a pool, of which nothing opens a server.
    private func checkCredentials(_ subject: Subject, _ findings: inout Findings) {
        for pool in self.settings.pools {
            let locked = pool.users.filter { !$0.isUnprovenAtServer }.map(\.username).filter { user in
                subject.decides(user, in: pool.name)
                    && self.plans[PoolKey(database: pool.name, user: user)]?.opens(by: subject.proof) == false
            }
            if !locked.isEmpty {
                let text = "pools.\(pool.name): " + Self.list(locked)
                findings.warnings.append("\(subject.place): \(text)\(Self.cause(subject.rule.method))")
            }
            guard subject.proof == .nameAlone else { continue }
            let isOpen = subject.rule.databases.contains { $0.admits(pool.name, user: pool.name) != false }
            guard isOpen, subject.names.count < subject.rule.users.count else { continue }
            for (index, entry) in pool.serverUsers.enumerated()
            where entry.serverUsername == nil && entry.serverPassword == nil
                && (entry.authProviders.isEmpty || entry.authProviders.contains(subject.provider))
            {
                let text = "pools.\(pool.name).server_users[\(index)]: its users"
                findings.warnings.append("\(subject.place): \(text)\(Self.cause(subject.rule.method))")
            }
            if let query = pool.authQuery, !query.isDedicated, !pool.serverUsers.contains(where: \.isForEverybody) {
                let text = "pools.\(pool.name).auth_query: users who are not listed"
                findings.warnings.append("\(subject.place): \(text)\(Self.cause(subject.rule.method))")
            }
        }
    }

    private static func cause(_ method: String) -> String {
        ": no server_password, and method \"\(method)\" leaves nothing that a server takes: "
            + "only a server that trusts the gateway lets them in"
    }

    /// Users whose own proof takes the place of their rule's.
    private func checkListed(_ findings: inout Findings) {
        for pool in self.settings.pools {
            for user in pool.users where !user.isUnprovenAtServer {
                let proof: ExternalProof
                let key: String
                if user.authPamService != nil {
                    (proof, key) = (.clearPassword, "auth_pam_service")
                } else if user.tokenKeyFile != nil {
                    (proof, key) = (.nameAlone, "password (jwt-pkey-fpath)")
                } else {
                    continue
                }
                let plan = self.plans[PoolKey(database: pool.name, user: user.username)]
                guard plan?.opens(by: proof) == false else { continue }
                findings.warnings.append(
                    "pools.\(pool.name).users.\(user.username): has no server_password, and \(key) leaves nothing "
                        + "that a server takes: only a server that trusts the gateway lets the user in"
                )
            }
        }
    }

    // MARK: Talos

    /// Tokens name roles, not users: each role is somebody who needs a pool.
    private func checkTalos(_ findings: inout Findings) {
        guard let talos = self.settings.talos, !talos.keys.isEmpty else { return }
        for database in talos.databases {
            guard let pool = self.settings.pools.first(where: { $0.name.hasSameBytes(as: database) }) else {
                findings.warnings.append("talos.databases: there is no pool \"\(database)\"")
                continue
            }
            let map = self.serverUsers[ExactName(database)]
            let missing = TalosRealm.roles.filter { role in
                self.plans[PoolKey(database: database, user: role)] == nil
                    && map?.entries.contains { $0.admits(user: role, roles: [role], provider: "talos") } != true
            }
            if missing.count == TalosRealm.roles.count {
                // No query finds them.
                let text = "none of the roles \(Self.list(missing)) has a pool in pools.\(database): "
                    + "it needs an entry of users or an entry of server_users"
                findings.errors.append(.init(at: "talos.databases", text))
            } else if !missing.isEmpty {
                let text = "talos: tokens whose highest role in \(database) is \(Self.list(missing)) are refused: "
                findings.warnings.append(text + "the role has no pool there")
            }
            let locked = TalosRealm.roles.filter { role in
                self.plans[PoolKey(database: database, user: role)]?.opens(by: .nameAlone) == false
                    && pool.user(role)?.isUnprovenAtServer != true
            }
            guard !locked.isEmpty else { continue }
            findings.warnings.append("pools.\(database): " + Self.list(locked) + Self.cause("talos"))
        }
    }

    /// Names shown of a list.
    private static let namesMax = 5

    private static func list(_ names: [String]) -> String {
        let shown = names.prefix(Self.namesMax).joined(separator: ", ")
        return names.count > Self.namesMax ? "\(shown) and \(names.count - Self.namesMax) more" : shown
    }
}

extension PoolPlan {
    /// Whether there is anything to log in at the server with.
    fileprivate func opens(by proof: ExternalProof) -> Bool {
        if self.mint != nil || self.password != nil || self.md5Hash != nil { return true }
        return self.isPassthrough && proof == .clearPassword
    }
}
