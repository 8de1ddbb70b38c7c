import Settings
import Testing

/// No content of a file may stop the process. Mutations are drawn from a fixed sequence, so a failure repeats.
@Suite struct FuzzTests {
    /// A small generator with a known sequence (xorshift).
    private struct Sequence64: RandomNumberGenerator {
        var state: UInt64

        mutating func next() -> UInt64 {
            self.state ^= self.state << 13
            self.state ^= self.state >> 7
            self.state ^= self.state << 17
            return self.state
        }
    }

    private static let yaml = """
        general: &g
          admin_username: admin
          admin_password: "${ADMIN}"
          port: 6432
          pg_hba:
            content: |
              host all all 127.0.0.1/32 trust
          idle_timeout: 1.5s   # comment
          tcp_socket_buffer_size: 256KB
          startup_parameters: {a: b}
        pools:
          db: &p
            users: [{username: 'a', password: ""}, {username: b, password: md5, pool_size: 3}]
          other: *p
          third: {users: {0: {username: c, password: ""}}}
        web: {enabled: true}
        """

    private static let toml = """
        [general]
        admin_username = "admin"
        admin_password = '''x'''
        port = 6432 # comment
        idle_timeout = "1.5s"
        pg_hba = { content = \"\"\"
        host all all 127.0.0.1/32 trust\"\"\" }
        hba = [ "10.0.0.0/8",
          "::1" ]
        [pools."a.b"]
        server_port = 5_432
        [[pools.db.users]]
        username = "a"
        password = ""
        [pools.other.users.0]
        username = "b"
        """

    private static let pieces = [
        "[", "]", "{", "}", ":", "- ", "? ", "&a ", "*a", "#", "\"", "'", "\n", "\t", "  ", "---\n", "|", ">", "!!str ",
        "!",
        "%",
        "@", "`", "=", "[[", "]]", ".", "\"\"\"", "'''", "\\", "\\u0000", "${", "$${", "file:", "\u{0}", "\u{85}",
        "\u{FEFF}",
        "99999999999999999999", "-1", "1e999", "nan", "0x", "null", "~", "<<: *g", ",", "é", "\u{1F600}", "\u{7F}",
        "\r",
        "1979-05-27T07:32:00Z",
    ]

    private static func mutated(_ text: String, _ random: inout Sequence64) -> String {
        var bytes = Array(text.utf8)
        for _ in 0..<Int.random(in: 1...4, using: &random) {
            let start = Int.random(in: 0...bytes.count, using: &random)
            let end = min(bytes.count, start + Int.random(in: 0...12, using: &random))
            switch Int.random(in: 0...4, using: &random) {
            case 0: bytes.removeSubrange(start..<end)
            case 1: bytes.insert(contentsOf: Self.pieces.randomElement(using: &random)?.utf8 ?? "".utf8, at: start)
            case 2: bytes.insert(contentsOf: Array(bytes[start..<end]), at: start)
            case 3: bytes.replaceSubrange(start..<end, with: Self.pieces.randomElement(using: &random)?.utf8 ?? "".utf8)
            default: bytes.removeSubrange(start...)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    @Test func mutationsNeverTrap() {
        var random = Sequence64(state: 0x9E37_79B9_7F4A_7C15)
        var refused = 0
        for _ in 0..<2_000 {
            refused += Load.problems(yaml: Self.mutated(Self.yaml, &random)).isEmpty ? 0 : 1
            refused += Load.problems(toml: Self.mutated(Self.toml, &random)).isEmpty ? 0 : 1
        }
        #expect(refused > 500)
    }

    @Test func everyPrefixIsHandled() {
        for cut in 0...Self.yaml.utf8.count {
            _ = Load.problems(yaml: String(decoding: Self.yaml.utf8.prefix(cut), as: UTF8.self))
        }
        for cut in 0...Self.toml.utf8.count {
            _ = Load.problems(toml: String(decoding: Self.toml.utf8.prefix(cut), as: UTF8.self))
        }
    }

    @Test func everyPrefixOfTheSampleIsHandled() {
        let sample = SettingsReference.sampleYAML
        for cut in stride(from: 0, to: sample.utf8.count, by: 37) {
            let prefix = String(decoding: sample.utf8.prefix(cut), as: UTF8.self)
            _ = Load.problems(yaml: prefix, environment: ReferenceTests.sampleEnvironment)
        }
    }
}
