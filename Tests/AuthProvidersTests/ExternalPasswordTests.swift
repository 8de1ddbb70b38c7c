import AuthProviderTestKit
import Sessions
import Testing

@testable import AuthProviders

/// PAM and LDAP as far as they need no service: options, and passwords that never get to a library.
struct ExternalPasswordTests {
    private static func provider(
        _ method: String,
        _ entries: [(name: String, value: String)]
    ) throws -> any AuthProvider {
        let options = try MethodOptions(method: method, entries: entries)
        return try AuthProviderRegistry.standard()
            .makeProvider(options: options, services: try TestSetting.services())
    }

    @Test(arguments: [
        "", "a/b", "../passwd", ".hidden", "a b", "no-such-service-here", String(repeating: "x", count: 65),
    ])
    func pamServicesThatDoNotExist(service: String) {
        #expect(throws: AuthConfigurationError.self) { try Self.provider("pam", [("pamservice", service)]) }
    }

    /// libpam would quietly take the service `other`.
    @Test func aMissingPAMServiceIsNamed() {
        do {
            _ = try Self.provider("pam", [("pamservice", "No-Such-Service")])
            Issue.record("accepted")
        } catch {
            #expect("\(error)".contains("/etc/pam.d/no-such-service"))
        }
    }

    @Test(arguments: ["0", "1"])
    func pamOptions(flag: String) throws {
        _ = try Self.provider("pam", [("pamservice", "other"), ("pam_use_hostname", flag)])
    }

    @Test(arguments: [("pam_service", "other"), ("map", "x"), ("pam_use_hostname", "x")])
    func refusedPAMOptions(name: String, value: String) {
        let entries = [(name: "pamservice", value: "other"), (name: name, value: value)]
        #expect(throws: AuthConfigurationError.self) { try Self.provider("pam", entries) }
    }

    @Test(arguments: [
        ("pam", [("pamservice", "other")], "PAM"),
        ("ldap", [("ldapserver", "127.0.0.1"), ("ldapport", "1"), ("ldapprefix", "cn=")], "LDAP"),
    ])
    func emptyPasswords(method: String, entries: [(String, String)], name: String) async throws {
        let provider = try Self.provider(method, entries.map { (name: $0.0, value: $0.1) })
        let client = ScriptedClient(user: "ann", .password(""))
        do {
            _ = try await provider.authenticate(try TestSetting.attempt("ann", method: method), over: client)
            Issue.record("admitted")
        } catch let failure as AuthFailure {
            #expect(failure.reason == .passwordWrong)
            #expect(failure.sqlStateText == "28P01")
            #expect(failure.clientText == "\(name) authentication failed for user \"ann\"")
            #expect(client.requests == [.cleartext])
        }
    }

    @Test func longPasswordsDoNotReachPAM() async throws {
        let provider = try Self.provider("pam", [("pamservice", "other")])
        let password = String(repeating: "x", count: 512)
        do {
            let client = ScriptedClient(user: "ann", .password(password))
            _ = try await provider.authenticate(try TestSetting.attempt("ann", method: "pam"), over: client)
            Issue.record("admitted")
        } catch let failure as AuthFailure {
            #expect(failure.logText.contains("511 bytes") && !failure.logText.contains("xxx"))
        }
    }

    /// A user with `auth_pam_service` under a rule `md5` looks like every other user of that rule.
    @Test func theRuleDecidesAboutTheText() throws {
        let attempt = try TestSetting.attempt("ann", method: "md5")
        let failure = AuthFailure.refused(attempt, by: "PAM", reason: .passwordWrong, log: "no")
        #expect(failure.clientText == "password authentication failed for user \"ann\"")
        #expect(failure.sqlStateText == "28P01")
        #expect(failure.logText == "PAM: no")
    }

    @Test func foreignTextsAreShortLines() {
        #expect(ExternalPassword.excerpt("a\nb\u{1b}[0m") == "a b [0m")
        #expect(ExternalPassword.excerpt(String(repeating: "é", count: 1000)).count == 300)
    }
}
