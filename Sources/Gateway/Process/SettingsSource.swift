package import AuthProviders
import Settings

/// Why the gateway does not start or a reload does not apply. One line per problem.
package struct GatewayStartError: Error, Sendable, CustomStringConvertible {
    package let description: String
}

/// Where settings come from: read at start and again at every reload.
package struct SettingsSource: Sendable {
    let path: String
    let environment: [String: String]
    /// The providers whose methods rules may name.
    let registry: AuthProviderRegistry

    package init(path: String, environment: [String: String], registry: AuthProviderRegistry) {
        self.path = path
        self.environment = environment
        self.registry = registry
    }

    func load(_ lookups: PolicyLookups, previous: Snapshot?) throws(GatewayStartError) -> Snapshot {
        let settings: GatewaySettings
        do throws(SettingsErrors) {
            settings = try SettingsLoader.load(path: self.path, environment: self.environment)
        } catch {
            throw GatewayStartError(description: error.description)
        }
        do throws(SnapshotError) {
            return try Snapshot(settings: settings, registry: self.registry, lookups: lookups, previous: previous)
        } catch {
            throw GatewayStartError(description: error.report(settings))
        }
    }

    /// Reads and checks the settings without using them (`pggateway -t`).
    ///
    /// - Returns: all warnings, as the gateway would log them.
    package func check() throws(GatewayStartError) -> [String] {
        let snapshot = try self.load(PolicyLookups(authQueries: AuthQueryRegistry()), previous: nil)
        try Gateway.checkAudit(snapshot.settings.general)
        return snapshot.warnings
    }
}
