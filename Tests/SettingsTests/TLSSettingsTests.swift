import Settings
import Testing

@Suite struct TLSSettingsTests {
    static func isAboutTLS(_ key: SettingsKey) -> Bool {
        key.name.hasPrefix("tls_") || key.name.hasPrefix("server_tls_") || key.name == "server_channel_binding"
    }

    private static let clientKeys = [
        "tls_mode: allow", "tls_certificate: /a", "tls_private_key: /a", "tls_ca_cert: /a", "tls_crl_file: /a",
        "tls_min_version: TLSv1.2", "tls_max_version: TLSv1.3", "tls_ciphers: HIGH", "tls_ciphersuites: A",
        "tls_curves: X25519", "tls_session_tickets: false", "tls_rate_limit_per_second: 0",
    ]
    private static let serverKeys = [
        "server_tls_mode: require", "server_tls_ca_cert: /a", "server_tls_certificate: /a",
        "server_tls_private_key: /a", "server_tls_crl_file: /a", "server_tls_min_version: TLSv1.2",
        "server_tls_max_version: TLSv1.3", "server_tls_ciphers: HIGH", "server_tls_negotiation: postgres",
        "server_channel_binding: prefer",
    ]
    private static let others = [
        "tls_mode": "require", "tls_min_version": "TLSv1.3", "tls_max_version": "TLSv1.2",
        "tls_session_tickets": "true", "tls_rate_limit_per_second": "7", "server_tls_mode": "VERIFY-full",
        "server_tls_min_version": "TLSv1.3", "server_tls_max_version": "TLSv1.2", "server_tls_negotiation": "direct",
        "server_channel_binding": "require", "tls_server_names": "[db.example.com]",
    ]

    /// A file with the lines in `general` and in its pool `db`.
    private static func file(_ general: [String] = [], pool: [String] = []) -> String {
        Load.pool(pool).replacing("general:\n", with: "general:\n" + general.map { "  \($0)\n" }.joined())
    }

    private static func name(_ line: String) -> String { String(line.prefix { $0 != ":" }) }

    private static func changed(_ lines: [String], _ line: String) -> [String] {
        let name = Self.name(line)
        return lines.map { $0 == line ? "\(name): \(Self.others[name] ?? "/other")" : $0 }
    }

    /// No key is dead: another value of each changes the settings and `SHOW CONFIG`.
    @Test func everyKeyReachesTheSettings() throws {
        let general = Self.clientKeys + Self.serverKeys
        let names = Set(general.map(Self.name))
        #expect(names == Set(SettingsTable.keys.filter(Self.isAboutTLS).map(\.name)).subtracting(["tls_server_names"]))
        let before = try Load.yaml(Self.file(general))
        #expect(before.warnings.isEmpty)
        for line in Self.clientKeys {
            let after = try Load.yaml(Self.file(Self.changed(general, line)))
            #expect(before.general.clientTLS != after.general.clientTLS && before.pools == after.pools, "\(line)")
            #expect(before.configRows() != after.configRows(), "\(line)")
        }
        for line in Self.serverKeys {
            let after = try Load.yaml(Self.file(Self.changed(general, line)))
            #expect(before.pools != after.pools && before.general == after.general, "\(line)")
            let name = Self.name(line)
            let own = try Load.yaml(Self.file(general, pool: ["\(name): \(Self.others[name] ?? "/other")"]))
            #expect(own.pools.map(\.serverTLS) == after.pools.map(\.serverTLS), "\(line)")
            #expect(own.configRows() != before.configRows(), "\(line)")
        }
        let named = try Load.yaml(Self.file(general, pool: ["tls_server_names: [db.example.com]"]))
        #expect(named.pools != before.pools && named.serverNames != before.serverNames)
    }

    @Test func defaults() throws {
        let settings = try Load.yaml(Load.pool())
        let client = settings.general.clientTLS
        #expect(client.mode == nil && !client.isOffered && !client.isRequired && client.clientCertificates == .ignored)
        #expect(client.minVersion == .tls12 && client.maxVersion == nil && !client.sessionTickets)
        #expect(client.rateLimitPerSecond == 0)
        let server = try #require(settings.pool("db")?.serverTLS)
        #expect(server.mode == .allow && server.negotiation == .postgres && server.channelBinding == .prefer)
        #expect(server.verification == .none && server.minVersion == .tls12 && server.caCert == nil)
    }

