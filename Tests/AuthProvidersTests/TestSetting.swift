import AuthProviderTestKit
import AuthProviders
import Sessions

/// Users, services and attempts shared by the tests.
enum TestSetting {
    static let password = "secret"
    /// `secret` with salt `salt` and two iterations, so that the tests are quick.
    static let iterations = 2
    static let verifier = SCRAMVerifier(
        password: SecretBytes(password),
        salt: Array("0123456789abcdef".utf8),
        iterations: iterations
    )

    /// The text of `verifier` as a settings file has it, made from its parts.
    static var scramText: String {
        let parts = [Self.verifier.salt, Self.verifier.storedKey.exposed(), Self.verifier.serverKey.exposed()]
            .map { part in String(decoding: Base64.encode(part), as: UTF8.self) }
        return "SCRAM-SHA-256$\(Self.iterations):\(parts[0])$\(parts[1]):\(parts[2])"
    }

    static func md5Text(_ user: String) -> String {
        let digits = MD5Password.hash(password: SecretBytes(Self.password), user: user).exposed()
        return "md5" + String(decoding: digits, as: UTF8.self)
    }

    static func secrets() throws -> StaticSecrets {
        StaticSecrets([
            "db": [
                "scram": try StoredSecret(parsing: self.scramText),
                "md5": try StoredSecret(parsing: self.md5Text("md5")),
                "empty": try StoredSecret(parsing: ""),
            ]
        ])
    }

    static func services(
        _ source: (any SecretSource)? = nil,
        unknownUserExchange: AuthServices.UnknownUserExchange = .scramSHA256,
        unknownTrustedUser: AuthServices.UnknownTrustedUser = .refused
    ) throws -> AuthServices {
        AuthServices(
            secrets: try source ?? self.secrets(),
            mock: MockAuthentication(key: SecretBytes("process key"), iterations: self.iterations),
            unknownUserExchange: unknownUserExchange,
            unknownTrustedUser: unknownTrustedUser,
            randomBytes: { count in (0..<count).map { index in UInt8(truncatingIfNeeded: index &* 7 &+ 1) } }
        )
    }

    static func attempt(_ user: String, method: String, database: String = "db") throws -> LoginAttempt {
        LoginAttempt(
            user: user,
            database: database,
            peerAddress: "192.0.2.7",
            isLocal: false,
            isTLS: false,
            rule: LoginAttempt.Rule(options: try MethodOptions(method: method), file: "pg_hba.conf", line: 3)
        )
    }
}

/// One login under a rule with `method`, by the standard registry.
func logIn(
    _ user: String,
    method: String,
    client: ScriptedClient,
    services: AuthServices? = nil
) async throws -> LoginOutcome {
    let attempt = try TestSetting.attempt(user, method: method)
    let provider = try AuthProviderRegistry.standard()
        .makeProvider(options: attempt.rule.options, services: try services ?? TestSetting.services())
    do throws(AuthFailure) {
        return .admitted(try await provider.authenticate(attempt, over: client))
    } catch {
        return .refused(error)
    }
}

func logIn(
    _ user: String,
    method: String,
    _ script: ScriptedClient.Script,
    services: AuthServices? = nil
) async throws -> LoginOutcome {
    try await logIn(user, method: method, client: ScriptedClient(user: user, script), services: services)
}
