extension HBARuleParser {
    /// The database column.
    mutating func databases(of field: HBAField) -> [HBADatabase] {
        field.tokens.compactMap { token in
            if token.isKeyword("samerole") || token.isKeyword("samegroup") {
                self.refuse(token, UnsupportedFeature.roleMembership.reason(token.text))
                return nil
            }
            let keywords: [(String, HBADatabase)] = [
                ("all", .all), ("sameuser", .sameUser), ("replication", .replication),
            ]
            if let keyword = keywords.first(where: { token.isKeyword($0.0) }) {
                return self.isPlainKeyword(token) ? keyword.1 : nil
            }
            return self.name(of: token, "database").map { .name($0) }
        }
    }

    /// The user column.
    mutating func users(of field: HBAField) -> [HBAUser] {
        field.tokens.compactMap { token in
            if token.isKeyword("all") {
                return self.isPlainKeyword(token) ? .all : nil
            }
            if !token.isQuoted, token.text.begins(with: "+") {
                self.refuse(
                    token,
                    UnsupportedFeature.roleMembership.reason(token.text),
                    hint: "a user whose name begins with + goes in double quotes"
                )
                return nil
            }
            return self.name(of: token, "user").map { .name($0) }
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

    /// A plain name. A slash at the beginning means a regular expression, quoted or not.
    private mutating func name(of token: HBAToken, _ column: String) -> String? {
        guard !token.text.isEmpty else {
            self.refuse(token, "empty \(column) name")
            return nil
        }
        guard !token.text.begins(with: "/") else {
            self.refuse(token, UnsupportedFeature.regularExpression.reason(token.text))
            return nil
        }
        return token.text
    }
}
