import Settings
import Testing

@Suite struct KeyErrorTests {
    @Test func unknownKeyNamesLineAndNearestKey() throws {
        let problems = Load.problems(yaml: Load.general("query_wait_timout: 5s"))
        let problem = try #require(problems.first)
        #expect(problems.count == 1)
        #expect(
            problem.description
                == "/etc/gw/main.yaml:4: general.query_wait_timout: unknown key (did you mean `query_wait_timeout`?)")
        #expect(
            SettingsProblemText.of(Load.general("query_wait_timout: 5s")).hasPrefix(
                "Config parse error: /etc/gw/main.yaml:4:"))
    }

    @Test(arguments: [
        ("prot: 1", "did you mean `port`?"),
        ("max-connections: 1", "did you mean `max_connections`?"),
        ("server_host: x", "it belongs into `pools.<name>`"),
        ("pools: {}", "it belongs at the top level"),
        ("hsot: x", "did you mean `host`?"),
        ("tls_ca_file: x", "did you mean `tls_ca_cert`?"),
    ])
    func hints(line: String, hint: String) {
        #expect(Load.problems(yaml: Load.general(line)).map(\.hint) == [hint])
    }

    @Test func farFetchedKeyStillNamesTheNearest() {
        let hint = Load.problems(yaml: Load.general("completely_different_thing: 1")).first?.hint
        #expect(hint?.hasPrefix("the nearest known key is `") == true)
    }

    @Test func unknownKeysAtEveryLevel() {
        let text = """
            generall: {}
            general:
              admin_username: admin
              admin_password: secret
              x: 1
            pools:
              db:
                server_hots: x
                auth_query: {user: u, wrokers: 2}
                users:
                  - {username: app, password: "", pool_sizes: 3}
            web: {prot: 1}
            talos: {key: []}
            include: {file: []}
            """
        let found = Load.problems(yaml: text).map { "\($0.line ?? 0) \($0.keyPath)" }
        #expect(
            found == [
                "1 generall", "5 general.x", "8 pools.db.server_hots", "9 pools.db.auth_query.wrokers",
                "11 pools.db.users[0].pool_sizes", "12 web.prot", "13 talos.key", "14 include.file",
            ])
    }

    @Test func tomlUnknownKeysHaveLines() {
        let text = """
            [general]
            admin_username = "admin"   # comment
            admin_password = \"\"\"
            sec
            ret\"\"\"
            prot = 5432
            pg_hba = { content = "local all all trust" }

            [pools.db]
            server_hots = "x"
            [[pools.db.users]]
            username = "a"
            password = ""
            [[pools.db.users]]
            username = "b"
            password = ""
            pool_sizes = 1
            """
        let found = Load.problems(toml: text).map { "\($0.line ?? 0) \($0.keyPath)" }
        #expect(found == ["6 general.prot", "10 pools.db.server_hots", "17 pools.db.users[1].pool_sizes"])
    }

    @Test func duplicateKeys() {
        #expect(Load.problems(yaml: Load.general("port: 1", "port: 2")).count == 1)
        let toml = Load.problems(toml: "[general]\nport = 1\nport = 2\n")
        #expect(toml.map(\.line) == [3])
        let both = Load.problems(yaml: Load.general() + "web: {}\nprometheus: {}\n")
        #expect(both.map(\.line) == [6])
        let quoted = Load.problems(yaml: Load.general("\"port\": 1", "'port': 2"))
        #expect(quoted.count == 1)
    }

    @Test func missingRequiredKeys() {
        let found = Load.problems(yaml: "# nothing\n").map(\.keyPath)
        #expect(found == ["general", "pools"])
        let keys = Load.problems(yaml: "general: {port: 1}\npools:\n  db:\n    users:\n      - {}\n").map(\.keyPath)
        #expect(
            keys == [
                "general.admin_username", "general.admin_password", "pools.db.users[0].username",
                "pools.db.users[0].password",
            ])
    }

    @Test func allProblemsOfAFileComeAtOnce() {
        let text = Load.general("port: 70000", "idle_timeout: soon", "hsot: x", "tcp_no_delay: yes", "hba: [nonsense]")
        #expect(Load.problems(yaml: text).map(\.line) == [4, 5, 6, 7, 8])
    }

    @Test func eachElementOfAListHasItsOwnLine() {
        let yaml = Load.general("hba:", "  - 10.0.0.0/8", "  - 10.0.0.1", "  - \"fd00::\"", "  - all", "port: 70000")
        let problems = Load.problems(yaml: yaml)
        #expect(problems.map(\.line) == [6, 7, 8, 9])
        #expect(problems.map(\.keyPath) == ["general.hba", "general.hba", "general.hba", "general.port"])
        #expect(problems.first?.description.hasPrefix("/etc/gw/main.yaml:6: general.hba: `10.0.0.1` has no") == true)
        let hints = ["10.0.0.1/32 is this address alone", "fd00::/128 is this address alone"]
        #expect(problems.prefix(2).map(\.hint) == hints)
        let toml = """
            [general]
            admin_username = "a"
            admin_password = "b"
            hba = [
                "10.0.0.0/8",
                "10.0.0.1",
                7,
            ]
            """
        // Beside them: the file has no pools.
        #expect(Load.problems(toml: toml).filter { $0.keyPath == "general.hba" }.map(\.line) == [6, 7])
    }

    @Test(arguments: [
        "general:\n  port: [1\n", "a: b: c\n", "general: *x\n", "? [a]\n: 1\n", "- a\n- b\n", "just text", "\tx: 1\n",
        "a: 1\n---\nb: 2\n", "\u{0}", "a: \"\\0\"\n",
    ])
    func brokenYAMLHasAPlace(text: String) throws {
        let problem = try #require(Load.problems(yaml: text).first)
        #expect(problem.line != nil)
    }

    @Test(arguments: [
        "[general\n", "a = \n", "a = 1979-99-99\n", "a = \"x\n", "x\n", "[a]\n[a]\n", "a = \"\\u0000\"\n", "\u{0}",
        "[.x]\n", "[\n", "[ ]\n", "a = ,\n", "a = [,]\n", "a = {,}\n", "a = _1\n", "= 1\n",
    ])
    func brokenTOMLHasALine(text: String) throws {
        let problem = try #require(Load.problems(toml: text).first)
        #expect(problem.line != nil)
        #expect(!problem.reason.isEmpty)
    }

    /// Every construct of TOML 1.0 passes, and the keys after it keep their lines.
    @Test func tomlConstructsKeepLines() {
        let text = #"""
            [general] # comment ] = [
            admin_username = 'C:\x\'
            admin_password = "a\"b # no comment"
            k4 = """x""y\""""
            k5 = '''
            [k6] = 1
            '''''
            k8 = [ 1, 2, # ]
              3, ]
            k10 = { a = [ { b = "}" } ], "c d".e = +1.5e3 }
            k11 = 1979-05-27 07:32:00.5-07:00
            k12 = 1979-05-27T07:32:00Z
            k13.x . "y.z" = 0xdead_beef
            "k14" = -inf
            k15 = []
            k16 = {}
            k17 = ""
            [ "general" . k18 ]
            [pools]
            [[pools.db.users]]
            [[pools.db.users]]
            k22 = 07:32:00
            """#
        let found = Load.problems(toml: text)
        let unknown = found.filter { $0.reason == "unknown key" }.map { "\($0.line ?? 0) \($0.keyPath)" }
        #expect(
            unknown == [
                "4 general.k4", "5 general.k5", "8 general.k8", "10 general.k10", "11 general.k11", "12 general.k12",
                "13 general.k13", "14 general.k14", "15 general.k15", "16 general.k16", "17 general.k17",
                "18 general.k18", "22 pools.db.users[1].k22",
            ])
        #expect(!found.contains { $0.reason.contains("syntax") })
    }

    @Test func syntaxErrorsQuoteNothing() {
        for text in [
            "a: hunter2 hunter2: b\n", "admin_password: \"hunter2\n", "password: [hunter2\n", "- hunter2: a: b",
        ] {
            #expect(!SettingsProblemText.of(text).contains("hunter2"))
        }
        for text in ["password = hunter2\n", "password = \"hunter2\n", "password = \"a\" hunter2\n"] {
            #expect(!Load.problems(toml: text).map(\.description).joined().contains("hunter2"))
        }
    }

    @Test func temporalTOMLValueIsRefused() {
        let text = "[general]\nadmin_username = 1979-05-27\nadmin_password = \"x\"\n[pools]\n"
        #expect(Load.problems(toml: text).map(\.keyPath) == ["general.admin_username"])
    }

    @Test func mergeKeyIsRefused() {
        let text = "general: &g {admin_username: a, admin_password: b}\npools:\n  db:\n    <<: *g\n"
        #expect(Load.problems(yaml: text).map(\.reason) == ["YAML merge keys are not supported"])
    }
}

enum SettingsProblemText {
    /// The whole text that would be printed.
    static func of(_ yaml: String) -> String {
        do {
            _ = try Load.yaml(yaml)
            return ""
        } catch {
            return "\(error)"
        }
    }
}
