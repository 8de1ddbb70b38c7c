import Foundation
import Sessions
import Testing

@testable import AuthProviders

/// Talos: roles by database. The keys are the vectors' RSA key; tokens are made with the minting key.
@Suite struct TalosProviderTests {
    private func role(_ access: String, database: String = "shop") -> String {
        let claims = JSONValue(parsing: Array("{\"resource_access\":\(access)}".utf8)) ?? .null
        do throws(TokenRefusal) {
            return try TalosRole.highest(in: claims, database: database).rawValue
        } catch {
            return error.text
        }
    }

    @Test(arguments: [
        (#"{"pg:shop":{"roles":["owner"]}}"#, "owner"),
        (#"{"pg:shop":{"roles":["read_only","owner","read_write"]}}"#, "owner"),
        (#"{"pg:shop":{"roles":["read_only"]},"x:shop":{"roles":["read_write"]}}"#, "read_write"),
        (#"{"pg:shop":{"roles":["read_only"]},"pg:other":{"roles":["owner"]}}"#, "read_only"),
        (#"{"pg:shop":{"roles":["read_only"]},"pg:other":{"roles":["king"]}}"#, "read_only"),
        (#"{"pg:other":{"roles":["owner"]}}"#, "the token has no role in the requested database"),
        (#"{"pg:shop":{"roles":[]}}"#, "the token has no role in the requested database"),
        (#"{"shop":{"roles":["owner"]}}"#, "the token has no role in the requested database"),
        (#"{"pg:SHOP":{"roles":["owner"]}}"#, "the token has no role in the requested database"),
        (#"{"pg:shop:x":{"roles":["owner"]}}"#, "the token has no role in the requested database"),
        ("{}", "the token has no role in the requested database"),
        ("[]", "the token has no object `resource_access`"), ("null", "the token has no object `resource_access`"),
    ])
    func highestRole(access: String, expected: String) {
        #expect(self.role(access) == expected)
    }

    @Test(arguments: [
        #"{"pg:shop":{"roles":["owner","king"]}}"#, #"{"pg:shop":{"roles":[1]}}"#, #"{"pg:shop":{"roles":"owner"}}"#,
        #"{"pg:shop":{}}"#, #"{"pg:shop":[]}"#, #"{"pg:shop":{"roles":["Owner"]}}"#,
    ])
    func rolesThatAreNone(access: String) {
        #expect(!TalosRole.allCases.map(\.rawValue).contains(self.role(access)))
    }

    @Test func databaseWithColon() {
        #expect(self.role(#"{"pg:a:b":{"roles":["owner"]}}"#, database: "a:b") == "owner")
    }

    // MARK: Realms

    @Test func keyIDsAreFileStems() throws {
        let workshop = try TokenWorkshop()
        let files = [
            try workshop.write("2026.prod.pem", TokenVectors.rsa), try workshop.write("old", TokenVectors.rsaPKCS1),
            try workshop.write(".hidden", TokenVectors.rsa),
        ]
        let realm = try TalosRealm(keyFiles: files, databases: ["shop"])
        #expect(realm.keys.keys.map(\.id) == ["2026.prod", "old", ".hidden"])
        #expect(realm.takes("shop") && !realm.takes("Shop"))
    }

    @Test func realmsThatCannotBe() throws {
        let workshop = try TokenWorkshop()
        let good = try workshop.write("a.pem", TokenVectors.rsa)
        let cases = [
            [], [good, good], [good, try workshop.write("a.key", TokenVectors.rsa)], ["/nowhere/x.pem"],
            [try workshop.write("ec.pem", TokenVectors.p256)], [try workshop.write("set.json", TokenVectors.keySet)],
            [try workshop.write("two.pem", TokenVectors.rsa + "\n" + TokenVectors.mintRSAPublic)],
        ]
        for files in cases {
            #expect(throws: AuthConfigurationError.self) { try TalosRealm(keyFiles: files, databases: ["shop"]) }
        }
    }

    @Test func methodNeedsTheTable() throws {
        let options = try MethodOptions(method: "talos")
        let services = AuthServices(secrets: StaticSecrets([:]))
        #expect(throws: AuthConfigurationError.self) { try TalosProvider(options: options, services: services) }
    }

    /// The vectors have neither roles nor a client: whatever signs them, they are refused as any wrong password is.
    @Test func tokensWithoutRolesAreRefused() async throws {
        let workshop = try TokenWorkshop()
        var services = AuthServices(secrets: StaticSecrets([:]))
        let file = try workshop.write("k-RS256.pem", TokenVectors.rsa)
        services.talos = try TalosRealm(keyFiles: [file], databases: ["db"])
        let client = ScriptedClient(user: "talos", .password(TokenVectors.tokens[0].token))
        let outcome = try await AuthProvidersTests.logIn("talos", method: "talos", client: client, services: services)
        #expect(outcome.failure?.reason == .proofWrong && outcome.failure?.sqlStateText == "28P01")
        #expect(outcome.failure?.logText == "the token has no text `clientId` that could name an application")
    }
}
