extension HBARuleParser {
    /// The database column.
    mutating func databases(of field: HBAField) -> [HBADatabase] {
        field.tokens.compactMap { token in
            let keywords: [(String, HBADatabase)] = [
                ("all", .all), ("sameuser", .sameUser), ("samerole", .sameRole), ("samegroup", .sameRole),
                ("replication", .replication),
            ]
            if let keyword = keywords.first(where: { token.isKeyword($0.0) }) {
                return self.isPlainKeyword(token) ? keyword.1 : nil
            }
            switch self.name(of: token, "database") {
            case .text(let name): return .name(name)
            case .pattern(let regex): return .pattern(regex)
            case .refused: return nil
            }
        }
    }

    /// The user column.
    mutating func users(of field: HBAField) -> [HBAUser] {
        field.tokens.compactMap { token in
            if token.isKeyword("all") {
                return self.isPlainKeyword(token) ? .all : nil
            }
            if token.isRole {
                return self.role(of: token).map { .role($0) }
            }
            switch self.name(of: token, "user") {
            case .text(let name): return .name(name)
            case .pattern(let regex): return .pattern(regex)
            case .refused: return nil
            }
        }
    }

    /// `a"ll"` is the keyword `all` to PostgreSQL, although someone took care to quote it: too easily misread to load.
    mutating func isPlainKeyword(_ token: HBAToken) -> Bool {
        guard token.hasInnerQuotes else { return true }
        self.refuse(
            token,
            "the keyword \(token.text) has double quotes inside",
            hint: "write \(token.text) for the keyword, or \"\(token.text)\" for the name"
        )
        return false
    }

    private mutating func role(of token: HBAToken) -> String? {
        let name = String(token.text.unicodeScalars.dropFirst())
        guard !name.isEmpty else {
            self.refuse(token, "empty role name", hint: "a user whose name is + goes in double quotes")
            return nil
        }
        return name
    }

    private enum Name {
        case text(String)
        case pattern(HBARegex)
        case refused
    }

    /// A name as it is. A slash at the beginning means a regular expression, quoted or not.
    private mutating func name(of token: HBAToken, _ column: String) -> Name {
        guard !token.text.isEmpty else {
            self.refuse(token, "empty \(column) name")
            return .refused
        }
        guard token.isPattern else { return .text(token.text) }
        do throws(RegexError) {
            return .pattern(try token.regex())
        } catch {
            self.refuse(token, error.reason(token), hint: error.hint)
            return .refused
        }
    }
}

extension HBAToken {
    /// `+role`; a quoted word is a name.
    var isRole: Bool { !self.isQuoted && self.text.begins(with: "+") }

    /// `/expression`, quoted or not.
    var isPattern: Bool { self.text.begins(with: "/") }

    /// The expression behind the slash.
    func regex(captures: Bool = false) throws(RegexError) -> HBARegex {
        let pattern = String(self.text.unicodeScalars.dropFirst())
        guard !pattern.isEmpty else {
            throw RegexError(reason: "nothing stands behind the slash: that would match every name", offset: 0)
        }
        return try HBARegex(pattern, captures: captures)
    }
}

extension RegexError {
    func reason(_ token: HBAToken) -> String { "regular expression \(token.text.excerpt): \(self.reason)" }

    /// Where the reader stopped, when that says something.
    var hint: String? { self.offset == 0 ? nil : "noticed at character \(self.offset) of the expression" }
}
