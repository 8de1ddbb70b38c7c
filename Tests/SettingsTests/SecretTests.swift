import Settings
import Testing

@Suite struct SecretTests {
    @Test func referencesAreReplaced() throws {
        let environment = ["A": "one", "B_2": "${A}", "P": "7000", "EMPTY": ""]
        func value(_ text: String) throws -> String {
            try Load.yaml(Load.general("unix_socket_dir: \"\(text)\""), environment: environment).general.unixSocketDir
                ?? ""
        }
        #expect(try value("/${A}") == "/one")
        #expect(try value("/x${A}y${A}z") == "/xoneyonez")
        #expect(try value("/${B_2}") == "/${A}")
        #expect(try value("/$${A}") == "/${A}")
        #expect(try value("/$$${A}") == "/$${A}")
        #expect(try value("/$A $ $$ ${EMPTY}") == "/$A $ $$ ")
        #expect(try Load.yaml(Load.general("port: ${P}"), environment: environment).general.port == 7000)
        let toml = "[general]\nadmin_username = \"a\"\nadmin_password = \"b\"\nport = \"${P}\"\n[pools]\n"
        #expect(try Load.toml(toml, environment: environment).general.port == 7000)
    }

    @Test(arguments: ["${NOT_SET}", "${", "${}", "${A", "${1A}", "${A-b}", "x${A B}"])
    func brokenReferences(text: String) {
        let problems = Load.problems(yaml: Load.general("host: \"\(text)\""), environment: ["A": "one"])
        #expect(problems.map(\.keyPath) == ["general.host"])
        #expect(problems.map(\.line) == [4])
    }

    @Test func verifiersPassUntouched() throws {
        let settings = try Load.yaml(Load.pool().replacing("password: \"\"", with: "password: \"\(Load.verifier)\""))
        #expect(settings.pools.first?.users.first?.password == SecretText(Load.verifier))
    }

    @Test func secretFiles() throws {
        let folder = try TemporaryFolder()
        try folder.write("pw", "hush\n")
        try folder.write("crlf", "hush\r\n")
        try folder.write("two", "hush\n\n")
        func password(_ value: String) throws -> SecretText {
            let path = try folder.write(
                "main.yaml", "general: {admin_username: a, admin_password: \"\(value)\"}\npools: {}\n")
            return try SettingsLoader.load(path: path, environment: ["D": folder.path]).general.adminPassword
        }
        #expect(try password("file:\(folder.path)/pw") == SecretText("hush"))
        #expect(try password("file:pw") == SecretText("hush"))
        #expect(try password("file:${D}/crlf") == SecretText("hush"))
        #expect(try password("file:two") == SecretText("hush\n"))
        #expect(throws: SettingsErrors.self) { try password("file:missing") }
        #expect(throws: SettingsErrors.self) { try password("file:\(folder.path)") }
        try folder.write("large", String(repeating: "x", count: 70_000))
        #expect(throws: SettingsErrors.self) { try password("file:large") }
    }

    @Test func filesAreForSecretsOnly() throws {
        let settings = try Load.yaml(Load.general("host: file:/etc/hostname"))
        #expect(settings.general.host == "file:/etc/hostname")
    }

    @Test func secretsStayHidden() throws {
        let text = Load.pool(user: ["server_username: s", "server_password: hunter2"])
            .replacing("admin_password: secret", with: "admin_password: hunter2")
        let settings = try Load.yaml(text)
        var dumped = ""
        dump(settings, to: &dumped)
        #expect(!dumped.contains("hunter2"))
        #expect(!"\(settings)".contains("hunter2"))
        #expect(!String(reflecting: settings).contains("hunter2"))
        #expect(!"\(settings.configRows())".contains("hunter2"))
        #expect(settings.configRows().first { $0.key == "general.admin_password" }?.value == "********")
        #expect(!settings.general.adminPassword.bytes.isEmpty)
    }

    @Test func refusedSecretsAreNotQuoted() {
        let lines = [
            "password: hunter2", "password: [hunter2]", "password: md5hunter2", "password: SCRAM-SHA-256$hunter2",
        ]
        for line in lines {
            let text = Load.pool().replacing("password: \"\"", with: line)
            let problems = Load.problems(yaml: text)
            #expect(problems.count == 1)
            #expect(!problems.map(\.description).joined().contains("hunter2"))
        }
        let fromEnvironment = Load.problems(yaml: Load.general("port: ${X}"), environment: ["X": "hunter2"])
        #expect(fromEnvironment.count == 1)
        #expect(!fromEnvironment.map(\.description).joined().contains("hunter2"))
    }

    @Test func equality() {
        #expect(SecretText("a") == SecretText("a"))
        #expect(SecretText("a") != SecretText("b"))
        #expect(SecretText("a") != SecretText("ab"))
    }
}
