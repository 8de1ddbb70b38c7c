import Sessions
import Settings
import Testing

@testable import Gateway

/// What plans make of the settings.
@Suite struct PoolPlanTests {
    private static func settings(_ general: String, user: String = "password: \"\"") throws -> GatewaySettings {
        let text = "general:\n  admin_username: a\n  admin_password: b\n\(general)"
            + "pools:\n  db:\n    users:\n      - {username: app, \(user)}\n"
        return try SettingsLoader.load(text: text, format: .yaml, path: "/etc/gw/main.yaml", environment: [:])
    }

    private static func plan(_ settings: GatewaySettings) throws -> PoolPlan {
        let pool = try #require(settings.pools.first)
        let user = try #require(pool.users.first)
        return try Snapshot.plan(pool: pool, user: user, general: settings.general, tls: nil)
    }

    /// 0 is no limit, under the older name, too. What a client remembers stays within its own bound.
    @Test(arguments: [
        ("", 8192), ("  client_anonymous_prepared_cache_size: 5\n", 5),
        ("  client_anonymous_prepared_cache_size: 0\n", Int.max),
        ("  client_prepared_statements_cache_size: 0\n", Int.max),
        ("  prepared_statements_cache_size: 7\n", 7),
    ])
    func unnamedStatementsOfAClient(general: String, limit: Int) throws {
        #expect(try Self.plan(Self.settings(general)).clientUnnamedStatementsMax == limit)
    }

    /// A text that only stands in the place of a password belongs to no server.
    @Test(arguments: [
        ("", false), ("placeholder", false), ("md5placeholder", false),
        ("md5" + String(repeating: "0", count: 32), true),
    ])
    func secretsOfUsersWhomPAMProves(password: String, isSecret: Bool) throws {
        let user = "password: \"\(password)\", auth_pam_service: staff"
        let plan = try Self.plan(Self.settings("", user: user))
        #expect((plan.storedSecret != nil) == isSecret)
        #expect((plan.md5Hash != nil) == isSecret)
    }
}
