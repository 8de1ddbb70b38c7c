extension SettingsReference {
    /// The annotated sample: every key that the gateway acts on. Keys with a value of their own are in force, the
    /// others stand as comments with their default.
    package static var sampleYAML: String {
        var text = """
            # Settings of pggateway, generated from the table of keys in the source.
            # Documentation/settings.md explains the types.
            #
            # Durations: 500ms, 3s, 1.5m, 100us; an integer is milliseconds. Sizes: 64KB, 256MB; an integer is bytes.
            # Secrets: "${NAME}" takes an environment variable, "file:/path" the content of a file.
            # Lines that begin with "#" and a key show the default.

            general:

            """
        text += Self.entries(of: .general, indent: 2)
        text += "\npools:\n  # The name is the database that clients ask for.\n  example_db:\n"
        text += Self.entries(of: .pool, indent: 4)
        text += "\n    # A list, or a map with numbers as keys.\n    users:\n"
        text += Self.userEntries(indent: 6)
        text += "\n    # Users that are not listed are found by a query: Documentation/auth_query.md.\n"
        text += "    # auth_query:\n"
        text += Self.entries(of: .authQuery, indent: 2).split(separator: "\n").map { "    # \($0)\n" }.joined()
        text += "\n    # As whom users that are not listed work at the server: Documentation/server_users.md.\n"
        text += "    # server_users:\n    # -\n"
        text += Self.entries(of: .serverUser, indent: 2).split(separator: "\n").map { "    # \($0)\n" }.joined()
        text += "\n# Logins of the user talos by token: Documentation/providers/talos.md.\n# talos:\n"
        text += Self.entries(of: .talos, indent: 2).split(separator: "\n").map { "# \($0)\n" }.joined()
        text += """

            # Further files, merged over this one in order. A relative path begins at the folder of this file.
            #include:
            #  files: []

            """
        return text
    }

    private static func entries(of section: SettingsSection, indent: Int) -> String {
        let keys = SettingsTable.keys(of: section).filter { key in
            switch key.kind {
            case .table, .tableMap, .tableList: false
            default: key.isSupported
            }
        }
        return keys.map { Self.entry($0, indent: indent) }.joined(separator: "\n")
    }

    /// The first line of a user opens the list element.
    private static func userEntries(indent: Int) -> String {
        let lines = Self.entries(of: .user, indent: indent + 2).split(separator: "\n", omittingEmptySubsequences: false)
        let margin = String(repeating: " ", count: indent)
        var isOpened = false
        return lines.map { line in
            let body = line.dropFirst(indent + 2)
            guard !isOpened, !body.hasPrefix("#"), !body.isEmpty else { return String(line) }
            isOpened = true
            return "\(margin)- \(body)"
        }.joined(separator: "\n")
    }

    private static func entry(_ key: SettingsKey, indent: Int) -> String {
        let margin = String(repeating: " ", count: indent)
        var lines = Self.wrapped(key.summary.replacing("`", with: ""), width: 112 - indent).map { "# \($0)" }
        lines.append("# \(Self.facts(key))")
        if let sample = key.sample {
            lines += Self.assignment(key.name, sample)
        } else {
            lines += Self.assignment(key.name, key.defaultText ?? "").map { "#\($0)" }
        }
        return lines.map { "\(margin)\($0)\n" }.joined()
    }

    private static func facts(_ key: SettingsKey) -> String {
        let type = key.kind.reference.replacing("`", with: "")
        let fallback = key.fallback.map { "as in \($0.path)" }
        let unset = fallback ?? key.unsetMeaning ?? "unset"
        let standard: String
        if key.isRequired {
            standard = "required"
        } else if key.defaultText?.contains("\n") == true {
            standard = "default: as below"
        } else {
            standard = "default: \(key.defaultText ?? unset)"
        }
        return "[\(type); \(standard); \(key.reload.rawValue)]".replacing("`", with: "")
    }

    private static func assignment(_ name: String, _ value: String) -> [String] {
        let lines = value.split(separator: "\n")
        guard lines.count > 1 else { return [value.isEmpty ? "\(name):" : "\(name): \(value)"] }
        return ["\(name):"] + lines.map { "  \($0)" }
    }

    private static func wrapped(_ text: String, width: Int) -> [String] {
        var lines: [String] = []
        var line = ""
        for word in text.split(separator: " ") {
            if !line.isEmpty, line.count + 1 + word.count > width {
                lines.append(line)
                line = ""
            }
            line += line.isEmpty ? "\(word)" : " \(word)"
        }
        return line.isEmpty ? lines : lines + [line]
    }
}
