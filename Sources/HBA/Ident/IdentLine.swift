import PGWire

/// One line of a map: who was proved, and as whom they may log in.
struct IdentLine: Sendable {
    enum SystemUser: Sendable {
        /// Byte for byte.
        case name(String)
        case pattern(HBARegex)
    }

    enum DatabaseUser: Sendable {
        case all
        /// The members of a role.
        case role(String)
        case name(String)
        case pattern(HBARegex)
        /// A name with `\1` in it: what the first group of the system user's expression matched goes there.
        case template(before: String, after: String)
    }

    let map: String
    let systemUser: SystemUser
    let databaseUser: DatabaseUser
    let file: String
    let line: Int

    /// What the line says.
    enum Condition {
        case yes
        case no
        /// The name that the line asks for cannot be made: no later line counts, as in PostgreSQL.
        case refused
        case open(HBACondition)
    }

    func condition(systemUser: String, databaseUser: String, _ facts: HBAFacts) -> Condition {
        switch self.systemUser {
        case .name(let name):
            guard name.hasSameBytes(as: systemUser) else { return .no }
        case .pattern(let regex):
            guard regex.matches(systemUser) else { return .no }
            if case .template(let before, let after) = self.databaseUser {
                guard let group = regex.firstGroup(in: systemUser) else { return .refused }
                return (before + group + after).hasSameBytes(as: databaseUser) ? .yes : .no
            }
        }
        switch self.databaseUser {
        case .all: return .yes
        case .name(let name): return name.hasSameBytes(as: databaseUser) ? .yes : .no
        case .pattern(let regex): return regex.matches(databaseUser) ? .yes : .no
        case .template: return .no
        case .role(let role):
            let member = HBACondition.isMember(of: role, databaseUser, facts)
            switch member {
            case .yes: return .yes
            case .no: return .no
            case .needs, .unavailable: return .open(member)
            }
        }
    }
}

/// Reads one logical line as a line of a map: map, system user, database user.
struct IdentLineParser {
    private(set) var errors: [HBAError] = []
    private let line: HBALine

    init(line: HBALine) {
        self.line = line
    }

    /// The line, or `nil` with at least one error.
    mutating func parse() -> IdentLine? {
        guard let columns = self.columns() else { return nil }
        let (map, system, database) = columns
        guard !map.text.isEmpty, !system.text.isEmpty, !database.text.isEmpty else {
            self.refuse(map, "an empty name")
            return nil
        }
        let isTemplate = self.isTemplate(system, database)
        let systemUser = self.systemUser(system, captures: isTemplate)
        let databaseUser = self.databaseUser(database, isTemplate: isTemplate)
        guard let systemUser, let databaseUser else { return nil }
        return IdentLine(
            map: map.text,
            systemUser: systemUser,
            databaseUser: databaseUser,
            file: self.line.source.file,
            line: self.line.source.text.number
        )
    }

    private mutating func columns() -> (HBAToken, HBAToken, HBAToken)? {
        let fields = self.line.fields
        guard fields.count == 3 else {
            let source = self.line.source
            let end = source.text.bytes.count
            self.errors.append(
                fields.count < 3
                    ? source.error(at: end, "the line ends where another name is expected", hint: Self.shape)
                    : fields[3].first.error("a fourth column", hint: Self.shape)
            )
            return nil
        }
        for field in fields where field.tokens.count > 1 {
            self.refuse(field.first, "a list of names", hint: "write one line per name")
            return nil
        }
        for field in fields where field.first.isFileInclusion {
            self.refuse(
                field.first,
                "names cannot come from a file here",
                hint: "a name that begins with @ goes in double quotes"
            )
            return nil
        }
        return (fields[0].first, fields[1].first, fields[2].first)
    }

    private static let shape = "a line is: map, system user, database user"
    private static let placeholder = Array("\\1".utf8)

    /// Whether `\1` in the database user stands for a part of the system user.
    private func isTemplate(_ system: HBAToken, _ database: HBAToken) -> Bool {
        system.isPattern && !database.isPattern && !database.isRole && Self.parts(of: database.text) != nil
    }

    private mutating func systemUser(_ token: HBAToken, captures: Bool) -> IdentLine.SystemUser? {
        guard token.isPattern else { return .name(token.text) }
        guard let regex = self.regex(token, captures: captures) else { return nil }
        guard !captures || regex.hasGroup else {
            self.refuse(token, "\\1 is used but the expression has no parentheses it could stand for")
            return nil
        }
        return .pattern(regex)
    }

    private mutating func databaseUser(_ token: HBAToken, isTemplate: Bool) -> IdentLine.DatabaseUser? {
        if token.isPattern { return self.regex(token, captures: false).map { .pattern($0) } }
        if token.isRole {
            let role = String(token.text.unicodeScalars.dropFirst())
            if role.isEmpty { self.refuse(token, "empty role name") }
            return role.isEmpty ? nil : .role(role)
        }
        if isTemplate, let (before, after) = Self.parts(of: token.text) {
            return .template(before: before, after: after)
        }
        guard token.isKeyword("all") else { return .name(token.text) }
        guard !token.hasInnerQuotes else {
            self.refuse(token, "the keyword all has double quotes inside", hint: "write all, or \"all\" for the name")
            return nil
        }
        return .all
    }

    /// What stands before and after the first `\1`.
    private static func parts(of text: String) -> (before: String, after: String)? {
        let bytes = Array(text.utf8)
        guard bytes.count >= 2 else { return nil }
        for start in 0...(bytes.count - 2) where bytes[start...].starts(with: Self.placeholder) {
            let after = bytes[(start + Self.placeholder.count)...]
            return (String(decoding: bytes[..<start], as: UTF8.self), String(decoding: after, as: UTF8.self))
        }
        return nil
    }

    private mutating func regex(_ token: HBAToken, captures: Bool) -> HBARegex? {
        do throws(RegexError) {
            return try token.regex(captures: captures)
        } catch {
            self.errors.append(token.error(error.reason(token), hint: error.hint))
            return nil
        }
    }

    private mutating func refuse(_ token: HBAToken, _ reason: String, hint: String? = nil) {
        self.errors.append(token.error(reason, hint: hint))
    }
}
