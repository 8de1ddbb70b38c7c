/// A table of the settings files.
package enum SettingsSection: String, Sendable, CaseIterable {
    case root
    case general
    case pool
    case user
    case authQuery
    case serverUser
    case web
    case talos
    case include

    /// How the section is written in key paths and in the reference.
    package var path: String {
        switch self {
        case .root: ""
        case .general: "general"
        case .pool: "pools.<name>"
        case .user: "pools.<name>.users[]"
        case .authQuery: "pools.<name>.auth_query"
        case .serverUser: "pools.<name>.server_users[]"
        case .web: "web"
        case .talos: "talos"
        case .include: "include"
        }
    }
}

/// What a key takes, with its bounds.
package enum SettingsKind: Sendable, Equatable {
    case duration(minimum: Duration)
    case size(ClosedRange<Int>)
    case seconds(ClosedRange<Int>)
    case integer(ClosedRange<Int>)
    case bool
    case string
    case secret
    case path
    case octalMode
    /// One of the words; any case when the flag says so.
    case choice([String], anyCase: Bool)
    case cidrList
    case stringList
    case pathList
    case stringMap
    case hbaRules
    case table(SettingsSection)
    case tableMap(SettingsSection)
    case tableList(SettingsSection)

    static let duration = SettingsKind.duration(minimum: .zero)
    /// A duration of which zero makes no sense.
    static let positiveDuration = SettingsKind.duration(minimum: .microseconds(1))
    static let size = SettingsKind.size(0...(1 << 40))
    static let count = SettingsKind.integer(0...4_294_967_295)
}

/// When a changed value takes effect.
package enum ReloadClass: String, Sendable {
    /// At the reload, for new work and for connected clients at their next transaction. Server connections stay.
    case reload
    /// At the reload, by replacing the server connections of the pools concerned.
    case newPool = "new pool"
    /// When the process starts again.
    case restart
}

/// Whether the gateway acts on a key.
package enum SettingsStatus: Sendable, Equatable {
    case supported
    /// Known from pg_doorman, checked for type, without effect so far; the text says what that means when it matters.
    case accepted(caution: String?)

    static let accepted = SettingsStatus.accepted(caution: nil)
}

/// One key: the only description of it. Parsing, defaults, `SHOW CONFIG`, the reference page and the sample are made
/// from this value.
package struct SettingsKey: Sendable {
    package let name: String
    package let section: SettingsSection
    package let kind: SettingsKind
    /// As it would be written in a file; nil for a key that is unset unless written.
    package let defaultText: String?
    /// What an unset key means, in words.
    package let unsetMeaning: String?
    /// The section whose key of the same name is used when this one is not written.
    package let fallback: SettingsSection?
    package let isRequired: Bool
    package let reload: ReloadClass
    package let status: SettingsStatus
    package let summary: String
    /// An older name that works too.
    package let alias: String?
    /// True for keys that pg_doorman does not have.
    package let isOwn: Bool
    /// Value for the sample file, as YAML; written instead of the default and not commented out.
    package let sample: String?

    init(
        _ name: String,
        _ section: SettingsSection,
        _ kind: SettingsKind,
        default defaultText: String? = nil,
        unset unsetMeaning: String? = nil,
        fallback: SettingsSection? = nil,
        isRequired: Bool = false,
        _ reload: ReloadClass,
        status: SettingsStatus = .supported,
        alias: String? = nil,
        isOwn: Bool = false,
        sample: String? = nil,
        _ summary: String
    ) {
        self.name = name
        self.section = section
        self.kind = kind
        self.defaultText = defaultText
        self.unsetMeaning = unsetMeaning
        self.fallback = fallback
        self.isRequired = isRequired
        self.reload = reload
        self.status = status
        self.summary = summary
        self.alias = alias
        self.isOwn = isOwn
        self.sample = sample
    }

    package var isSupported: Bool { self.status == .supported }
}
