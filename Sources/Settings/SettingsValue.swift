/// Where the hba rules come from.
package enum HBARuleSource: Sendable, Equatable {
    /// No `pg_hba` in the settings.
    case unset
    /// The rules themselves.
    case content(String)
    /// A file with rules; the path is resolved against the folder of the main file.
    case path(String)
}

/// A typed value of one key.
enum SettingsValue: Sendable, Equatable {
    case duration(Duration)
    case integer(Int)
    case size(Int)
    case bool(Bool)
    case text(String)
    case secret(SecretText)
    case mode(UInt32)
    case list([String])
    case map([String: String])
    case rules(HBARuleSource)

    /// As shown by `SHOW CONFIG` and the reference; secrets masked.
    var display: String {
        switch self {
        case .duration(let value): DurationText.text(value)
        case .integer(let value): "\(value)"
        case .size(let value): SizeText.text(value)
        case .bool(let value): value ? "true" : "false"
        case .text(let value): value
        case .secret(let value): value.description
        case .mode(let value): OctalModeText.text(value)
        case .list(let value): value.joined(separator: ", ")
        case .map(let value):
            value.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: ", ")
        case .rules(.unset): ""
        case .rules(.content(let text)):
            "\(text.split(separator: "\n").count) lines"
        case .rules(.path(let path)): path
        }
    }
}

/// The decoded keys of one table. Keys that the file does not have hold their default, or nothing.
struct SectionValues {
    let section: SettingsSection
    let keyPath: String
    let location: SourceLocation
    private(set) var values: [String: SettingsValue] = [:]
    /// Places of the keys that the file has.
    private(set) var locations: [String: SourceLocation] = [:]
    /// Places of values that come from the parent table.
    private var inheritedLocations: [String: SourceLocation] = [:]
    /// Raw trees of keys that are tables or lists of tables.
    private(set) var tables: [String: SettingsNode] = [:]

    init(section: SettingsSection, keyPath: String, location: SourceLocation) {
        self.section = section
        self.keyPath = keyPath
        self.location = location
    }

    mutating func set(_ name: String, _ value: SettingsValue, at location: SourceLocation? = nil) {
        self.values[name] = value
        if let location { self.locations[name] = location }
    }

    /// Notes a key whose value was refused, with a value that stands in for it.
    mutating func markWritten(_ name: String, standIn: SettingsValue?, at location: SourceLocation) {
        self.values[name] = standIn
        self.locations[name] = location
    }

    mutating func set(_ name: String, table: SettingsNode, at location: SourceLocation) {
        self.tables[name] = table
        self.locations[name] = location
    }

    func isWritten(_ name: String) -> Bool {
        self.locations[name] != nil
    }

    func location(of name: String) -> SourceLocation {
        self.locations[name] ?? self.location
    }

    /// Where the value comes from: where it is written, here or in the parent table; else the table.
    func origin(of name: String) -> SourceLocation {
        self.locations[name] ?? self.inheritedLocations[name] ?? self.location
    }

    func path(of name: String) -> String {
        self.keyPath.isEmpty ? name : "\(self.keyPath).\(name)"
    }

    /// Takes values of keys that were not written from the parent table, as the table of keys says.
    mutating func inherit(from parent: SectionValues) {
        for key in SettingsTable.keys(of: self.section) where key.fallback == parent.section {
            guard self.values[key.name] == nil, let value = parent.values[key.name] else { continue }
            self.values[key.name] = value
            self.inheritedLocations[key.name] = parent.locations[key.name] ?? parent.inheritedLocations[key.name]
        }
    }

    func duration(_ name: String) -> Duration {
        guard case .duration(let value) = self.values[name] else { return .zero }
        return value
    }

    func integer(_ name: String) -> Int {
        switch self.values[name] {
        case .integer(let value), .size(let value): value
        default: 0
        }
    }

    /// nil when the key has no value.
    func optionalInteger(_ name: String) -> Int? {
        self.values[name] == nil ? nil : self.integer(name)
    }

    func bool(_ name: String) -> Bool {
        self.values[name] == .bool(true)
    }

    func text(_ name: String) -> String? {
        guard case .text(let value) = self.values[name] else { return nil }
        return value
    }

    func secret(_ name: String) -> SecretText? {
        guard case .secret(let value) = self.values[name] else { return nil }
        return value
    }

    func mode(_ name: String) -> UInt32 {
        guard case .mode(let value) = self.values[name] else { return 0o600 }
        return value
    }

    func list(_ name: String) -> [String] {
        guard case .list(let value) = self.values[name] else { return [] }
        return value
    }

    func map(_ name: String) -> [String: String] {
        guard case .map(let value) = self.values[name] else { return [:] }
        return value
    }

    func rules(_ name: String) -> HBARuleSource {
        guard case .rules(let value) = self.values[name] else { return .unset }
        return value
    }
}
