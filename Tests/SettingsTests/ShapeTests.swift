import Settings
import Testing

@Suite struct ShapeTests {
    @Test func usersAsListOrNumberedMap() throws {
        let list = try Load.yaml(Load.pool(user: ["pool_size: 7"]))
        let map = try Load.yaml(
            Load.general().replacing(
                "pools: {}\n",
                with:
                    """
                    pools:
                      db:
                        users:
                          10: {username: z, password: ''}
                          0: {username: app, password: '', pool_size: 7}
                    """
            ))
        #expect(list.pools.first?.users.map(\.poolSize) == [7])
        #expect(map.pools.first?.users.map(\.username) == ["app", "z"])
        #expect(map.pool("db")?.user("app") == list.pool("db")?.user("app"))
    }

    @Test func usersMapNeedsNumbers() {
        let text = Load.general().replacing(
            "pools: {}\n", with: "pools:\n  db:\n    users:\n      app: {username: z, password: ''}\n")
        let problem = Load.problems(yaml: text).first
        #expect(problem?.keyPath == "pools.db.users.app")
        #expect(problem?.line == 7)
        #expect(problem?.hint?.contains("- username") == true)
    }

    @Test func tomlShapes() throws {
        let settings = try Load.toml(
            """
            [general]
            port = 6432
            connect_timeout = "3s"
            idle_timeout = 3000
            tcp_no_delay = false
            admin_username = "admin"
            admin_password = "${ADMIN}"
            pg_hba = { path = "./pg_hba.conf" }

            [pools.example_db]
            server_host = "127.0.0.1"
            [[pools.example_db.users]]
            username = "app"
            password = ""
            pool_size = 40

            [pools.other.users.0]
            username = "app"
            password = ""
            [pools."with.dot"]
            """)
        #expect(settings.general.port == 6432)
        #expect(settings.general.connectTimeout == .seconds(3))
        #expect(settings.general.idleTimeout == .seconds(3))
        #expect(settings.general.tcpNoDelay == false)
        #expect(settings.general.adminPassword == SecretText("from-environment"))
        #expect(settings.general.pgHba == .path("/etc/gw/./pg_hba.conf"))
        #expect(settings.pools.map(\.name) == ["example_db", "other", "with.dot"])
        #expect(settings.pools.map(\.users.count) == [1, 1, 0])
    }

    @Test(arguments: [
        ("pg_hba: \"local all all trust\"", HBARuleSource.content("local all all trust")),
        ("pg_hba: {content: \"local all all trust\"}", .content("local all all trust")),
        ("pg_hba: {path: /x/hba.conf}", .path("/x/hba.conf")),
        ("pg_hba: {path: hba.conf}", .path("/etc/gw/hba.conf")),
        ("pg_hba: {path: a, content: \"b c\"}", .content("b c")),
        ("pg_hba: null", .unset),
    ])
    func hbaForms(line: String, expected: HBARuleSource) throws {
        #expect(try Load.yaml(Load.general(line)).general.pgHba == expected)
    }

    @Test(arguments: ["pg_hba: {file: x}", "pg_hba: {}", "pg_hba: [a]", "pg_hba: ./pg_hba.conf", "pg_hba: {path: [a]}"])
    func refusedHBAForms(line: String) {
        #expect(Load.problems(yaml: Load.general(line)).map(\.keyPath) == ["general.pg_hba"])
    }

    @Test func aKeyIsFoundWhereItsValueComesFrom() throws {
        let text = Load.pool(["server_host: x"], user: ["pool_size: 3"])
            .replacing("general:\n", with: "general:\n  server_tls_mode: prefer\n")
        let settings = try Load.yaml(text)
        let lines = [
            "general.server_tls_mode": 2, "pools.db.server_tls_mode": 2, "pools.db.server_host": 7,
            "pools.db.users.app.password": 10, "pools.db.users.app.pool_size": 11,
        ]
        for (key, line) in lines {
            #expect(settings.place(of: key) == SourceLocation(file: "/etc/gw/main.yaml", line: line), "\(key)")
        }
        #expect(settings.place(of: "general.nonsense") == nil)
    }

    @Test(arguments: ["[10.0.0.0/8, 192.168.1.1/32, \"::1/128\", \"fd00::/8\", \"64:ff9b::1.2.3.4/96\"]", "[]"])
    func legacyRanges(list: String) throws {
        _ = try Load.yaml(Load.general("hba: \(list)"))
    }

    @Test(arguments: [
        "10.0.0.0/33", "10.0.0", "1.2.3.256", "\"::/129\"", "\":::\"", "\"1::2::3\"", "localhost", "10.0.0.0/",
        "\"12345::\"", "\"::1\"", "10.0.0.1", "010.0.0.0/8", "10.0.0.0/8/8", "\"10.0.0.0/ 8\"", "\"\"",
    ])
    func refusedLegacyRanges(range: String) {
        #expect(Load.problems(yaml: Load.general("hba: [\(range)]")).map(\.keyPath) == ["general.hba"])
    }

    @Test func unquotedYAMLScalarsAreStringsWhereStringsAreWanted() throws {
        let settings = try Load.yaml(
            "general: {admin_username: 0123, admin_password: true}\npools: {1: {server_database: 5}}\n")
        #expect(settings.general.adminUsername == "0123")
        #expect(settings.general.adminPassword == SecretText("true"))
        #expect(settings.pool("1")?.serverDatabase == "5")
    }

    @Test func aliasesWork() throws {
        let settings = try Load.yaml(
            """
            general: {admin_username: a, admin_password: &secret hush}
            pools:
              one: &pool {server_host: db.example, users: [{username: u, password: ""}]}
              two: *pool
            """)
        #expect(settings.pool("two")?.serverHost == "db.example")
        #expect(settings.pools.count == 2)
    }

    @Test(.timeLimit(.minutes(1))) func aliasBombIsRefused() {
        var text = "a: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
        for level in 1...20 {
            let uses = Array(repeating: "*a\(level - 1)", count: 10).joined(separator: ", ")
            text += "a\(level): &a\(level) [\(uses)]\n"
        }
        #expect(Load.problems(yaml: text).first?.reason.contains("anchors and aliases") == true)
        let asKey = text + "? *a20\n: 1\n"
        #expect(Load.problems(yaml: asKey).first?.reason.contains("anchors and aliases") == true)
    }

    @Test func deepNestingIsRefused() {
        for depth in [40, 900, 5_000, 100_000] {
            let text = "a: " + String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
            #expect(!Load.problems(yaml: text).isEmpty)
            #expect(!Load.problems(toml: text.replacing("a: ", with: "a = ")).isEmpty)
        }
        let tables = "[" + Array(repeating: "a", count: 200).joined(separator: ".") + "]\n"
        #expect(!Load.problems(toml: tables).isEmpty)
    }
}
