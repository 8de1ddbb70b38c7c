import AuthProviders
import Sessions
import Settings

/// The secrets that stand in the settings.
extension Snapshot {
    /// Where they are looked up, and what users look like whom nobody knows.
    static func secrets(
        _ settings: GatewaySettings,
        _ problems: inout SnapshotProblems
    ) -> (source: StaticSecrets, usual: UsualSecret) {
        var secrets: [String: [String: StoredSecret]] = [:]
        for pool in settings.pools {
            for user in pool.users {
                let path = "pools.\(pool.name).users.\(user.username).password"
                let secret =
                    Self.isStoredSecret(user) ? Self.secret(user.password, path: path, &problems) : StoredSecret.none
                secrets[pool.name, default: [:]][user.username] = secret
            }
        }
        let usual = UsualSecret(of: secrets.values.flatMap { $0.values })
        let general = settings.general
        let console = Self.consoleSecret(general.adminPassword)
        for database in ConsoleReference.databases {
            secrets[database] = [general.adminUsername: console]
        }
        return (StaticSecrets(secrets), usual)
    }

    /// Whether `password` is meant to be something a client is verified against. The name of a key file is not, nor is
    /// a text without the form of a secret where PAM proves the user: it only fills the place.
    static func isStoredSecret(_ user: UserSettings) -> Bool {
        if user.tokenKeyFile != nil { return false }
        guard user.authPamService != nil else { return true }
        return (try? StoredSecret(parsing: String(decoding: user.password.bytes, as: UTF8.self))) != nil
    }

    private static func secret(
        _ text: SecretText,
        path: String,
        _ problems: inout SnapshotProblems
    ) -> StoredSecret {
        do {
            return try StoredSecret(parsing: String(decoding: text.bytes, as: UTF8.self))
        } catch {
            problems.add(SnapshotError(at: path, "\(error)"))
            return StoredSecret.none
        }
    }

    /// `admin_password` may be a stored secret like a user's, or the password itself, which becomes one here.
    private static func consoleSecret(_ text: SecretText) -> StoredSecret {
        if let stored = try? StoredSecret(parsing: String(decoding: text.bytes, as: UTF8.self)) { return stored }
        let verifier = SCRAMVerifier(
            password: SecretBytes(text.bytes),
            salt: RandomBytes.make(count: 16),
            iterations: 4096
        )
        return StoredSecret(kind: .scram(verifier))
    }
}
