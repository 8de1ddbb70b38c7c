import Logging
import Settings

/// Settings that take a restart: what was read at the start stays in force, whatever the file says later.
extension Gateway {
    /// Their values as the console shows them, by key path.
    static func fixedSettings(_ settings: GatewaySettings) -> [String: String] {
        var values: [String: String] = [:]
        for row in settings.configRows() where !row.isChangeable { values[row.key] = row.value }
        return values
    }

    /// A line for each one that has another value in the file now.
    func warnOfFixedSettings(_ settings: GatewaySettings) {
        for row in settings.configRows() where !row.isChangeable {
            guard let value = self.fixedSettings[row.key], value != row.value else { continue }
            self.log.warning("\(row.key) has changed: it takes effect at the next start")
        }
    }
}
