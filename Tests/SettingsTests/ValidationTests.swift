import Settings
import Testing

@Suite struct ValidationTests {
    @Test func hbaAndPgHbaTogether() {
        let problems = Load.problems(yaml: Load.general("hba: [10.0.0.0/8]", "pg_hba: \"local all all trust\""))
        #expect(problems.map(\.reason) == ["hba and pg_hba cannot be specified at the same time"])
        #expect(problems.map(\.line) == [4])
    }

    @Test(arguments: [
        ("port: 0", "general.port"), ("port: 65536", "general.port"), ("port: \"6432\"", "general.port"),
        ("port: 6432.5", "general.port"), ("max_connections: 0", "general.max_connections"),
        ("max_connections: -1", "general.max_connections"), ("worker_threads: 99999", "general.worker_threads"),
        ("tcp_no_delay: \"true\"", "general.tcp_no_delay"), ("tcp_no_delay: 1", "general.tcp_no_delay"),
        ("host: \"\"", "general.host"), ("tls_mode: Require", "general.tls_mode"),
        ("scaling_warm_pool_ratio: 101", "general.scaling_warm_pool_ratio"),
        ("scaling_max_parallel_creates: 0", "general.scaling_max_parallel_creates"),
        ("startup_parameters: [a]", "general.startup_parameters"), ("patroni_api_urls: x", "general.patroni_api_urls"),
        ("max_concurrent_creates: 99999999999999999999", "general.max_concurrent_creates"),
        ("connect_timeout: 0", "general.connect_timeout"), ("audit_log: audit.json", "general.audit_log"),
        ("audit_log: \"\"", "general.audit_log"), ("audit_entries: 65537", "general.audit_entries"),
        ("audit_log_queue: 0", "general.audit_log_queue"), ("auth_failure_delay: -1", "general.auth_failure_delay"),
        // Empty paths do not mean the folder of the settings.
        ("unix_socket_dir: \"\"", "general.unix_socket_dir"), ("tls_ca_cert: \"\"", "general.tls_ca_cert"),
    ])
    func generalValues(line: String, keyPath: String) {
        #expect(Load.problems(yaml: Load.general(line)).map(\.keyPath) == [keyPath])
    }

