import Settings
import Testing

@Suite struct StartupParameterTests {
    private static func file(general: String? = nil, pool: String? = nil, user: String? = nil) -> String {
        func line(_ value: String?) -> [String] { value.map { ["startup_parameters: \($0)"] } ?? [] }
        let text = Load.pool(line(pool), user: line(user))
        guard let general else { return text }
        return text.replacing("general:\n", with: "general:\n  startup_parameters: \(general)\n")
    }

    private static func effective(_ text: String) throws -> [String] {
        let user = try #require(try Load.yaml(text).pool("db")?.user("app"))
        return user.startupParameters.map { "\($0.name)=\($0.value) \($0.source.rawValue)" }
    }

    @Test func levelsGoOverOneAnotherNameByName() throws {
        #expect(try Self.effective(Self.file()) == [])
        let text = Self.file(
            general: "{a: general, b: general, c: general}",
            pool: "{B: pool, C: pool, d: pool}",
            user: "{c: user, D: user}"
        )
        #expect(try Self.effective(text) == ["a=general general", "B=pool pool", "c=user user", "D=user user"])
        #expect(try Load.yaml(text).warnings.isEmpty)
    }

    @Test func tomlTakesThemAsWell() throws {
        let text = """
            [general]
            admin_username = "a"
            admin_password = "p"
            startup_parameters = { work_mem = "4MB", "my.setting" = "x" }
            [pools.db]
            [[pools.db.users]]
            username = "app"
            password = ""
            """
        let user = try #require(try Load.toml(text).pool("db")?.user("app"))
        #expect(user.startupParameters.map(\.name) == ["my.setting", "work_mem"])
    }

    @Test(arguments: [
        "user", "DATABASE", "replication", "Options", "role", "session_authorization", "_pq_.x", "_PQ_.y", "\"\"",
        "\"a b\"", "1a", ".a", "a-b", "\"a'b\"", "é", "\"a=b\"", "a$",
    ])
    func namesThatAreRefused(name: String) {
        let bare = name.filter { $0 != "\"" }
        let map = "{\(name): x}"
        for text in [Self.file(general: map), Self.file(pool: map), Self.file(user: map)] {
            let problems = Load.problems(yaml: text)
            #expect(problems.count == 1)
            #expect(problems.first?.keyPath.hasSuffix("startup_parameters.\(bare)") == true, "\(problems)")
        }
    }

    @Test(arguments: ["work_mem", "TimeZone", "_a", "my.own.setting", "a1", "application_name", "_pq", "users"])
    func namesThatAreTaken(name: String) throws {
        #expect(try Self.effective(Self.file(pool: "{\(name): x}")) == ["\(name)=x pool"])
    }

    @Test func oneLevelHasEachNameOnce() throws {
        let problems = Load.problems(yaml: Self.file(pool: "{TimeZone: a, timezone: b}"))
        #expect(problems.map(\.reason) == ["`TimeZone` and `timezone` are the same parameter"])
        #expect(try Self.effective(Self.file(general: "{TimeZone: a}", pool: "{timezone: b}")) == ["timezone=b pool"])
    }

    @Test(arguments: [("{a: 5}", true), ("{a: [1]}", false), ("[a]", false), ("a", false), ("{a: \"\\0\"}", false)])
    func shapes(value: String, isGood: Bool) {
        #expect(Load.problems(yaml: Self.file(pool: value)).isEmpty == isGood)
    }

    /// 10 000 bytes make a startup packet; 512 of them are kept for the rest of it.
    @Test func aLevelHasABound() {
        let fits = String(repeating: "x", count: 9488 - 3)
        #expect(Load.problems(yaml: Self.file(pool: "{a: \(fits)}")).isEmpty)
        let problems = Load.problems(yaml: Self.file(general: "{a: \(fits)x}"))
        #expect(problems.map(\.keyPath) == ["general.startup_parameters", "pools.db.users[0].startup_parameters"])
        #expect(problems.first?.reason.contains("9489") == true)
    }

    @Test func theLevelsTogetherHaveTheSameBound() {
        let half = String(repeating: "x", count: 5000)
        #expect(Load.problems(yaml: Self.file(general: "{a: \(half)}", pool: "{a: \(half)}")).isEmpty)
        #expect(Load.problems(yaml: Self.file(general: "{a: \(half)}", pool: "{b: \(half)}")).count == 1)
    }

    @Test func theWholePacketHasABound() {
        let fits = String(repeating: "x", count: 9488 - 3)
        for (length, isGood) in [(100, true), (600, false)] {
            let name = "server_database: \(String(repeating: "d", count: length))"
            let problems = Load.problems(yaml: Load.pool([name, "startup_parameters: {a: \(fits)}"]))
            #expect(problems.isEmpty == isGood)
        }
    }

    @Test func settingsShowThem() throws {
        let rows = try Load.yaml(Self.file(general: "{b: 1, a: 2}", user: "{c: 3}")).configRows()
        func value(_ key: String) -> String? { rows.first { $0.key == key }?.value }
        #expect(value("general.startup_parameters") == "a=2, b=1")
        #expect(value("pools.db.users.app.startup_parameters") == "c=3")
    }
}
