/// Makes the settings from the merged tree. One use per load; collects all problems.
struct SettingsBuilder {
    private let sections: SectionDecoder
    private(set) var diagnostics: Diagnostics
    private var rows: [PlacedRow] = []
    private var serverNames = TLSServerNames.Collector()

    init(references: ReferenceExpansion, diagnostics: Diagnostics) {
        self.sections = SectionDecoder(decoder: ValueDecoder(references: references))
        self.diagnostics = diagnostics
    }

    /// The settings; to be used only when ``diagnostics`` has no problems afterwards.
    mutating func build(_ root: SettingsNode, sourceFiles: [String]) -> GatewaySettings {
        let top = self.sections.decode(root, as: .root, keyPath: "", into: &self.diagnostics)
        let generalNode = top.tables["general"] ?? SettingsNode(content: .table([]), location: root.location)
        var general = SectionValues(section: .general, keyPath: "general", location: root.location)
        if top.isWritten("general") {
            general = self.sections.decode(generalNode, as: .general, keyPath: "general", into: &self.diagnostics)
            SettingsValidation.check(general: general, into: &self.diagnostics)
            StartupParameters.check(general, into: &self.diagnostics)
        }
        self.rows += ConfigRow.rows(of: general, prefix: "general")
        for (name, section) in [("web", SettingsSection.web), ("include", .include)] {
            guard let node = top.tables[name] else { continue }
            _ = self.sections.decode(node, as: section, keyPath: name, isQuiet: true, into: &self.diagnostics)
        }
        let talos = self.talos(top: top, general: general)
        let pools = self.pools(top.tables["pools"], general: general)
        SettingsValidation.checkNamedStatements(general, pools: pools, &self.diagnostics)
        return GatewaySettings(
            general: GeneralSettings(general),
            pools: pools,
            serverNames: self.serverNames.names,
            talos: talos,
            warnings: self.diagnostics.warnings,
            sourceFiles: sourceFiles,
            rows: self.rows
        )
    }

    /// At the top level, or under `general`.
    private mutating func talos(top: SectionValues, general: SectionValues) -> TalosSettings? {
        guard let node = top.tables["talos"] ?? general.tables["talos"] else { return nil }
        if top.isWritten("talos"), general.isWritten("talos") {
            self.diagnostics.report(
                general.location(of: "talos"), "general.talos", "`talos` stands at the top level, too")
        }
        let path = top.isWritten("talos") ? "talos" : "general.talos"
        let values = self.sections.decode(node, as: .talos, keyPath: path, into: &self.diagnostics)
        self.rows += ConfigRow.rows(of: values, prefix: "talos")
        if values.list("keys").isEmpty, !values.list("databases").isEmpty {
            self.diagnostics.warn(
                values.location(of: "databases"), values.path(of: "databases"),
                "`keys` lists no file: nobody can log in by token")
        }
        return TalosSettings(values)
    }

    private mutating func pools(_ node: SettingsNode?, general: SectionValues) -> [PoolSettings] {
        guard let node else { return [] }
        guard case .table(let entries) = node.content else {
            self.diagnostics.report(node.location, "pools", "expected a map of pools, found \(node.kindInWords)")
            return []
        }
        return entries.sorted { $0.key < $1.key }.map { self.pool($0, general: general) }
    }

    private mutating func pool(_ entry: SettingsNode.Entry, general: SectionValues) -> PoolSettings {
        let path = "pools.\(entry.key)"
        var node = entry.value
        node.location = entry.location
        var values = self.sections.decode(node, as: .pool, keyPath: path, into: &self.diagnostics)
        values.inherit(from: general)
        self.rows += ConfigRow.rows(of: values, prefix: path)
        StartupParameters.check(values, into: &self.diagnostics)
        let parameters = StartupParameters.merged(general, .general)
        let merged = StartupParameters.merged(values, .pool, over: parameters)
        let authQuery = self.authQuery(of: values, poolName: entry.key, parameters: merged)
        let users = self.users(values, parameters: merged)
        let serverUsers = self.serverUsers(values, parameters: merged)
        let hasUsers = !users.isEmpty || !serverUsers.isEmpty
        SettingsValidation.check(pool: entry.key, values, hasUsers: hasUsers, into: &self.diagnostics)
        SettingsValidation.checkStatements(values, isOn: general.bool("prepared_statements"), &self.diagnostics)
        SettingsValidation.checkServerTLS(values, general: general, &self.diagnostics)
        let isTLSOffered = ClientTLSSettings(general).isOffered
        SettingsValidation.checkServerNames(values, isTLSOffered: isTLSOffered, &self.diagnostics)
        let pool = PoolSettings(name: entry.key, values, users: users, authQuery: authQuery, serverUsers: serverUsers)
        self.serverNames.add(pool, values, &self.diagnostics)
        return pool
    }

    /// - Parameter parameters: the startup parameters of the pool.
    private mutating func authQuery(
        of pool: SectionValues,
        poolName: String,
        parameters: [StartupParameter]
    ) -> AuthQuerySettings? {
        guard let table = pool.tables["auth_query"] else { return nil }
        let path = pool.path(of: "auth_query")
        let values = self.sections.decode(table, as: .authQuery, keyPath: path, into: &self.diagnostics)
        SettingsValidation.check(authQuery: values, into: &self.diagnostics)
        self.rows += ConfigRow.rows(of: values, prefix: path)
        let longestName = String(repeating: "x", count: 63)
        let others = [
            "user", values.text("server_user") ?? longestName, "database", pool.text("server_database") ?? poolName,
            "application_name", pool.text("application_name") ?? "",
        ]
        StartupParameters.check(parameters, user: values, others: others, into: &self.diagnostics)
        return AuthQuerySettings(values, pool: pool, poolName: poolName, parameters: parameters)
    }

