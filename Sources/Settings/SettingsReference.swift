/// Texts made from the table of keys: the reference page and the annotated sample.
package enum SettingsReference {
    /// The reference page, in Markdown.
    package static var markdown: String {
        var text = Self.introduction
        for section in [SettingsSection.root] + SettingsSection.allCases.filter({ $0 != .root }) {
            text += Self.section(section)
        }
        return text + Self.examplesSection
    }

    private static func section(_ section: SettingsSection) -> String {
        let title = section == .root ? "Top level" : "`\(section.path)`"
        var text = "\n## \(title)\n\n"
        text += "| key | type | default | change takes effect at | meaning |\n|---|---|---|---|---|\n"
        for key in SettingsTable.keys(of: section) {
            text += Self.row(key)
        }
        return text
    }

    private static func row(_ key: SettingsKey) -> String {
        let name = "`\(key.name)`" + (key.alias.map { " (also `\($0)`)" } ?? "")
        var meaning = key.summary
        if key.isOwn { meaning += " Not in pg_doorman." }
        if case .accepted(let caution) = key.status {
            meaning += " **Accepted, not yet effective" + (caution.map { ": \($0)" } ?? "") + ".**"
        }
        let cells = [name, key.kind.reference, Self.defaultCell(key), key.reload.rawValue, meaning]
        return "| " + cells.map { $0.replacing("|", with: "\\|") }.joined(separator: " | ") + " |\n"
    }

    private static func defaultCell(_ key: SettingsKey) -> String {
        if key.isRequired { return "**required**" }
        if let text = key.defaultText { return "`\(text.replacing("\n", with: " "))`" }
        if let fallback = key.fallback { return "as in `\(fallback.path)`" }
        return key.unsetMeaning ?? "unset"
    }

    private static let introduction = """
        # Settings

        This page is generated from the table of keys in the source; a test compares the two.

        ## Files

        * One main file, given on the command line. `.yaml` and `.yml` are YAML, every other name is TOML. The shape is
          that of pg_doorman: `general`, `pools`, and optionally `web`, `talos`, `include`.
        * `include.files` are merged over the main file one after the other: tables key by key, lists appended, other
          values replaced. A value that is a table in one file and not in the other is an error. YAML and TOML may be
          mixed.
        * Relative paths (included files, `pg_hba.path`, `file:` secrets, ...) begin at the folder of the main file.
        * An unknown key, a key that stands twice, and a value of the wrong type are errors. The errors of a load, the
          first hundred of them, are reported together, each with file, line and key; for an unknown key the nearest
          known one is named. Once there are none, rules, certificates, keys and PAM services are looked at: what is
          wrong there is reported together, too, each with file, line and key, or with file and line of the rule. At
          start the process exits with 78; a reload keeps the settings that are in force.
        * A key of pg_doorman that has no effect yet is checked for its type and reported as a warning.
        * The users of a pool are a list, or a map with numbers as keys, taken in the order of the numbers.
        * A YAML value that is empty or `null` counts as not written. Merge keys (`<<`) are refused; anchors and aliases
          work up to \(SizeText.text(SettingsLimits.maximumExpandedBytes)) of replaced text. A file is a regular \
        one (no pipe) and holds at most \(SizeText.text(SettingsLimits.maximumFileBytes)).

        ## Values

        | type | how it is written |
        |---|---|
        | duration | integer = milliseconds, in quotes or not; or a string with `us`, `ms`, `s`, `m`, `h`, `d` in any \
        case, decimals allowed: `500ms`, `1.5s`, `0.1ms`, `100us`. At most 3650 days |
        | size | integer = bytes, in quotes or not; or a string with `B`, `K`, `KB`, `M`, `MB`, `G`, `GB` in any \
        case, powers of 1024: `256MB` |
        | seconds | integer = seconds; or a duration of whole seconds with a unit |
        | octal mode | string of octal digits: `"0600"`, `"600"`, `"0o660"` |
        | secret | a string that is never shown: `SHOW CONFIG` and messages mask it |

        Where pg_doorman takes only integers of milliseconds (timeouts of pools and users), a duration with a unit works
        too.

        ## Secrets and variables

        * `${NAME}` anywhere in a string is replaced by the environment variable; one that is not set is an error. `$${`
          stands for `${`. Only `${` begins a reference, so `SCRAM-SHA-256$4096:...` stands as it is.
        * A key of type secret may be `file:/path`: the content of the file, without one line end at its end.

        ## Reload

        SIGHUP and `RELOAD` read all files again. The new settings apply whole or not at all.

        * **reload**: in force at once for new work, for connected clients at their next transaction.
        * **new pool**: in force at once; the pools concerned get new server connections, all others keep theirs. In
          session mode a client keeps its old server until it leaves.
        * **restart**: in force when the process starts again.

        """
}

extension SettingsKind {
    /// The type with its bounds, for the reference page.
    package var reference: String {
        switch self {
        case .duration(let minimum):
            minimum == .zero ? "duration" : "duration above 0"
        case .size(let range):
            range == 0...(1 << 40) ? "size" : "size, at most \(SizeText.text(range.upperBound))"
        case .seconds(let range): "seconds, \(range.lowerBound) to \(range.upperBound)"
        case .integer(let range): "integer, \(range.lowerBound) to \(range.upperBound)"
        case .bool: "bool"
        case .string: "string"
        case .secret: "secret"
        case .path: "path"
        case .octalMode: "octal mode"
        case .choice(let words, let anyCase):
            words.map { "`\($0)`" }.joined(separator: ", ") + (anyCase ? " (any case)" : "")
        case .cidrList: "list of address ranges"
        case .stringList: "list of strings"
        case .pathList: "list of paths"
        case .stringMap: "map of strings"
        case .hbaRules: "string, `{path}` or `{content}`"
        case .table: "table"
        case .tableMap: "map of tables"
        case .tableList: "list of tables"
        }
    }
}