    @Test func longSocketFolder() {
        let folder = "/" + String(repeating: "d", count: 100)
        #expect(
            Load.problems(yaml: Load.general("unix_socket_dir: \(folder)")).map(\.keyPath) == [
                "general.unix_socket_dir"
            ])
        #expect(Load.problems(yaml: Load.pool(["server_host: \(folder)"])).map(\.keyPath) == ["pools.db.server_host"])
    }

    @Test func duplicateUsername() {
        let text = Load.pool() + "      - username: app\n        password: \"\"\n"
        let problem = Load.problems(yaml: text).first
        #expect(problem?.keyPath == "pools.db.users[1].username")
        #expect(problem?.line == 9)
        #expect(problem?.reason == "duplicate username `app` in pool, first at /etc/gw/main.yaml:7")
    }

    @Test(arguments: [
        ("min_pool_size: 41", "pools.db.users[0].min_pool_size"), ("pool_size: 0", "pools.db.users[0].pool_size"),
        ("server_password: x", "pools.db.users[0].server_password"),
        ("server_username: \"\"", "pools.db.users[0].server_username"),
        ("pool_mode: sometimes", "pools.db.users[0].pool_mode"),
    ])
    func userValues(line: String, keyPath: String) {
        #expect(Load.problems(yaml: Load.pool(user: [line])).map(\.keyPath) == [keyPath])
    }

    /// At the top level, or under `general` as the documentation of pg_doorman shows it; not both.
    @Test func talosStandsInOnePlace() throws {
        let table = "talos:\n  keys: [/k/a.pem]\n  databases: [shop]\n"
        #expect(try Load.yaml(Load.general() + table).talos?.keys == ["/k/a.pem"])
        let inner = Load.general("talos: {keys: [/k/b.pem], databases: [x]}")
        #expect(try Load.yaml(inner).talos?.keys == ["/k/b.pem"])
        #expect(try Load.yaml(inner).talos?.databases == ["x"])
        #expect(try Load.yaml(inner).warnings.isEmpty)
        #expect(Load.problems(yaml: inner + table).map(\.keyPath) == ["general.talos"])
        #expect(try Load.yaml(Load.general()).talos == nil)
    }

    @Test func databasesWithoutKeysOfTalosAreSaid() throws {
        #expect(try Load.yaml(Load.general("talos: {keys: [], databases: []}")).warnings.isEmpty)
        let alone = try Load.yaml(Load.general("talos: {databases: [shop]}")).warnings
        let text = "/etc/gw/main.yaml:4: general.talos.databases: `keys` lists no file: nobody can log in by token"
        #expect(alone == [text])
    }

    @Test func tokenKeysNameAFile() {
        let server = Load.pool(user: ["server_username: s", "server_password: \"jwt-priv-key-fpath:\""])
        let reasons = Load.problems(yaml: server).map(\.reason)
        #expect(reasons == ["no file is named behind `jwt-priv-key-fpath:`"])
        let client = Load.pool().replacing("password: \"\"", with: "password: \"jwt-pkey-fpath:\"")
        #expect(Load.problems(yaml: client).map(\.reason) == ["no file is named behind `jwt-pkey-fpath:`"])
    }

    @Test(arguments: [
        ("", true), ("md50123456789abcdef0123456789abcdef", true), ("md50123456789abcdef0123456789abcde", false),
        ("md50123456789ABCDEF0123456789abcdef", false), ("md5", false), ("secret", false), (Load.verifier, true),
        ("SCRAM-SHA-256$", false), ("SCRAM-SHA-256$0:c2E=$" + Load.verifier.suffix(89), false),
        ("SCRAM-SHA-256$4096:c2E=$QUJD:QUJD", false), (Load.verifier + "$", false), (Load.verifier + ":x", false),
        (Load.verifier.replacing("4096", with: "4x"), false),
        (Load.verifier.replacing("c2FsdHNhbHRzYWx0c2E=", with: ""), false),
    ])
    func passwordShapes(password: String, isGood: Bool) {
        let text = Load.pool().replacing("password: \"\"", with: "password: \"\(password)\"")
        #expect(Load.problems(yaml: text).isEmpty == isGood)
    }

    @Test(arguments: ["\"\"", "pgbouncer", "pggateway", "pgdoorman"])
    func poolNames(name: String) {
        let text = Load.general().replacing("pools: {}", with: "pools: {\(name): {}}")
        #expect(Load.problems(yaml: text).count == 1)
    }

    @Test(arguments: [
        "pools: []", "pools: 5", "pools: {db: 5}", "pools: {db: {users: 5}}", "pools: {db: {users: [5]}}",
        "web: 5\npools: {}",
    ])
    func wrongShapes(text: String) {
        #expect(Load.problems(yaml: Load.general().replacing("pools: {}", with: text)).count == 1)
    }

    @Test func warnings() throws {
        let text =
            Load.pool(["reserve_pool_size: 2"])
            .replacing(
                "general:\n",
                with: "general:\n  syslog_prog_name: gw\n  hba: [10.0.0.0/8]\n  unix_socket_dir: /run\n")
            + "prometheus: {enabled: true}\n"
        let warnings = try Load.yaml(text).warnings
        #expect(
            warnings.contains(
                "/etc/gw/main.yaml:2: general.syslog_prog_name: has no effect without `audit_log: syslog`"))
        #expect(warnings.contains { $0.contains("pools.db.reserve_pool_size: is accepted but not yet effective") })
        #expect(warnings.contains { $0.contains("pools.db.reserve_pool_size") })
        #expect(warnings.filter { $0.contains(": web: ") }.count == 1)
        #expect(warnings.contains { $0.contains(": prometheus: is an old name of `web`") })
        #expect(warnings.contains { $0.contains("bypass") })
        #expect(warnings.count == 5)
        #expect(try Load.yaml(Load.pool()).warnings.isEmpty)
        #expect(try Load.yaml(Load.general("audit_log: syslog", "syslog_prog_name: gw")).warnings.isEmpty)
    }

    @Test func pamServicesOfUsers() throws {
        #expect(
            Load.problems(yaml: Load.pool([], user: ["auth_pam_service: \"\""])).map(\.keyPath) == [
                "pools.db.users[0].auth_pam_service"
            ])
        let settings = try Load.yaml(Load.pool([], user: ["auth_pam_service: staff"]))
        #expect(settings.pools.first?.users.first?.authPamService == "staff")
        #expect(settings.warnings.isEmpty)
    }

    @Test(arguments: ["placeholder", "md5 or so", "SCRAM-SHA-256$", "jwt-pkey-fpath:"])
    func aPlaceholderIsIgnoredWherePamProves(password: String) throws {
        let plain = Load.pool().replacing("password: \"\"", with: "password: \"\(password)\"")
        #expect(Load.problems(yaml: plain).map(\.keyPath) == ["pools.db.users[0].password"])
        let settings = try Load.yaml(plain + "        auth_pam_service: staff\n")
        let text = "/etc/gw/main.yaml:8: pools.db.users[0].password: is ignored: PAM proves the user"
        #expect(settings.warnings == [text])
    }

    @Test func oldNames() throws {
        let settings = try Load.yaml(Load.general("client_prepared_statements_cache_size: 5"))
        #expect(settings.warnings.contains { $0.contains("old name of `client_anonymous_prepared_cache_size`") })
        #expect(Load.problems(yaml: Load.general("scaling_cooldown_sleep: 10ms")).isEmpty)
        #expect(Load.problems(yaml: Load.general("virtual_pool_count: 1")).isEmpty)
        let pool = try Load.yaml(Load.pool(["scaling_cooldown_sleep: 10ms"]))
        #expect(pool.warnings.map { $0.contains("pools.db.scaling_cooldown_sleep: is accepted") } == [true])
    }

    @Test func namedStatementsThatAreRefusedAreSaid() throws {
        func warnings(_ mode: String, user: [String] = []) throws -> [String] {
            let off = "general:\n  prepared_statements: false\n"
            let text = Load.pool(["pool_mode: \(mode)"], user: user).replacing("general:\n", with: off)
            return try Load.yaml(text).warnings
        }
        for mode in ["transaction", "statement"] {
            let found = try warnings(mode)
            #expect(found.count == 1)
            let start = "/etc/gw/main.yaml:2: general.prepared_statements: named statements are refused in transaction "
            #expect(found.first?.hasPrefix(start) == true)
        }
        #expect(try warnings("session").isEmpty)
        #expect(try warnings("session", user: ["pool_mode: transaction"]).count == 1)
        #expect(try warnings("transaction", user: ["pool_mode: session"]).isEmpty)
    }

    /// Passed through is the client's proof under the user's own name only, byte for byte.
    @Test(arguments: [
        (["server_username: other"], 1), (["server_username: App"], 1), (["server_username: app"], 0),
        (["server_username: other", "server_password: p"], 0), ([], 0),
    ])
    func namesAtTheServerWithoutAPassword(lines: [String], count: Int) throws {
        let settings = try Load.yaml(Load.pool(user: lines))
        #expect(settings.warnings.count == count)
        #expect(settings.pools.first?.users.first?.isUnprovenAtServer == (count > 0))
        for warning in settings.warnings {
            #expect(warning.hasPrefix("/etc/gw/main.yaml:9: pools.db.users[0].server_username: `"))
            #expect(warning.hasSuffix("` has no server_password: only a server that trusts the gateway lets it in"))
        }
    }

    @Test func twoSpellingsOfANameAreTwoNames() throws {
        let text = Load.pool(user: ["server_username: cafe\u{301}"]).replacing("app\n", with: "caf\u{E9}\n")
        #expect(try Load.yaml(text).warnings.count == 1)
    }

    @Test func poolWithoutUsersWarns() throws {
        let text = Load.general().replacing("pools: {}", with: "pools: {db: {}}")
        #expect(try Load.yaml(text).warnings == ["/etc/gw/main.yaml:4: pools.db: has no users and accepts nobody"])
    }
}
