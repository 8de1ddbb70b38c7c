import PGWire

/// The run-time parameters a client asked for in its startup packet (`TimeZone`, `search_path`, `options=-c ...`):
/// part of its identity towards every server it gets. Immutable, shared by reference so that "the same as last time"
/// is one pointer comparison.
package final class SessionParameters: Sendable {
    /// Equal byte by byte: two spellings of one letter are two schemas in PostgreSQL.
    package struct Entry: Sendable, Hashable {
        package let name: String
        package let value: String

        package init(name: String, value: String) {
            self.name = name
            self.value = value
        }

        package static func == (left: Entry, right: Entry) -> Bool {
            left.name.hasSameBytes(as: right.name) && left.value.hasSameBytes(as: right.value)
        }

        package func hash(into hasher: inout Hasher) {
            ExactName(self.name).hash(into: &hasher)
            ExactName(self.value).hash(into: &hasher)
        }

        static func isSorted(_ left: Entry, _ right: Entry) -> Bool {
            left.name.utf8.lexicographicallyPrecedes(right.name.utf8)
        }
    }

    /// Sorted by name, each name once; `application_name` included.
    package let entries: [Entry]

    /// What of them changes the meaning of statements.
    package let planner: PlannerSettings?

    /// They name the temporary schema in their `search_path`: what the session creates may be temporary though no
    /// word of the statement says so.
    package let mayCreateTemporary: Bool

    /// They have a time after which PostgreSQL ends an idle session.
    package let limitsIdleSessions: Bool
    package static let idleSessionLimit = "idle_session_timeout"

    /// Whether a server takes them at any time once it has taken them; see ``isSteady(replacing:)``.
    let isSteady: Bool

    /// Stands for those of them that a server takes at any time once it has taken them: what has not been taken on a
    /// connection yet may be refused there, for it may lead to another PostgreSQL than those before. 0 where there are
    /// none of which that has to be known; every server takes an `application_name`. Means nothing in another process.
    package let steadyMark: Int

    package static let none = SessionParameters(entries: [])

    private init(entries: [Entry]) {
        self.entries = entries
        self.isSteady = entries.allSatisfy(SteadyParameters.contain)
        self.steadyMark = Self.steadyMark(of: entries)
        self.planner = PlannerSettings.of(entries)
        self.limitsIdleSessions = entries.contains { Self.foldingCase($0.name) == Self.idleSessionLimit }
        self.mayCreateTemporary = entries.contains { SessionParameters.isTemporaryPath(name: $0.name, value: $0.value) }
    }

    private static func steadyMark(of entries: [Entry]) -> Int {
        var hasher = Hasher()
        var isEmpty = true
        for entry in entries where SteadyParameters.contain(entry) && !self.isApplicationName(entry) {
            entry.hash(into: &hasher)
            isEmpty = false
        }
        return isEmpty ? 0 : hasher.finalize() | 1
    }

    /// Why a startup packet's parameters cannot be honoured.
    package enum Refusal: Error, Sendable, Equatable {
        /// `options` holds something that is not `-c name=value` or `--name=value`.
        case unsupportedOptions(String)
        case invalidName(String)
        case replicationUnsupported
    }

    /// Reads the parameters of a startup packet. Protocol-level names (`user`, `database`, `_pq_.*`) are left out;
    /// the last of several values wins, `options` before plain parameters, as PostgreSQL applies them.
    package static func parse(_ parameters: [(name: String, value: String)]) throws(Refusal) -> SessionParameters {
        // In the order in which PostgreSQL would apply them.
        var settings: [Entry] = []
        settings.reserveCapacity(parameters.count)
        func set(_ name: String, _ value: String) throws(Refusal) {
            guard self.isParameterName(name) else { throw .invalidName(name) }
            // In a startup packet it changes nothing: with PostgreSQL, too, the session is the one that has logged in.
            if self.foldingCase(name) == "session_authorization" { return }
            settings.append(Entry(name: name, value: value))
        }
        if let options = parameters.last(where: { $0.name == "options" }) {
            for option in try StartupOptions.parse(options.value) { try set(option.name, option.value) }
        }
        for (name, value) in parameters {
            switch name {
            case "user", "database", "options": continue
            case "replication":
                if !self.isFalse(value) { throw .replicationUnsupported }
            default:
                if name.utf8.starts(with: StartupMessage.extensionPrefix.utf8) { continue }
                try set(name, value)
            }
        }
        if settings.isEmpty { return .none }
        if settings.count == 1 { return SessionParameters(entries: settings) }
        return SessionParameters(entries: self.lastOfEachName(settings).sorted(by: Entry.isSorted))
    }

    /// PostgreSQL takes the beginning of a word, too, where it can only be that word.
    private static func isFalse(_ value: String) -> Bool {
        switch value.lowercased() {
        case "f", "fa", "fal", "fals", "false", "n", "no", "of", "off", "0": true
        default: false
        }
    }

    /// Parameter names ignore case in PostgreSQL.
    private static func lastOfEachName(_ settings: [Entry]) -> [Entry] {
        var places: [ExactName: Int] = [:]
        var entries: [Entry] = []
        for setting in settings {
            let key = ExactName(self.foldingCase(setting.name))
            if let place = places[key] {
                entries[place] = setting
            } else {
                places[key] = entries.count
                entries.append(setting)
            }
        }
        return entries
    }

    package var applicationName: String? { self.entries.first(where: Self.isApplicationName)?.value }

    /// What decides the values PostgreSQL reports back: everything but `application_name`.
    package var reportedEntries: [Entry] { self.entries.filter { !Self.isApplicationName($0) } }

    /// These without the parameters of the given names, which are in lower case.
    package func removing(_ names: Set<String>) -> SessionParameters {
        guard !names.isEmpty, self.entries.contains(where: { names.contains(Self.foldingCase($0.name)) }) else {
            return self
        }
        let rest = self.entries.filter { !names.contains(Self.foldingCase($0.name)) }
        return rest.isEmpty ? .none : SessionParameters(entries: rest)
    }

    /// These with another `application_name`.
    package func named(_ applicationName: String) -> SessionParameters {
        self.setting("application_name", to: applicationName)
    }

    /// These with another value of one parameter, in whatever case its name stood here.
    package func setting(_ name: String, to value: String) -> SessionParameters {
        let folded = Self.foldingCase(name)
        let rest = self.entries.filter { !Self.foldingCase($0.name).hasSameBytes(as: folded) }
        let all = rest + [Entry(name: name, value: value)]
        return SessionParameters(entries: all.sorted(by: Entry.isSorted))
    }

    /// Whether one of them has this name, in whatever case.
    package func contain(_ name: String) -> Bool {
        let folded = Self.foldingCase(name)
        return self.entries.contains { Self.foldingCase($0.name).hasSameBytes(as: folded) }
    }

    package func isSame(as other: SessionParameters) -> Bool {
        self === other || self.entries == other.entries
    }

    /// Lower case as PostgreSQL folds parameter names: ASCII letters only.
    static func foldingCase(_ name: String) -> String {
        if !name.utf8.contains(where: { $0 >= 0x41 && $0 <= 0x5A }) { return name }
        return String(decoding: name.utf8.map { $0 >= 0x41 && $0 <= 0x5A ? $0 | 0x20 : $0 }, as: UTF8.self)
    }

    static func isRole(_ entry: Entry) -> Bool { self.foldingCase(entry.name) == "role" }

    private static func isApplicationName(_ entry: Entry) -> Bool {
        self.foldingCase(entry.name) == "application_name"
    }

    /// Whether it is a `search_path` that names the temporary schema.
    package static func isTemporaryPath(name: String, value: String) -> Bool {
        guard self.foldingCase(name) == "search_path" else { return false }
        let (path, schema) = (Array(self.foldingCase(value).utf8), Array("pg_temp".utf8))
        return path.indices.contains { path[$0...].starts(with: schema) }
    }

    private static func isParameterName(_ name: String) -> Bool {
        guard let first = name.utf8.first, name.utf8.count <= 63 else { return false }
        func isLetter(_ byte: UInt8) -> Bool {
            (byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x7A || byte == 0x5F || byte >= 0x80
        }
        for byte in name.utf8 where !isLetter(byte) {
            guard (byte >= 0x30 && byte <= 0x39) || byte == 0x2E || byte == 0x24 else { return false }
        }
        return isLetter(first)
    }

    /// The query that gives a session back what a RESET or DISCARD ALL of its client has taken of these parameters; nil
    /// when there are none. What was SET since then stays: `pg_settings` calls that `session`, and a parameter of which
    /// it does not know (`my.name`) has no value when it was reset.
    package var queryAfterReset: String? {
        if self.entries.isEmpty { return nil }
        let ordered = self.entries.filter { !Self.isRole($0) } + self.entries.filter(Self.isRole)
        let rows = ordered.map { "(\(SQLText.literal($0.name)),\(SQLText.literal($0.value)))" }
        let query =
            "SELECT pg_catalog.set_config(w.name,w.value,false) FROM (VALUES " + rows.joined(separator: ",")
            + ") AS w(name,value) WHERE EXISTS (SELECT 1 FROM pg_catalog.pg_settings AS s"
            + " WHERE pg_catalog.lower(s.name) OPERATOR(pg_catalog.=) pg_catalog.lower(w.name)"
            + " AND s.source OPERATOR(pg_catalog.<>) 'session')"
            + " OR pg_catalog.strpos(w.name,'.') OPERATOR(pg_catalog.>) 0"
            + " AND pg_catalog.length(pg_catalog.current_setting(w.name,true)) OPERATOR(pg_catalog.=) 0"
        return self.entries.contains(where: Self.isRole) ? query + Self.orRoleWasReset : query
    }

    /// `pg_settings` does not show the role, which is `none` when it was reset. That the client has SET ROLE NONE
    /// before cannot be told from that: it gets the one of its startup packet, which lets it do less. A role that the
    /// session may not have, because it has become somebody else, stays away.
    private static let orRoleWasReset =
        " OR pg_catalog.lower(w.name) OPERATOR(pg_catalog.=) 'role'"
        + " AND pg_catalog.current_setting('role') OPERATOR(pg_catalog.=) 'none'"
        + " AND EXISTS (SELECT 1 FROM pg_catalog.pg_roles AS r WHERE r.rolname OPERATOR(pg_catalog.=) w.value"
        + " AND pg_catalog.pg_has_role(session_user,r.oid,'MEMBER'))"
}

/// Text that the gateway puts into its own queries, quoted so that no setting of the session changes its meaning.
package enum SQLText {
    /// An escape string (`E'...'`), which reads the same whatever `standard_conforming_strings` says. Bytes beyond
    /// ASCII are escaped: they reach the server as they would in a startup packet, whatever `client_encoding` says (in
    /// some encodings the last byte of a character could otherwise swallow a quote).
    package static func literal(_ text: String) -> String {
        let digits = Array("0123456789abcdef".utf8)
        var out = Array("E'".utf8)
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "'"), UInt8(ascii: "\\"): out += [byte, byte]
            case 0x80...: out += [UInt8(ascii: "\\"), UInt8(ascii: "x"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            default: out.append(byte)
            }
        }
        out.append(UInt8(ascii: "'"))
        return String(decoding: out, as: UTF8.self)
    }

    /// A quoted identifier; the parts of a dotted name are quoted one by one.
    package static func identifier(_ name: String) -> String {
        name.split(separator: ".", omittingEmptySubsequences: false)
            .map { part in
                var out = "\""
                for character in part.unicodeScalars {
                    if character == "\"" { out.unicodeScalars.append(character) }
                    out.unicodeScalars.append(character)
                }
                return out + "\""
            }
            .joined(separator: ".")
    }
}
