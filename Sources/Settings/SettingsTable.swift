/// The one table of all keys. Immutable.
package enum SettingsTable {
    package static let keys: [SettingsKey] =
        Self.rootKeys + Self.generalKeys + Self.auditKeys + Self.authLaneKeys + Self.generalStatementKeys
        + Self.clientTLSKeys + Self.serverTLSKeys(of: .general)
        + Self.generalAcceptedKeys + Self.generalTalosKeys + Self.poolKeys
        + Self.poolStatementKeys + Self.poolServerNameKeys + Self.serverTLSKeys(of: .pool) + Self.poolAcceptedKeys
        + Self.userKeys + Self.authQueryKeys + Self.serverUserKeys + Self.webKeys + Self.talosKeys + Self.includeKeys

    /// Keys of one section in the order of the reference page.
    package static func keys(of section: SettingsSection) -> [SettingsKey] {
        Self.bySection[section] ?? []
    }

    /// A key by its name or its older name.
    package static func key(_ name: String, in section: SettingsSection) -> SettingsKey? {
        Self.keys(of: section).first { $0.name == name || $0.alias == name }
    }

    private static let bySection = Dictionary(grouping: Self.keys, by: \.section)

    static let rootKeys: [SettingsKey] = [
        SettingsKey(
            "general", .root, .table(.general), isRequired: true, .reload,
            "Settings of the process and defaults for all pools."
        ),
        SettingsKey(
            "pools", .root, .tableMap(.pool), isRequired: true, .reload,
            "One table per database that clients may ask for; may be empty (`{}`)."
        ),
        SettingsKey(
            "web", .root, .table(.web), .restart, status: .accepted, alias: "prometheus",
            "HTTP listener for metrics and the web console."
        ),
        SettingsKey(
            "talos", .root, .table(.talos), .reload,
            "Logins of the user `talos` by token: see Documentation/providers/talos.md."
        ),
        SettingsKey(
            "include", .root, .table(.include), .reload,
            "Further files, merged over this one in order: tables key by key, lists appended, other values replaced."
        ),
    ]

    static let includeKeys: [SettingsKey] = [
        SettingsKey(
            "files", .include, .pathList, default: "[]", .reload,
            """
            Files in YAML or TOML, merged one after the other over the main file. A relative path begins at the folder \
            of the main file. `include` in an included file is not followed.
            """
        )
    ]

    /// pg_doorman's documentation shows the table under `general`.
    static let generalTalosKeys: [SettingsKey] = [
        SettingsKey("talos", .general, .table(.talos), .reload, "The same as `talos` at the top level; not both.")
    ]

    static let talosKeys: [SettingsKey] = [
        SettingsKey(
            "keys", .talos, .pathList, default: "[]", .reload,
            """
            PEM files of RSA public keys; the file name without extension is the key id (`kid`) of the tokens. Without \
            any the table says nothing.
            """
        ),
        SettingsKey(
            "databases", .talos, .stringList, default: "[]", .reload,
            "Databases that take tokens. A token's roles count in the database that the client asks for."
        ),
    ]
}
