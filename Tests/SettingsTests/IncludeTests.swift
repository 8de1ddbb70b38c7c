import Settings
import Testing

@Suite struct IncludeTests {
    private let main = """
        general: {admin_username: admin, admin_password: secret, port: 1000}
        pools:
          db:
            server_host: first.example
            users: [{username: one, password: ""}]
        include:
          files: [more.toml, last.yaml]
        """

    @Test func filesAreMergedInOrder() throws {
        let folder = try TemporaryFolder()
        let path = try folder.write("main.yaml", self.main)
        let second = try folder.write(
            "more.toml",
            """
            [general]
            port = 2000
            idle_timeout = "1m"
            [pools.db]
            server_port = 6000
            [[pools.db.users]]
            username = "two"
            password = ""
            [pools.other]
            """)
        let third = try folder.write("last.yaml", "general: {port: 3000}\n")
        let settings = try SettingsLoader.load(path: path, environment: [:])
        #expect(settings.general.port == 3000)
        #expect(settings.general.idleTimeout == .seconds(60))
        #expect(settings.pools.map(\.name) == ["db", "other"])
        #expect(settings.pool("db")?.serverHost == "first.example")
        #expect(settings.pool("db")?.serverPort == 6000)
        #expect(settings.pool("db")?.users.map(\.username) == ["one", "two"])
        #expect(settings.sourceFiles == [path, second, third])
    }

    @Test func problemsNameTheFileThatHasThem() throws {
        let folder = try TemporaryFolder()
        let path = try folder.write("main.yaml", self.main.replacing("port: 1000", with: "prot: 1000"))
        let second = try folder.write("more.toml", "[general]\n\nprot = 1\n[pools.db.users.0]\nusername = \"x\"\n")
        let third = try folder.write("last.yaml", "general:\n  port: none\ninclude: {files: [x]}\n")
        let errors = #expect(throws: SettingsErrors.self) { try SettingsLoader.load(path: path, environment: [:]) }
        #expect(errors?.problems.map { "\($0.file):\($0.line ?? 0):\($0.keyPath)" } == ["\(second):4:pools.db.users"])
        try folder.write("more.toml", "[general]\n\nprot = 1\n")
        let others = #expect(throws: SettingsErrors.self) { try SettingsLoader.load(path: path, environment: [:]) }
        #expect(
            others?.problems.map { "\($0.file):\($0.line ?? 0):\($0.keyPath)" } == [
                "\(second):3:general.prot", "\(third):2:general.port",
            ])
    }

    @Test func missingAndBrokenFilesAreReportedTogether() throws {
        let folder = try TemporaryFolder()
        let path = try folder.write("main.yaml", self.main)
        let third = try folder.write("last.yaml", "general: [\n")
        let errors = #expect(throws: SettingsErrors.self) { try SettingsLoader.load(path: path, environment: [:]) }
        #expect(errors?.problems.map(\.file) == [path, third])
        #expect(errors?.problems.map(\.line) == [7, 2])
    }

    @Test func nestedIncludeIsNotFollowed() throws {
        let folder = try TemporaryFolder()
        let path = try folder.write("main.yaml", self.main)
        try folder.write("more.toml", "include = { files = [\"missing.yaml\"] }\n")
        try folder.write("last.yaml", "# empty\n")
        let settings = try SettingsLoader.load(path: path, environment: [:])
        #expect(settings.warnings.contains { $0.contains("is not followed") })
        #expect(settings.general.port == 1000)
    }

    @Test func oldAndNewNamesMeet() throws {
        let folder = try TemporaryFolder()
        let path = try folder.write("main.yaml", self.main + "\nprometheus: {port: 1}\n")
        try folder.write("more.toml", "[web]\nport = 2\n")
        try folder.write("last.yaml", "")
        _ = try SettingsLoader.load(path: path, environment: [:])
    }

    @Test func unreadableMainFile() throws {
        let folder = try TemporaryFolder()
        for path in ["\(folder.path)/missing.yaml", folder.path] {
            let errors = #expect(throws: SettingsErrors.self) { try SettingsLoader.load(path: path, environment: [:]) }
            #expect(errors?.problems.count == 1)
            #expect(errors?.description.hasPrefix("Config parse error: \(path)") == true)
        }
    }

    @Test func oversizedFileIsRefused() throws {
        let folder = try TemporaryFolder()
        let comment = "#" + String(repeating: "x", count: SettingsLimits.maximumFileBytes)
        let path = try folder.write("main.yaml", self.main + "\n" + comment)
        let errors = #expect(throws: SettingsErrors.self) { try SettingsLoader.load(path: path, environment: [:]) }
        #expect(errors?.problems.first?.reason.contains("larger than") == true)
    }

    @Test func byteOrderMarkAndLineEnds() throws {
        let folder = try TemporaryFolder()
        let text = "\u{FEFF}general:\r\n  admin_username: a\r\n  admin_password: b\r\n  prot: 1\r\npools: {}\r\n"
        let path = try folder.write("main.yml", text)
        let errors = #expect(throws: SettingsErrors.self) { try SettingsLoader.load(path: path, environment: [:]) }
        #expect(errors?.problems.map(\.line) == [4])
        let toml = try folder.write(
            "main.conf", "[general]\r\nadmin_username = 'a'\r\nadmin_password = 'b'\r\nprot = 1\r\n[pools]\r\n")
        let others = #expect(throws: SettingsErrors.self) { try SettingsLoader.load(path: toml, environment: [:]) }
        #expect(others?.problems.map(\.line) == [4])
    }
}
