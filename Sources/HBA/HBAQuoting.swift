import PGWire

/// Puts names and option values into double quotes where a policy text needs them.
enum HBAQuoting {
    private static let keywords = ["all", "sameuser", "samerole", "samegroup", "replication"]

    /// A database or user name that reads back as this very name, never as a keyword, a role or a file.
    static func name(_ name: String) -> String {
        let isSpecial =
            name.isEmpty
            || Self.keywords.contains { name.hasSameBytes(as: $0) }
            || name.utf8.first.map { "+@/".utf8.contains($0) } == true
        return isSpecial || Self.needsQuotes(name) ? Self.quoted(name) : name
    }

    /// A text without a meaning of its own, such as an option value, that reads back as this very text.
    static func plain(_ value: String) -> String {
        Self.needsQuotes(value) ? Self.quoted(value) : value
    }

    /// A host name that reads back as a host name, never as a keyword or an address.
    static func hostName(_ name: String) -> String {
        HBAHostName.isPlain(name) ? name : Self.quoted(name)
    }

    private static func needsQuotes(_ text: String) -> Bool {
        text.unicodeScalars.contains { $0.isDeceptive || " ,#\"\\".unicodeScalars.contains($0) }
    }

    /// By scalars: a quote followed by a combining mark is one `Character` with it.
    private static func quoted(_ text: String) -> String {
        var result = String.UnicodeScalarView("\"".unicodeScalars)
        for scalar in text.unicodeScalars {
            if scalar == "\"" {
                result.append(scalar)
            }
            result.append(scalar)
        }
        result.append("\"")
        return String(result)
    }
}
