import HBA
import Sessions
import Settings
import Testing

@testable import Gateway

/// Rules that ask for certificates need authorities to check them with.
@Suite struct CertificateRuleTests {
    private static func settings(_ lines: String) throws -> GeneralSettings {
        let text = "general:\n  admin_username: a\n  admin_password: b\n\(lines)pools: {}\n"
        return try SettingsLoader.load(text: text, format: .yaml, path: "/etc/gw/main.yaml", environment: [:]).general
    }

    private static func rule(_ text: String) throws -> HBARule {
        let methods: Set<String> = ["cert", "scram-sha-256"]
        return try #require(
            try HBAPolicy.parse(
                text: "# rules\n\(text)\n", file: "hba", methods: methods, mapMethods: ["cert"],
                reader: PolicyFiles.reader
            ).rules.first)
    }

    @Test(arguments: [
        ("hostssl all all all cert", true), ("hostssl all all all cert map=x clientname=DN", true),
        ("hostssl all all all scram-sha-256 clientcert=verify-ca", true),
        ("hostssl all all all scram-sha-256 clientcert=verify-full", true),
        ("hostssl all all all scram-sha-256", false), ("host all all all scram-sha-256", false),
    ])
    func withoutAuthoritiesTheRuleIsNamed(text: String, asks: Bool) throws {
        let rule = try Self.rule(text)
        let pair = "  tls_certificate: /c\n  tls_private_key: /k\n"
        try Snapshot.checkCertificates(rule, Self.settings(pair + "  tls_ca_cert: /a\n").clientTLS)
        for lines in ["", pair] {
            let tls = try Self.settings(lines).clientTLS
            var refusal: String?
            do { try Snapshot.checkCertificates(rule, tls) } catch { refusal = error.description }
            let expected = "hba:2: client certificates can only be checked with general.tls_ca_cert"
            #expect(refusal == (asks ? expected : nil))
        }
    }

    @Test func rulesForTLSWithoutTLSAreSaid() throws {
        func warnings(_ lines: String, _ rules: String) throws -> [String] {
            let policy = try HBAPolicy.parse(
                text: rules, file: "hba", methods: ["trust"], mapMethods: [], reader: PolicyFiles.reader)
            return Snapshot.encryptionWarnings(policy, try Self.settings(lines).clientTLS)
        }
        let pair = "  tls_certificate: /c\n  tls_private_key: /k\n"
        let rules = "host all all all trust\nhostssl a all all trust\nhostssl b all all trust\n"
        for lines in ["", pair + "  tls_mode: disable\n"] {
            #expect(try warnings(lines, rules).count == 1)
            let first = try warnings(lines, rules).first
            #expect(first?.hasPrefix("hba:2: rules of type hostssl (2) let nobody in") == true)
            #expect(try warnings(lines, "host all all all trust\nhostnossl all all all trust\n").isEmpty)
        }
        #expect(try warnings(pair, rules).isEmpty)
    }

    /// The words of the settings and of the machines are the same.
    @Test func wordsAreShared() {
        #expect(TLSMode.allCases.map(\.rawValue) == ServerTransport.Mode.allCases.map(\.rawValue))
        #expect(
            ServerTLSSettings.Negotiation.allCases.map(\.rawValue)
                == ServerTransport.Negotiation.allCases.map(\.rawValue))
        #expect(
            ServerTLSSettings.ChannelBinding.allCases.map(\.rawValue)
                == ServerLogin.ChannelBinding.allCases.map(\.rawValue))
    }
}
