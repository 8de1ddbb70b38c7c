import Settings
import Testing

@Suite struct QuantityTextTests {
    @Test(arguments: [
        ("3s", Duration.seconds(3)), ("3000", .seconds(3)), ("100us", .microseconds(100)),
        ("0.1ms", .microseconds(100)),
        ("1.5s", .milliseconds(1500)), ("2M", .seconds(120)), ("1h", .seconds(3600)), ("1d", .seconds(86_400)),
        (" 7 MS ", .milliseconds(7)), ("\"250ms\"", .milliseconds(250)), ("0.25h", .seconds(900)),
        ("\"3000\"", .seconds(3)), ("\" 100 \"", .milliseconds(100)),
    ])
    func durations(text: String, expected: Duration) throws {
        #expect(try Load.yaml(Load.general("query_wait_timeout: \(text)")).general.queryWaitTimeout == expected)
    }

    @Test(arguments: [
        "3 parsecs", "-3s", "-1", "s", "\"\"", "\"1.5\"", "1.5", "1..5s", "1.s", ".5s", "99999999999999999999s",
        "3651d",
        "0.0000001s", "1.5.5s", "0x10", "١s", "true", "[1]", "{a: 1}", "9223372036854775807d", "0", "0.1us",
    ])
    func refusedDurations(text: String) {
        let problems = Load.problems(yaml: Load.general("query_wait_timeout: \(text)"))
        #expect(problems.map(\.keyPath) == ["general.query_wait_timeout"])
        #expect(problems.first?.line == 4)
    }

    @Test(arguments: [
        ("1048576", 1 << 20), ("1MB", 1 << 20), ("256m", 256 << 20), ("64k", 64 << 10), ("64KB", 64 << 10),
        ("1G", 1 << 30),
        ("12B", 12), ("0", 0), ("\"1048576\"", 1 << 20),
    ])
    func sizes(text: String, expected: Int) throws {
        #expect(try Load.yaml(Load.general("tcp_socket_buffer_size: \(text)")).general.tcpSocketBufferSize == expected)
    }

    @Test(arguments: ["1.5MB", "-1", "1TB", "\"\"", "2G", "99999999999999999999", "9999999999999999GB", "MB", "[]"])
    func refusedSizes(text: String) {
        let problems = Load.problems(yaml: Load.general("tcp_socket_buffer_size: \(text)"))
        #expect(problems.map(\.keyPath) == ["general.tcp_socket_buffer_size"])
    }

    @Test(arguments: [("0600", UInt32(0o600)), ("\"600\"", 0o600), ("0o660", 0o660), ("0O660", 0o660), ("0777", 0o777)])
    func modes(text: String, expected: UInt32) throws {
        #expect(try Load.yaml(Load.general("unix_socket_mode: \(text)")).general.unixSocketMode == expected)
    }

    @Test(arguments: ["\"\"", "\"0800\"", "01777", "rw", "7777777777777777777777", "-1"])
    func refusedModes(text: String) {
        #expect(
            Load.problems(yaml: Load.general("unix_socket_mode: \(text)")).map(\.keyPath) == [
                "general.unix_socket_mode"
            ])
    }

    @Test func modeAsTOMLNumberIsRefused() {
        let text = "[general]\nadmin_username = \"a\"\nadmin_password = \"b\"\nunix_socket_mode = 0o777\n[pools]\n"
        #expect(Load.problems(toml: text).map(\.line) == [4])
    }

    @Test func secondsTakeUnits() throws {
        let settings = try Load.yaml(Load.general("tcp_keepalives_idle: 2m", "tcp_user_timeout: 0"))
        #expect(settings.general.tcpKeepalivesIdle == .seconds(120))
        #expect(settings.general.tcpUserTimeout == .zero)
        #expect(!Load.problems(yaml: Load.general("tcp_keepalives_idle: 1500ms")).isEmpty)
    }

    /// PostgreSQL's and libpq's word for the system's own value.
    @Test func keepalivesTakeZero() throws {
        let general = try Load.yaml(
            Load.general("tcp_keepalives_idle: 0", "tcp_keepalives_count: 0", "tcp_keepalives_interval: 0")
        ).general
        #expect(general.tcpKeepalivesIdle == .zero && general.tcpKeepalivesInterval == .zero)
        #expect(general.tcpKeepalivesCount == 0)
        for key in ["idle", "count", "interval"] {
            #expect(!Load.problems(yaml: Load.general("tcp_keepalives_\(key): -1")).isEmpty)
        }
    }

    /// A close never waits: the key of pg_doorman is checked, and said to have no effect.
    @Test func lingeringIsCheckedAndHasNoEffect() throws {
        let settings = try Load.yaml(Load.general("tcp_so_linger: 3"))
        #expect(settings.warnings.contains { $0.contains("tcp_so_linger") && $0.contains("close never waits") })
        #expect(!Load.problems(yaml: Load.general("tcp_so_linger: soon")).isEmpty)
    }

    @Test func deferredAcceptIsWholeSecondsUpToAnHour() throws {
        #expect(try Load.yaml(Load.general()).general.tcpDeferAccept == .seconds(1))
        for (text, seconds) in [("0", 0), ("1", 1), ("3s", 3), ("2m", 120), ("1h", 3600), ("3600", 3600)] {
            let settings = try Load.yaml(Load.general("tcp_defer_accept: \(text)"))
            #expect(settings.general.tcpDeferAccept == .seconds(seconds), "\(text)")
        }
        for text in ["3601", "-1", "500ms", "1500ms", "yes", "1.5", "2h", "''"] {
            #expect(!Load.problems(yaml: Load.general("tcp_defer_accept: \(text)")).isEmpty, "\(text)")
        }
    }
}
