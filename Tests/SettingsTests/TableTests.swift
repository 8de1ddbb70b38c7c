import Foundation
import Settings
import Testing

@Suite struct TableTests {
    @Test func namesAreUniquePerSection() {
        for section in SettingsSection.allCases {
            let names = SettingsTable.keys(of: section).flatMap { [$0.name] + ($0.alias.map { [$0] } ?? []) }
            #expect(Set(names).count == names.count)
            #expect(!names.isEmpty)
        }
    }

    @Test func everyKeyIsDescribed() {
        for key in SettingsTable.keys {
            #expect(key.summary.hasSuffix("."), "\(key.name)")
            #expect(!(key.isRequired && key.defaultText != nil), "\(key.name)")
        }
    }

    /// What a pool is told about itself changes in place: it costs no server connection.
    @Test(arguments: [
        "idle_timeout", "server_lifetime", "max_concurrent_creates", "server_round_robin", "pool_size",
        "min_pool_size", "cancel_wait_timeout", "server_idle_check_timeout", "query_wait_timeout",
        "server_finish_timeout",
    ])
    func limitsChangeInPlace(name: String) {
        let keys = SettingsTable.keys.filter { $0.name == name }
        #expect(!keys.isEmpty)
        for key in keys { #expect(key.reload == .reload, "\(key.section) \(name)") }
    }

    /// A default that does not decode would be silently missing.
    @Test func everyDefaultLoads() throws {
        for key in SettingsTable.keys where key.section == .general {
            guard let text = key.defaultText else { continue }
            #expect(Load.problems(yaml: Load.general("\(key.name): \(text)")).isEmpty, "\(key.name)")
            #expect(!key.defaultDisplay.isEmpty || ["[]", "{}", "\"\""].contains(text), "\(key.name)")
        }
        for key in SettingsTable.keys(of: .pool) where !["users", "auth_query", "server_users"].contains(key.name) {
            guard let text = key.defaultText else { continue }
            #expect(Load.problems(yaml: Load.pool(["\(key.name): \(text)"])).isEmpty, "\(key.name)")
        }
    }

    /// Writing a default changes nothing; writing another value does: no supported key is dead.
    @Test func everySupportedKeyReachesTheSettings() throws {
        let other: [String: String] = [
            "users": "[x]", "roles": "[x]", "auth_providers": "[x]",
            "host": "::1", "backlog": "77", "unix_socket_dir": "/x", "unix_socket_mode": "0666", "pg_hba": "\"a b\"",
            "hba": "[1.2.3.4/32]", "pool_mode": "SESSION", "server_host": "/run", "server_database": "x",
            "application_name": "x", "server_username": "x", "admin_username": "x", "admin_password": "x",
            "username": "x", "port": "77", "server_port": "77",
            "server_password": "x", "pooler_check_query": "x", "io_method": "epoll",
            "startup_parameters": "{work_mem: 1MB}", "query": "select $1", "user": "x", "password": "x",
            "database": "x", "server_user": "x", "audit_log": "syslog", "syslog_prog_name": "x",
            "pg_ident": "\"a b c\"",
        ]
        // Keys of TLS need each other: TLSSettingsTests has them.
        for key in SettingsTable.keys where key.isSupported && !TLSSettingsTests.isAboutTLS(key) {
            let isSwitch = key.kind == .bool
            let value = other[key.name] ?? (isSwitch ? (key.defaultText == "true" ? "false" : "true") : "7")
            let needed = key.name == "server_password" ? "server_user: y" : "workers: 3"
            let plain = Load.pool(
                ["auth_query:", "  user: z", "  \(needed)"].filter { _ in key.section == .authQuery }
                    + ["server_users:", "  - server_username: y"].filter { _ in key.section == .serverUser },
                user: key.name == "server_password" ? ["server_username: y"] : []
            )
            var changed: String
            switch key.section {
            case .general where key.isRequired || key.kind == .table(.talos): continue
            case .general: changed = plain.replacing("general:\n", with: "general:\n  \(key.name): \(value)\n")
            case .authQuery where key.isRequired || key.name == "workers": continue
            case .authQuery:
                changed = plain.replacing("    auth_query:\n", with: "    auth_query:\n      \(key.name): \(value)\n")
            case .pool where !["users", "auth_query", "server_users"].contains(key.name):
                changed = plain.replacing("  db:\n", with: "  db:\n    \(key.name): \(value)\n")
            case .serverUser where key.name == "server_username": continue
            case .serverUser:
                let entry = "      - server_username: y\n"
                changed = plain.replacing(entry, with: entry + "        \(key.name): \(value)\n")
            case .user where key.isRequired: continue
            case .user: changed = plain + "        \(key.name): \(value)\n"
            default: continue
            }
            let before = try Load.yaml(plain)
            let after = try Load.yaml(changed)
            #expect(before.general != after.general || before.pools != after.pools, "\(key.section) \(key.name)")
            #expect(before.configRows() != after.configRows() || key.kind == .secret, "\(key.section) \(key.name)")
            if let text = key.defaultText {
                let folded = text.replacing("\n", with: " ")
                let same = try Load.yaml(changed.replacing("\(key.name): \(value)\n", with: "\(key.name): \(folded)\n"))
                #expect(same.general == before.general && same.pools == before.pools, "\(key.section) \(key.name)")
            }
        }
    }

    @Test func defaults() throws {
        let general = try Load.yaml(Load.general()).general
        #expect(general.host == "0.0.0.0" && general.port == 5432 && general.backlog == 8192)
        #expect(general.connectTimeout == .seconds(3) && general.queryWaitTimeout == .seconds(5))
        #expect(general.idleTimeout == .seconds(600) && general.serverLifetime == .seconds(1200))
        #expect(general.retainConnectionsTime == .seconds(30) && general.retainConnectionsMax == 3)
        #expect(general.serverIdleCheckTimeout == .seconds(60) && general.shutdownTimeout == .seconds(10))
        #expect(general.clientLoginTimeout == .seconds(60) && general.cancelWaitTimeout == .seconds(10))
        #expect(general.serverFinishTimeout == .seconds(60))
        #expect(general.unixSocketMode == 0o600 && general.unixSocketBufferSize == 1 << 20)
        #expect(general.syncServerParameters && general.logClientConnections && general.logClientDisconnections)
        #expect(general.maxConcurrentCreates == 4 && !general.serverRoundRobin && general.workerThreads == 0)
        let pool = try #require(try Load.yaml(Load.pool()).pool("db"))
        #expect(pool.poolMode == .transaction && pool.serverHost == "127.0.0.1" && pool.serverPort == 5432)
        #expect(pool.serverDatabase == "db" && pool.applicationName == "pggateway" && pool.cleanupServerConnections)
        let user = try #require(pool.user("app"))
        #expect(
            user.poolSize == 40 && user.minPoolSize == 0 && user.serverUsername == nil && user.serverPassword == nil)
    }