    /// - Parameter inherited: the startup parameters of the pool.
    private mutating func users(_ pool: SectionValues, parameters inherited: [StartupParameter]) -> [UserSettings] {
        guard let node = pool.tables["users"] else { return [] }
        let path = pool.path(of: "users")
        var users: [UserSettings] = []
        var places: [String: SourceLocation] = [:]
        for (itemPath, item) in self.userTables(node, path: path) {
            var values = self.sections.decode(item, as: .user, keyPath: itemPath, into: &self.diagnostics)
            values.inherit(from: pool)
            self.resolveKeyFiles(&values)
            SettingsValidation.check(user: values, into: &self.diagnostics)
            let user = UserSettings(values, parameters: self.parameters(of: values, pool, inherited))
            let place = values.location(of: "username")
            if values.isWritten("username"), let first = places.updateValue(place, forKey: user.username) {
                let reason = "duplicate username `\(user.username)` in pool, first at \(first)"
                self.diagnostics.report(place, values.path(of: "username"), reason)
            }
            self.rows += ConfigRow.rows(of: values, prefix: "\(path).\(user.username)")
            users.append(user)
        }
        return users
    }

    /// - Parameter parameters: the startup parameters of the pool.
    private mutating func serverUsers(
        _ pool: SectionValues,
        parameters: [StartupParameter]
    ) -> [ServerUserSettings] {
        guard let node = pool.tables["server_users"] else { return [] }
        let path = pool.path(of: "server_users")
        var entries: [ServerUserSettings] = []
        var places: [[UInt8]: SourceLocation] = [:]
        for (itemPath, item) in self.userTables(node, path: path) {
            var values = self.sections.decode(item, as: .serverUser, keyPath: itemPath, into: &self.diagnostics)
            values.inherit(from: pool)
            self.resolveKeyFiles(&values)
            SettingsValidation.check(serverUser: values, into: &self.diagnostics)
            let entry = ServerUserSettings(values, pool: pool, parameters: parameters)
            if let name = entry.serverUsername {
                let place = values.location(of: "server_username")
                if let first = places.updateValue(place, forKey: Array(name.utf8)) {
                    let reason = "`\(name)` stands at \(first), too: one entry has all its users"
                    self.diagnostics.report(place, values.path(of: "server_username"), reason)
                }
            }
            if entries.contains(where: \.isForEverybody) {
                self.diagnostics.warn(
                    values.location, itemPath, "an entry before it speaks of everybody: it is never used")
            }
            self.rows += ConfigRow.rows(of: values, prefix: itemPath)
            entries.append(entry)
        }
        return entries
    }

    /// The files that stand in place of passwords are named like all others: from the folder of the main file.
    private func resolveKeyFiles(_ values: inout SectionValues) {
        let prefixes = [
            "password": PasswordShape.tokenKeyPrefix, "server_password": PasswordShape.serverTokenKeyPrefix,
        ]
        for (name, prefix) in prefixes {
            guard let path = values.secret(name)?.file(behind: prefix), !path.isEmpty else { continue }
            let whole = self.sections.decoder.references.resolve(path: path)
            values.set(name, .secret(SecretText(prefix + whole)))
        }
    }

    private mutating func parameters(
        of user: SectionValues,
        _ pool: SectionValues,
        _ inherited: [StartupParameter]
    ) -> [StartupParameter] {
        StartupParameters.check(user, into: &self.diagnostics)
        let parameters = StartupParameters.merged(user, .user, over: inherited)
        let serverUser = user.text("server_username") ?? user.text("username") ?? ""
        let database = pool.text("server_database") ?? String(pool.keyPath.dropFirst("pools.".count))
        var others = ["user", serverUser, "database", database]
        if !parameters.contains(where: { $0.key == "application_name" }) {
            others += ["application_name", pool.text("application_name") ?? ""]
        }
        StartupParameters.check(parameters, user: user, others: others, into: &self.diagnostics)
        return parameters
    }

    /// Users and server users come in both shapes: a list, or a map with numbers as keys, taken in the order of the
    /// numbers.
    private mutating func userTables(_ node: SettingsNode, path: String) -> [(String, SettingsNode)] {
        switch node.content {
        case .list(let items):
            return items.enumerated().map { ("\(path)[\($0.offset)]", $0.element) }
        case .table(let entries):
            var numbered: [(Int, String, SettingsNode)] = []
            for entry in entries {
                guard let number = Int(entry.key), number >= 0 else {
                    self.diagnostics.report(
                        entry.location, "\(path).\(entry.key)", "the keys of a map of users must be numbers",
                        hint: "write the users as a list: `- username: ...` in YAML, `[[\(path)]]` in TOML"
                    )
                    continue
                }
                numbered.append((number, "\(path).\(entry.key)", entry.value))
            }
            return numbered.sorted { $0.0 < $1.0 }.map { ($0.1, $0.2) }
        case .scalar:
            self.diagnostics.report(node.location, path, "expected a list of users, found \(node.kindInWords)")
            return []
        }
    }
}
