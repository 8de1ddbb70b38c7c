import Settings
import Testing

@Suite struct AuthQueryTests {
    private static func text(_ lines: String..., pool: [String] = []) -> String {
        Load.pool(pool + ["auth_query:", "  user: pooler"] + lines.map { "  \($0)" })
    }

    @Test func defaults() throws {
        let settings = try #require(try Load.yaml(Self.text()).pool("db")?.authQuery)
        #expect(settings.user == "pooler" && settings.password.isEmpty && settings.database == "db")
        #expect(settings.workers == 2 && settings.poolSize == 40 && settings.minPoolSize == 0)
        #expect(settings.cacheTTL == .seconds(3600) && settings.cacheFailureTTL == .seconds(30))
        #expect(settings.minInterval == .seconds(1) && settings.queryTimeout == .seconds(5))
        #expect(settings.cacheMaxEntries == 10_000 && settings.roleTTL == .seconds(60))
        #expect(settings.serverUser == nil && settings.serverPassword == nil && !settings.isDedicated)
        #expect(
            settings.query == """
                SELECT rolpassword AS passwd FROM pg_catalog.pg_authid WHERE rolname = $1 AND rolcanlogin \
                AND (rolvaliduntil IS NULL OR rolvaliduntil > pg_catalog.now())
                """
        )
        #expect(try Load.yaml(Load.pool()).pool("db")?.authQuery == nil)
    }

    @Test func valuesAndParametersOfThePool() throws {
        let text = Self.text(
            "server_user: s", "server_password: p", "query: select $1", "cache_ttl: 5m",
            pool: ["server_database: real", "startup_parameters: {work_mem: 1MB}"]
        ).replacing("general:\n", with: "general:\n  startup_parameters: {work_mem: 2MB, jit: \"off\"}\n")
        let settings = try #require(try Load.yaml(text).pool("db")?.authQuery)
        #expect(settings.database == "real" && settings.isDedicated && settings.query == "select $1")
        #expect(settings.serverPassword == SecretText("p") && settings.cacheTTL == .seconds(300))
        #expect(settings.startupParameters.map { "\($0.key)=\($0.value)" } == ["jit=off", "work_mem=1MB"])
        let other = try Load.yaml(Self.text("database: elsewhere", pool: ["server_database: real"]))
        #expect(other.pool("db")?.authQuery?.database == "elsewhere")
    }

    @Test(arguments: [
        ("query: \"\"", "query"), ("query: select 1", "query"), ("query: \"select $1\\0\"", "query"),
        ("database: \"\"", "database"), ("server_user: \"\"", "server_user"), ("workers: 0", "workers"),
        ("server_password: x", "server_password"), ("min_pool_size: 41", "min_pool_size"),
        ("pool_size: 0", "pool_size"), ("cache_max_entries: 1", "cache_max_entries"),
        ("query_timeout: 0", "query_timeout"), ("default_pool_size: 3", "default_pool_size"),
    ])
    func problems(line: String, key: String) {
        #expect(Load.problems(yaml: Self.text(line)).map(\.keyPath) == ["pools.db.auth_query.\(key)"])
    }

    /// Whoever renamed only the one would give the pools the size of the executor.
    @Test func formerNamesOfBothSizesAreTold() {
        let hints = Load.problems(yaml: Self.text("default_pool_size: 40", "pool_size: 2")).map(\.hint)
        #expect(hints == ["it is `pool_size` now, and what was `pool_size` is `workers`"])
        let user = Load.problems(yaml: Load.pool(user: ["default_pool_size: 40"])).map(\.hint)
        #expect(user == ["did you mean `pool_size`?"])
    }

    @Test func theUserIsRequired() {
        #expect(Load.problems(yaml: Load.pool(["auth_query: {}"])).map(\.keyPath) == ["pools.db.auth_query.user"])
        let empty = Load.problems(yaml: Load.pool(["auth_query: {user: \"\"}"]))
        #expect(empty.map(\.reason) == ["is empty"])
    }

    @Test func warnings() throws {
        #expect(try Load.yaml(Self.text()).warnings.isEmpty)
        #expect(try Load.yaml(Self.text("min_pool_size: 3")).warnings.isEmpty)
        let dedicated = try Load.yaml(Self.text("min_pool_size: 3", "server_user: s", "server_password: p")).warnings
        #expect(dedicated.count == 1 && dedicated.first?.contains("no effect") == true)
        let open = try Load.yaml(Self.text("server_user: s")).warnings
        #expect(
            open == [
                "/etc/gw/main.yaml:8: pools.db.auth_query.server_user: `s` has no server_password: "
                    + "only a server that trusts the gateway lets it in"
            ])
        let alone = Load.general().replacing("pools: {}", with: "pools: {db: {auth_query: {user: u}}}")
        #expect(try Load.yaml(alone).warnings.isEmpty)
    }

    @Test func rowsOfShowConfigHideSecrets() throws {
        let text = Self.text("password: hunter2-hunter2", "server_user: s", "server_password: hunter3-hunter3")
        let rows = try Load.yaml(text).configRows().filter { $0.key.hasPrefix("pools.db.auth_query.") }
        func value(_ key: String) -> String? { rows.first { $0.key == "pools.db.auth_query.\(key)" }?.value }
        #expect(value("user") == "pooler" && value("workers") == "2" && value("cache_ttl") == "1h")
        #expect(value("password") == "********" && value("server_password") == "********")
        #expect(!"\(rows)".contains("hunter"))
    }
}
