/// One value of a settings file with its place: the common shape into which YAML and TOML are read before the table of
/// keys gives the values their types. A plain value without shared state.
struct SettingsNode {
    enum Content {
        case scalar(Scalar)
        case list([SettingsNode])
        case table([Entry])
    }

    /// A value as text. Typing happens later, by the kind of the key, so that an unquoted `0123` is still a password.
    struct Scalar {
        enum Style {
            /// Written without quotes in YAML: may be read as a number, a boolean or a string.
            case plain
            /// A string of the file format: quoted or a block.
            case quoted
            /// A number or boolean of TOML, rendered; it is no string.
            case typed
            /// A date or time of TOML; no key takes one.
            case temporal
        }

        var text: String
        var style: Style
    }

    /// One key of a table.
    struct Entry {
        var key: String
        var location: SourceLocation
        var value: SettingsNode
    }

    var content: Content
    var location: SourceLocation

    /// What the value is, in words for an error text.
    var kindInWords: String {
        switch self.content {
        case .scalar: "a single value"
        case .list: "a list"
        case .table: "a table"
        }
    }

    /// The value of a key when this is a table that has it.
    subscript(key: String) -> SettingsNode? {
        guard case .table(let entries) = self.content else { return nil }
        return entries.first { $0.key == key }?.value
    }
}

/// Format of a settings file, told by the extension of its name only.
package enum SettingsFormat: Sendable {
    case yaml
    case toml

    /// `.yaml` and `.yml` in any case are YAML, everything else is TOML.
    package init(fileName: String) {
        let name = fileName.lowercased()
        self = name.hasSuffix(".yaml") || name.hasSuffix(".yml") ? .yaml : .toml
    }
}

/// Bounds on what one file may hold, checked before and while it is parsed.
package enum SettingsLimits {
    package static let maximumFileBytes = 8 << 20
    package static let maximumSecretFileBytes = 64 << 10
    /// Values of one file after YAML aliases are replaced.
    package static let maximumNodes = 500_000
    package static let maximumDepth = 32
    /// Bytes that a YAML file may stand for once its aliases are replaced.
    package static let maximumExpandedBytes = 32 << 20
    package static let maximumIncludes = 1_000
}
