/// One of the operator's `startup_parameters`, and where it comes from.
package struct StartupParameter: Sendable, Equatable {
    package enum Source: String, Sendable {
        case general
        case pool
        case user
        /// The user's row of an auth_query.
        case authQuery = "auth_query"
    }

    /// As the settings spell it; PostgreSQL ignores its case.
    package let name: String
    package let value: String
    package let source: Source

    package init(name: String, value: String, source: Source) {
        self.name = name
        self.value = value
        self.source = source
    }

    /// The name in lower case, which tells parameters apart. Names are ASCII.
    package var key: String { self.name.lowercased() }

    /// Bytes in a startup packet.
    var size: Int { self.name.utf8.count + self.value.utf8.count + 2 }
}

/// The rules for `startup_parameters`, and how the levels are put together.
package enum StartupParameters {
    static let key = "startup_parameters"
    /// What a startup packet may have in PostgreSQL (`MAX_STARTUP_PACKET_LENGTH`).
    private static let packetMax = 10_000
    /// Left for everything else in it.
    private static let packetReserve = 512
    /// Length, protocol version and the zero byte at the end.
    private static let packetFrame = 9

    /// Names that mean something else in a startup packet, or decide who the session is.
    private static let reserved = ["user", "database", "replication", "options", "role", "session_authorization"]
    private static let extensionPrefix = "_pq_."

    /// The parameters of one level over those of the levels above it, sorted by name.
    static func merged(
        _ values: SectionValues,
        _ source: StartupParameter.Source,
        over inherited: [StartupParameter] = []
    ) -> [StartupParameter] {
        var merged = Dictionary(inherited.map { ($0.key, $0) }) { $1 }
        for (name, value) in values.map(Self.key) {
            let own = StartupParameter(name: name, value: value, source: source)
            merged[own.key] = own
        }
        return merged.values.sorted { $0.key < $1.key }
    }

    /// Reports what is wrong on one level.
    static func check(_ values: SectionValues, into diagnostics: inout Diagnostics) {
        let parameters = values.map(Self.key).map { StartupParameter(name: $0, value: $1, source: .general) }
        let (place, path) = (values.location(of: Self.key), values.path(of: Self.key))
        var seen: [String: String] = [:]
        for parameter in parameters.sorted(by: { $0.name < $1.name }) {
            if let reason = Self.problem(withName: parameter.name) {
                diagnostics.report(place, "\(path).\(parameter.name)", reason)
            } else if let twin = seen.updateValue(parameter.name, forKey: parameter.key) {
                diagnostics.report(place, path, "`\(twin)` and `\(parameter.name)` are the same parameter")
            }
        }
        Self.checkSize(parameters, place, path, &diagnostics)
    }

    /// Reports a set of all levels that does not fit into a startup packet.
    static func check(
        _ parameters: [StartupParameter],
        user: SectionValues,
        others: [String],
        into diagnostics: inout Diagnostics
    ) {
        let (place, path) = (user.location(of: Self.key), user.path(of: Self.key))
        if Self.checkSize(parameters, place, path, &diagnostics) { return }
        let size = parameters.reduce(Self.packetFrame) { $0 + $1.size } + others.reduce(0) { $0 + $1.utf8.count + 1 }
        if size > Self.packetMax {
            diagnostics.report(
                place, path, "the startup packet would have \(size) bytes; PostgreSQL takes at most \(Self.packetMax)"
            )
        }
    }

    /// Why no startup parameter may have this name; nil when one may.
    package static func problem(withName name: String) -> String? {
        let folded = name.lowercased()
        if name.isEmpty { return "the name is empty" }
        if Self.reserved.contains(folded) { return "`\(name)` is reserved" }
        if folded.hasPrefix(Self.extensionPrefix) { return "names of protocol extensions (`_pq_.`) are reserved" }
        let isName = name.utf8.enumerated().allSatisfy { offset, byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "_"): true
            case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."): offset > 0
            default: false
            }
        }
        return isName ? nil : "a name consists of letters, digits, `_` and `.`, and does not begin with the latter two"
    }

    /// True when it was reported.
    @discardableResult
    private static func checkSize(
        _ parameters: [StartupParameter],
        _ place: SourceLocation,
        _ path: String,
        _ diagnostics: inout Diagnostics
    ) -> Bool {
        let size = parameters.reduce(0) { $0 + $1.size }
        let limit = Self.packetMax - Self.packetReserve
        guard size > limit else { return false }
        diagnostics.report(place, path, "names and values have \(size) bytes together; the limit is \(limit)")
        return true
    }
}