    @Test(arguments: [
        ("", true, false), ("disable", false, false), ("allow", true, false), ("prefer", true, false),
        ("require", true, true), ("verify-ca", true, true), ("verify-full", true, true),
    ])
    func whatClientsAreOffered(mode: String, isOffered: Bool, isRequired: Bool) throws {
        let lines = ["tls_certificate: c.pem", "tls_private_key: k.pem", "tls_ca_cert: a.pem"]
        let text = Self.file(lines + (mode.isEmpty ? [] : ["tls_mode: \(mode)"]))
        let client = try Load.yaml(text).general.clientTLS
        #expect(client.isOffered == isOffered && client.isRequired == isRequired)
        #expect(client.clientCertificates == (mode.hasPrefix("verify") ? .required : .optional))
        #expect(client.certificate == "/etc/gw/c.pem" && client.caCert == "/etc/gw/a.pem")
    }

    @Test(arguments: [
        ("disable", ServerTLSSettings.Verification.none, ServerTLSSettings.Verification.none), ("allow", .none, .none),
        ("PREFER", .none, .none), ("require", .none, .chain), ("verify-ca", .chain, .chain),
        ("Verify-Full", .chainAndHost, .chainAndHost),
    ])
    func whatIsCheckedOfServers(
        mode: String, without: ServerTLSSettings.Verification, with: ServerTLSSettings.Verification
    ) throws {
        let lines = ["server_tls_mode: \(mode)"]
        if without == .none {
            #expect(try Load.yaml(Self.file(lines)).pool("db")?.serverTLS.verification == without)
        }
        let settings = try Load.yaml(Self.file(lines + ["server_tls_ca_cert: /a"]))
        #expect(settings.pool("db")?.serverTLS.verification == with)
    }

    @Test(arguments: [
        (["tls_certificate: /c"], "tls_certificate"), (["tls_private_key: /k"], "tls_private_key"),
        (["tls_mode: require"], "tls_mode"), (["tls_mode: verify-ca", "tls_ca_cert: /a"], "tls_mode"),
        (["tls_mode: verify-full", "tls_certificate: /c", "tls_private_key: /k"], "tls_mode"),
        (["tls_mode: verify-ca", "tls_certificate: /c", "tls_private_key: /k"], "tls_mode"),
        (["tls_min_version: TLSv1.3", "tls_max_version: TLSv1.2"], "tls_max_version"),
        (["tls_min_version: TLSv1.1"], "tls_min_version"), (["tls_ciphers: \"\""], "tls_ciphers"),
        (["tls_curves: \"\""], "tls_curves"), (["tls_mode: sometimes"], "tls_mode"),
        (["server_tls_certificate: /c"], "server_tls_certificate"),
        (["server_tls_private_key: /c"], "server_tls_private_key"), (["server_tls_mode: verify-ca"], "server_tls_mode"),
        (["server_tls_mode: verify-full"], "server_tls_mode"),
        (["server_tls_negotiation: direct"], "server_tls_negotiation"),
        (["server_tls_negotiation: direct", "server_tls_mode: prefer"], "server_tls_negotiation"),
        (["server_channel_binding: require"], "server_channel_binding"),
        (["server_channel_binding: require", "server_tls_mode: disable"], "server_channel_binding"),
        (["server_tls_min_version: TLSv1.3", "server_tls_max_version: TLSv1.2"], "server_tls_max_version"),
    ])
    func refused(lines: [String], key: String) {
        let problems = Load.problems(yaml: Self.file(lines))
        #expect(problems.map(\.keyPath) == ["general.\(key)"])
        #expect((2...3).contains(problems.first?.line ?? 0))
        guard key.hasPrefix("server_") else { return }
        #expect(Load.problems(yaml: Self.file(pool: lines)).map(\.keyPath) == ["pools.db.\(key)"])
    }

    /// What `general` gets wrong is reported once, not for each pool.
    @Test func generalIsReportedOnce() {
        let text = Self.file(["server_tls_mode: verify-full"]) + "  other: {users: [{username: b, password: \"\"}]}\n"
        #expect(Load.problems(yaml: text).map(\.keyPath) == ["general.server_tls_mode"])
    }

    /// Key by key: a pool may complete what `general` begins.
    @Test func poolsCompleteGeneral() throws {
        let text = Self.file(
            ["server_tls_mode: verify-full", "server_tls_ciphers: HIGH"],
            pool: ["server_tls_ca_cert: ca.pem", "server_channel_binding: Require"])
        let server = try #require(try Load.yaml(text).pool("db")?.serverTLS)
        #expect(server.mode == .verifyFull && server.caCert == "/etc/gw/ca.pem" && server.ciphers == "HIGH")
        #expect(server.channelBinding == .require)
    }

    @Test func unixSocketsHaveNoTLS() throws {
        let socket = "server_host: /run/postgresql"
        #expect(try Load.yaml(Self.file(pool: [socket, "server_tls_mode: require"])).warnings.count == 1)
        #expect(try Load.yaml(Self.file(["server_tls_mode: require"], pool: [socket])).warnings.isEmpty)
        let bound = Self.file(["server_tls_mode: require", "server_channel_binding: require"], pool: [socket])
        #expect(Load.problems(yaml: bound).map(\.keyPath) == ["general.server_channel_binding"])
    }

