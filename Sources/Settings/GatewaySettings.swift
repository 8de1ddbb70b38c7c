/// One row of `SHOW CONFIG`. Secrets are masked.
package struct ConfigRow: Sendable, Equatable {
    /// Dotted, such as `general.port` or `pools.shop.users.app.pool_size`.
    package let key: String
    /// The effective value; empty when unset.
    package let value: String
    /// The default, or in words what an unset key means.
    package let defaultValue: String
    /// False for keys that only a restart changes.
    package let isChangeable: Bool
    package let summary: String
}

/// A row, and where its value comes from.
struct PlacedRow: Sendable, Equatable {
    let row: ConfigRow
    let place: SourceLocation
}

/// All settings, validated. A value that never changes; a reload makes a new one.
package struct GatewaySettings: Sendable, Equatable {
    package let general: GeneralSettings
    /// Sorted by name.
    package let pools: [PoolSettings]
    /// The pools that host names of TLS handshakes lead to.
    package let serverNames: TLSServerNames
    /// nil when there is no such table.
    package let talos: TalosSettings?
    /// What the administrator should know, with file and line; the caller logs it once per load.
    package let warnings: [String]
    /// The main file and the included files in the order read.
    package let sourceFiles: [String]
    private let rows: [PlacedRow]

    init(
        general: GeneralSettings,
        pools: [PoolSettings],
        serverNames: TLSServerNames,
        talos: TalosSettings? = nil,
        warnings: [String],
        sourceFiles: [String],
        rows: [PlacedRow]
    ) {
        self.general = general
        self.pools = pools.sorted { $0.name < $1.name }
        self.serverNames = serverNames
        self.talos = talos
        self.warnings = warnings
        self.sourceFiles = sourceFiles
        self.rows = rows
    }

    /// The pool of that name.
    package func pool(_ name: String) -> PoolSettings? {
        self.pools.first { $0.name == name }
    }

    /// Rows of `SHOW CONFIG`: `general` in the order of the reference, then each pool with its users.
    package func configRows() -> [ConfigRow] {
        self.rows.map(\.row)
    }

    /// Where a key has its value from, such as `pools.shop.users.app.password`, or where its table begins; nil for what
    /// is no key that the gateway acts on.
    package func place(of key: String) -> SourceLocation? {
        self.rows.first { $0.row.key == key }?.place
    }
}

extension ConfigRow {
    /// Rows of one decoded table: every key that the gateway acts on.
    static func rows(of values: SectionValues, prefix: String) -> [PlacedRow] {
        SettingsTable.keys(of: values.section).compactMap { key in
            switch key.kind {
            case .table, .tableMap, .tableList: return nil
            default: break
            }
            guard key.isSupported else { return nil }
            let row = ConfigRow(
                key: "\(prefix).\(key.name)",
                value: values.values[key.name]?.display ?? "",
                defaultValue: key.defaultDisplay,
                isChangeable: key.reload != .restart,
                summary: key.summary
            )
            return PlacedRow(row: row, place: values.origin(of: key.name))
        }
    }
}

extension SettingsKey {
    /// The default in the form of `SHOW CONFIG`, or in words what an unset key means.
    package var defaultDisplay: String {
        if let value = SectionDecoder.defaultValues[self.identity] { return value.display }
        if let fallback = self.fallback { return "as in \(fallback.path)" }
        return self.unsetMeaning ?? ""
    }
}
