/// Checks that concern more than one key or the meaning of a value. Each adds to the diagnostics and goes on.
struct SettingsValidation {
    /// A unix socket address holds 107 bytes and a zero byte.
    private static let maximumSocketPathBytes = 107
    /// Databases that lead to the admin console. The same as `ConsoleReference.databases`, which a test compares: the
    /// console knows no settings.
    static let consoleDatabases = ["pggateway", "pgbouncer", "pgdoorman"]

    static func check(general values: SectionValues, into diagnostics: inout Diagnostics) {
        if values.rules("pg_hba") != .unset, !values.list("hba").isEmpty {
            diagnostics.report(
                values.location(of: "hba"), values.path(of: "hba"),
                "hba and pg_hba cannot be specified at the same time",
                hint: "pg_hba stands at \(values.location(of: "pg_hba"))"
            )
        }
        if values.isWritten("admin_username"), values.text("admin_username")?.isEmpty == true {
            diagnostics.report(values.location(of: "admin_username"), values.path(of: "admin_username"), "is empty")
        }
        if values.text("host")?.isEmpty == true {
            diagnostics.report(values.location(of: "host"), values.path(of: "host"), "is empty")
        }
        Self.checkStatements(values, isOn: values.bool("prepared_statements"), &diagnostics)
        Self.checkAuditLog(values, &diagnostics)
        Self.checkClientTLS(values, &diagnostics)
        Self.checkSocketFolder("unix_socket_dir", port: "port", values, &diagnostics)
        if values.text("unix_socket_dir") != nil, !values.list("hba").isEmpty {
            diagnostics.warn(
                values.location(of: "hba"), values.path(of: "hba"),
                "applies to TCP only; clients of the unix socket bypass it"
            )
        }
        if (1...65_535).contains(values.integer("tcp_socket_buffer_size")) {
            diagnostics.warn(
                values.location(of: "tcp_socket_buffer_size"), values.path(of: "tcp_socket_buffer_size"),
                "is small; throughput of large results suffers below 64KB"
            )
        }
    }

    static func check(pool name: String, _ values: SectionValues, hasUsers: Bool, into diagnostics: inout Diagnostics) {
        let location = values.location
        if name.isEmpty {
            diagnostics.report(location, "pools", "the name of a pool is empty")
        }
        if name.utf8.contains(0) {
            diagnostics.report(location, "pools", "the name of a pool holds a zero byte")
        }
        if Self.consoleDatabases.contains(name) {
            diagnostics.report(location, values.keyPath, "the name belongs to the admin console")
        }
        for key in ["server_host", "server_database"] where values.text(key)?.isEmpty == true {
            diagnostics.report(values.location(of: key), values.path(of: key), "is empty")
        }
        if values.text("server_host")?.hasPrefix("/") == true {
            Self.checkSocketFolder("server_host", port: "server_port", values, &diagnostics)
        }
        if !hasUsers, !values.isWritten("auth_query") {
            diagnostics.warn(location, values.keyPath, "has no users and accepts nobody")
        }
    }

    static func check(user values: SectionValues, into diagnostics: inout Diagnostics) {
        for key in ["username", "server_username", "auth_pam_service"]
        where values.isWritten(key) && values.text(key)?.isEmpty == true {
            diagnostics.report(values.location(of: key), values.path(of: key), "is empty")
        }
        if let password = values.secret("password") {
            do {
                try PasswordShape.check(password)
            } catch {
                let place = values.location(of: "password")
                let path = values.path(of: "password")
                if values.isWritten("auth_pam_service") {
                    // In pg_doorman something has to stand there.
                    diagnostics.warn(place, path, "is ignored: PAM proves the user")
                } else {
                    diagnostics.report(place, path, error.reason, hint: error.hint)
                }
            }
        }
        if values.integer("min_pool_size") > values.integer("pool_size") {
            diagnostics.report(
                values.location(of: "min_pool_size"), values.path(of: "min_pool_size"),
                "min_pool_size (\(values.integer("min_pool_size"))) is above pool_size (\(values.integer("pool_size")))"
            )
        }
        guard let serverPassword = values.secret("server_password") else {
            // Under its own name the client's proof is passed through.
            let isOwn = values.text("server_username")?.utf8.elementsEqual((values.text("username") ?? "").utf8) ?? true
            if !isOwn { Self.warnOfNoServerPassword(for: "server_username", values, &diagnostics) }
            return
        }
        let place = values.location(of: "server_password")
        if !values.isWritten("server_username") {
            diagnostics.report(place, values.path(of: "server_password"), "server_password needs server_username")
        }
        if serverPassword.revealed == PasswordShape.serverTokenKeyPrefix {
            diagnostics.report(
                place, values.path(of: "server_password"), "no file is named behind `\(serverPassword.revealed)`")
        }
    }

    /// - Parameter key: that of a name at the server, for which there is no password.
    static func warnOfNoServerPassword(for key: String, _ values: SectionValues, _ diagnostics: inout Diagnostics) {
        guard let name = values.text(key), !name.isEmpty else { return }
        let reason = "`\(name)` has no server_password: only a server that trusts the gateway lets it in"
        diagnostics.warn(values.location(of: key), values.path(of: key), reason)
    }

    /// - Parameter isOn: `prepared_statements`; without it no pool has a use for room.
    static func checkStatements(_ values: SectionValues, isOn: Bool, _ diagnostics: inout Diagnostics) {
        let key = "prepared_statements_cache_size"
        guard isOn, values.isWritten(key), values.integer(key) == 0 else { return }
        diagnostics.report(
            values.location(of: key), values.path(of: key), "must be above 0 while `prepared_statements` is true")
    }

    /// pg_doorman passes named statements on to whatever server comes next.
    static func checkNamedStatements(
        _ general: SectionValues,
        pools: [PoolSettings],
        _ diagnostics: inout Diagnostics
    ) {
        let key = "prepared_statements"
        guard general.isWritten(key), !general.bool(key), pools.contains(where: { $0.sharesServers }) else { return }
        diagnostics.warn(
            general.location(of: key), general.path(of: key),
            "named statements are refused in transaction and statement mode; pg_doorman passes them on. "
                + "`true` serves them"
        )
    }

    private static func checkAuditLog(_ values: SectionValues, _ diagnostics: inout Diagnostics) {
        let name = "syslog_prog_name"
        if values.isWritten(name), values.text("audit_log") != "syslog" {
            diagnostics.warn(
                values.location(of: name), values.path(of: name), "has no effect without `audit_log: syslog`")
        }
        guard let target = values.text("audit_log"), !["stderr", "syslog"].contains(target) else { return }
        if !target.hasPrefix("/") || target.utf8.contains(0) {
            diagnostics.report(
                values.location(of: "audit_log"), values.path(of: "audit_log"),
                "is neither `stderr`, `syslog` nor an absolute path"
            )
        }
    }

    private static func checkSocketFolder(
        _ folder: String,
        port: String,
        _ values: SectionValues,
        _ diagnostics: inout Diagnostics
    ) {
        guard let path = values.text(folder) else { return }
        let bytes = "\(path)/.s.PGSQL.\(values.integer(port))".utf8.count
        if path.isEmpty || bytes > Self.maximumSocketPathBytes {
            diagnostics.report(
                values.location(of: folder), values.path(of: folder),
                path.isEmpty ? "is empty" : "the socket's path is longer than \(Self.maximumSocketPathBytes) bytes"
            )
        }
    }
}