    @Test func effectiveValuesFallBack() throws {
        let text =
            Load.pool(["idle_timeout: 7s", "server_lifetime: 9000", "pool_mode: Session"])
            .replacing("general:\n", with: "general:\n  connect_timeout: 1s\n  idle_timeout: 2s\n")
            + "      - {username: b, password: \"\", pool_mode: statement, server_lifetime: 1s}\n"
        let pool = try #require(try Load.yaml(text).pool("db"))
        #expect(pool.connectTimeout == .seconds(1))
        #expect(pool.idleTimeout == .seconds(7))
        #expect(pool.users.map(\.poolMode) == [.session, .statement])
        #expect(pool.users.map(\.serverLifetime) == [.seconds(9), .seconds(1)])
    }

    @Test func configRows() throws {
        let rows = try Load.yaml(Load.pool(["idle_timeout: 90s"])).configRows()
        func row(_ key: String) -> ConfigRow? { rows.first { $0.key == key } }
        #expect(row("general.port")?.value == "5432")
        #expect(row("general.port")?.isChangeable == false)
        #expect(row("general.query_wait_timeout")?.value == "5s")
        #expect(row("general.idle_timeout")?.defaultValue == "10m")
        #expect(row("general.idle_timeout")?.isChangeable == true)
        #expect(row("pools.db.idle_timeout")?.value == "90s")
        #expect(row("pools.db.idle_timeout")?.defaultValue == "as in general")
        #expect(row("pools.db.server_lifetime")?.value == "20m")
        #expect(row("pools.db.server_database")?.defaultValue == "the name of the pool")
        #expect(row("pools.db.users.app.pool_size")?.value == "40")
        #expect(row("general.syslog_prog_name")?.value == "pggateway")
        #expect(row("general.worker_stack_size") == nil)
        #expect(Set(rows.map(\.key)).count == rows.count)
    }

    @Test func equalFilesGiveEqualSettings() throws {
        let text = Load.pool(user: ["server_username: s", "server_password: p"])
        #expect(try Load.yaml(text) == Load.yaml(text))
        #expect(try Load.yaml(text) != Load.yaml(text.replacing("server_password: p", with: "server_password: q")))
    }
}
