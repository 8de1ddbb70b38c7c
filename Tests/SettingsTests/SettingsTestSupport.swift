import Foundation
import Settings

/// Short ways to load texts; tests read like the files of an administrator.
enum Load {
    static let environment = ["ADMIN": "from-environment"]

    static func yaml(_ text: String, environment: [String: String] = Self.environment) throws -> GatewaySettings {
        try SettingsLoader.load(text: text, format: .yaml, path: "/etc/gw/main.yaml", environment: environment)
    }

    static func toml(_ text: String, environment: [String: String] = Self.environment) throws -> GatewaySettings {
        try SettingsLoader.load(text: text, format: .toml, path: "/etc/gw/main.toml", environment: environment)
    }

    /// The problems of a YAML text, each as its description; empty when it loads.
    static func problems(yaml text: String, environment: [String: String] = Self.environment) -> [SettingsProblem] {
        do {
            _ = try Self.yaml(text, environment: environment)
            return []
        } catch let errors as SettingsErrors {
            return errors.problems
        } catch {
            return []
        }
    }

    static func problems(toml text: String) -> [SettingsProblem] {
        do {
            _ = try Self.toml(text)
            return []
        } catch let errors as SettingsErrors {
            return errors.problems
        } catch {
            return []
        }
    }

    /// A file with more lines in `general`.
    static func general(_ lines: String...) -> String {
        "general:\n  admin_username: admin\n  admin_password: secret\n"
            + lines.map { "  \($0)\n" }.joined() + "pools: {}\n"
    }

    /// A file with one pool `db` of one user `app` and more lines in each.
    static func pool(_ poolLines: [String] = [], user userLines: [String] = []) -> String {
        Self.general().replacing("pools: {}\n", with: "pools:\n  db:\n")
            + poolLines.map { "    \($0)\n" }.joined()
            + "    users:\n      - username: app\n        password: \"\"\n"
            + userLines.map { "        \($0)\n" }.joined()
    }

    static let verifier =
        "SCRAM-SHA-256$4096:c2FsdHNhbHRzYWx0c2E=$" + String(repeating: "A", count: 43) + "=:"
        + String(repeating: "B", count: 42) + "A="
}

/// A folder that lives as long as a test.
final class TemporaryFolder {
    let path: String

    init() throws {
        self.path = NSTemporaryDirectory() + "settings-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: self.path, withIntermediateDirectories: true)
    }

    @discardableResult
    func write(_ name: String, _ text: String) throws -> String {
        let path = "\(self.path)/\(name)"
        try text.write(toFile: path, atomically: false, encoding: .utf8)
        return path
    }

    deinit {
        try? FileManager.default.removeItem(atPath: self.path)
    }
}
