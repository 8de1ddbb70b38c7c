/// Turns the tokens of one statement into a `ConsoleStatement`. Immutable; belongs to one session.
struct ConsoleParser: Sendable {
    /// Of a refused statement, this many leading words are repeated in the error.
    private static let repeatedWords = 4

    let facts: ConsoleFacts

    /// - Throws: 42601 for what no rule matches, 42704 for an unknown name.
    func parse(_ tokens: [ConsoleToken]) throws(ConsoleError) -> ConsoleStatement {
        var cursor = ConsoleTokenCursor(tokens)
        guard let first = cursor.next(), first.kind == .word else { throw self.unsupported(tokens) }
        switch first.text.uppercased() {
        case ConsoleCommand.show:
            return try self.show(&cursor)
        case "SET":
            return try ConsoleSettingGrammar.set(&cursor)
        case "RESET":
            return try ConsoleSettingGrammar.reset(&cursor)
        case "BEGIN", "START", "COMMIT", "END", "ROLLBACK", "ABORT", "SAVEPOINT", "RELEASE":
            return try ConsoleTransactionGrammar.parse(first.text.uppercased(), &cursor)
        case "DISCARD", "DEALLOCATE", "CLOSE", "UNLISTEN":
            return try ConsoleCleanupGrammar.parse(first.text.uppercased(), &cursor)
        case "SELECT":
            return try self.select(tokens)
        case let verb:
            guard var command = Self.verb(verb, &cursor) else { throw self.unsupported(tokens) }
            command.arguments = try command.argument?.parse(&cursor) ?? []
            try cursor.expectEnd()
            return .command(command)
        }
    }

    /// A command of one word or of two.
    private static func verb(_ first: String, _ cursor: inout ConsoleTokenCursor) -> ConsoleCommand? {
        if let command = ConsoleCommand.named([first]) { return command }
        guard let second = cursor.upcoming, second.kind == .word,
            let command = ConsoleCommand.named([first, second.text.uppercased()])
        else { return nil }
        _ = cursor.next()
        return command
    }

    private func show(_ cursor: inout ConsoleTokenCursor) throws(ConsoleError) -> ConsoleStatement {
        guard let target = cursor.next() else { throw .syntax(at: nil) }
        guard let name = target.name else { throw .syntax(at: target) }
        if var command = ConsoleCommand.named([ConsoleCommand.show, name.uppercased()]) {
            if let part = cursor.upcoming?.name?.uppercased(),
                let narrower = ConsoleCommand.named(command.words + [part])
            {
                _ = cursor.next()
                command = narrower
            }
            if let number = cursor.upcoming?.number,
                let numbered = ConsoleCommand.named(command.words, number: number)
            {
                _ = cursor.next()
                try cursor.expectEnd()
                return .command(numbered)
            }
            try cursor.expectEnd()
            return .command(command)
        }
        let parameter = try Self.parameterName(name, &cursor)
        try cursor.expectEnd()
        guard let known = self.facts.shownParameters.first(where: { $0.name.lowercased() == parameter }) else {
            throw .unknownTarget(
                target.text,
                nearest: NearestName.of(name.uppercased(), in: ConsoleCommand.showTargets)
            )
        }
        return .constant(ConsoleTable(column: known.name, value: known.value), tag: ConsoleCommand.show)
    }

    /// Some parameters have a spelling of several words.
    private static func parameterName(
        _ first: String,
        _ cursor: inout ConsoleTokenCursor
    ) throws(ConsoleError) -> String {
        if first == "transaction", cursor.take("ISOLATION") {
            try cursor.expect("LEVEL")
            return "transaction_isolation"
        }
        if first == "time", cursor.take("ZONE") { return "timezone" }
        if first == "session", cursor.take("AUTHORIZATION") { return "session_authorization" }
        return first
    }

    private func select(_ tokens: [ConsoleToken]) throws(ConsoleError) -> ConsoleStatement {
        let words = tokens.dropFirst()
        guard words.allSatisfy({ $0.kind == .word || $0.kind == .sign }) else { throw self.unsupported(tokens) }
        var expression = words.map { $0.text.lowercased() }.joined()
        let schema = "pg_catalog."
        if expression.hasPrefix(schema) { expression.removeFirst(schema.count) }
        guard let constant = self.facts.constants.first(where: { $0.expression == expression }) else {
            throw self.unsupported(tokens)
        }
        return .constant(constant.answer, tag: "SELECT \(constant.answer.rows.count)")
    }

    private func unsupported(_ tokens: [ConsoleToken]) -> ConsoleError {
        let words = tokens.prefix { $0.kind == .word }.prefix(Self.repeatedWords)
        return .unsupportedCommand(words.map(\.text).joined(separator: " "))
    }
}

/// Reads the tokens of one statement from left to right. A value that lives for one statement.
struct ConsoleTokenCursor {
    private var rest: ArraySlice<ConsoleToken>

    init(_ tokens: [ConsoleToken]) {
        self.rest = tokens[...]
    }

    var upcoming: ConsoleToken? {
        self.rest.first
    }

    mutating func next() -> ConsoleToken? {
        self.rest.popFirst()
    }

    /// Takes the next token if it is this keyword (in upper case).
    mutating func take(_ keyword: String) -> Bool {
        guard let token = self.rest.first, token.isKeyword(keyword) else { return false }
        self.rest.removeFirst()
        return true
    }

    mutating func take(sign: String) -> Bool {
        guard let token = self.rest.first, token.isSign(sign) else { return false }
        self.rest.removeFirst()
        return true
    }

    mutating func expect(_ keyword: String) throws(ConsoleError) {
        guard self.take(keyword) else { throw .syntax(at: self.upcoming) }
    }

    /// The next token as an identifier.
    mutating func expectName() throws(ConsoleError) -> String {
        guard let name = self.upcoming?.name else { throw .syntax(at: self.upcoming) }
        self.rest.removeFirst()
        return name
    }

    func expectEnd() throws(ConsoleError) {
        guard self.rest.isEmpty else { throw .syntax(at: self.upcoming) }
    }
}