    /// A certificate that is not used, and keys that wait for one.
    @Test func whatIsSetInVainIsSaid() throws {
        let pair = ["tls_certificate: /c", "tls_private_key: /k"]
        let off = try Load.yaml(Self.file(pair + ["tls_mode: disable"])).warnings
        #expect(off.count == 1 && off.allSatisfy { $0.contains("general.tls_mode: is `disable`: clients get no TLS") })
        #expect(try Load.yaml(Self.file(["tls_ca_cert: /a"])).warnings.count == 1)
        #expect(try Load.yaml(Self.file(["tls_mode: prefer"])).warnings.count == 1)
        #expect(try Load.yaml(Self.file(["tls_mode: disable"])).warnings.isEmpty)
        #expect(try Load.yaml(Self.file(pair + ["tls_mode: prefer"])).warnings.isEmpty)
        let names = ["tls_server_names: [db.example.com]"]
        #expect(try Load.yaml(Self.file(pool: names)).warnings.count == 1)
        #expect(try Load.yaml(Self.file(pair, pool: names)).warnings.isEmpty)
    }
}

@Suite struct TLSServerNamesTests {
    private static func pools(_ pools: (name: String, database: String, names: String)...) -> String {
        let pair = "  tls_certificate: /c\n  tls_private_key: /k\n"
        let text = Load.general().replacing("general:\n", with: "general:\n\(pair)")
            .replacing("pools: {}\n", with: "pools:\n")
        return pools.reduce(text) {
            $0 + "  \($1.name): {server_database: \($1.database), tls_server_names: [\($1.names)], "
                + "users: [{username: a, password: \"\"}]}\n"
        }
    }

    @Test func namesLeadToPools() throws {
        let names = try Load.yaml(
            Self.pools(
                ("shop_eu", "shop", "EU.example.com"), ("shop_us", "shop", "us.example.com"),
                ("rest", "shop", "\"*.example.com\""), ("plain", "plain", "eu.example.com, \"*.other.org\""))
        ).serverNames
        #expect(names.pool(serverName: "eu.example.com", database: "shop") == "shop_eu")
        #expect(names.pool(serverName: "US.Example.COM", database: "shop") == "shop_us")
        #expect(names.pool(serverName: "eu.example.com", database: "shop_eu") == "shop_eu")
        #expect(names.pool(serverName: "eu.example.com", database: "plain") == "plain")
        #expect(names.pool(serverName: "asia.example.com", database: "shop") == "rest")
        #expect(names.pool(serverName: "eu.example.com", database: "rest") == "rest")
        #expect(names.pool(serverName: "a.b.example.com", database: "shop") == nil)
        #expect(names.pool(serverName: "example.com", database: "shop") == nil)
        #expect(names.pool(serverName: ".example.com", database: "shop") == nil)
        #expect(names.pool(serverName: "eu.example.com", database: "SHOP") == nil)
        #expect(names.pool(serverName: "", database: "shop") == nil)
        #expect(names.pool(serverName: ".", database: "shop") == nil)
    }

    @Test(arguments: [
        ("a.example.com", "A.EXAMPLE.com"), ("\"*.example.com\"", "\"*.Example.com\""),
    ])
    func twoPoolsForOneNameAreRefused(first: String, second: String) {
        let problems = Load.problems(yaml: Self.pools(("p1", "shop", first), ("p2", "shop", second)))
        #expect(problems.map(\.keyPath) == ["pools.p2.tls_server_names"])
        #expect(problems.first?.reason.contains("leads to the pools `p1` and `p2`") == true)
        let crossed = Load.problems(yaml: Self.pools(("p1", "p2", first), ("p2", "x", second)))
        #expect(crossed.map(\.keyPath) == ["pools.p2.tls_server_names"])
        #expect(Load.problems(yaml: Self.pools(("p1", "shop", "\(first), \(second)"), ("p2", "x", second))).isEmpty)
    }

    @Test(arguments: [
        "\"\"", "\"*\"", "\"*.\"", "10.0.0.1", "\"a..b\"", "\".a\"", "a.", "\"a.*.b\"", "\"x*.b\"", "\"a b\"", "ä.de",
        "\"::1\"", "\"a:b\"", String(repeating: "a", count: 64) + ".de", String(repeating: "a.", count: 127) + "de",
    ])
    func otherThanHostNamesAreRefused(name: String) {
        let problems = Load.problems(yaml: Self.pools(("p1", "shop", name)))
        #expect(problems.map(\.keyPath) == ["pools.p1.tls_server_names"])
    }
}
