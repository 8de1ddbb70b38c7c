package import PGWire

/// Why a console statement or message is refused, as the client is told. Immutable.
package struct ConsoleError: Error, Hashable, Sendable {
    package let sqlState: SQLState
    package let message: String
    package let hint: String?

    init(_ sqlState: SQLState, _ message: String, hint: String? = nil) {
        self.sqlState = sqlState
        self.message = message
        self.hint = hint
    }

    /// The fields of the ErrorResponse: severity ERROR, so the session goes on.
    package var fields: ServerMessageFields {
        ServerMessageFields(
            severity: .error,
            sqlState: self.sqlState,
            message: self.message,
            hint: self.hint
        )
    }
}

extension ConsoleError {
    private static let helpHint = "SHOW HELP lists the commands."

    /// `words` are the unquoted words that the statement begins with. Quoted parts are left out, since they may hold a
    /// secret that was meant for a real server.
    static func unsupportedCommand(_ words: String) -> Self {
        Self(.syntaxError, "unsupported console command \"\(words)\"", hint: Self.helpHint)
    }

    static func unknownTarget(_ target: String, nearest: String?) -> Self {
        let suggestion = nearest.map { "Perhaps you mean SHOW \($0). " } ?? ""
        return Self(.undefinedObject, "unknown SHOW target \"\(target)\"", hint: suggestion + Self.helpHint)
    }

    static func syntax(at token: ConsoleToken?) -> Self {
        guard let token else { return Self(.syntaxError, "syntax error at end of input") }
        return Self(.syntaxError, "syntax error at or near \"\(token.text)\"")
    }

    static func tooManyDots(_ token: ConsoleToken) -> Self {
        Self(
            .syntaxError,
            "syntax error at or near \"\(token.text)\"",
            hint: "Quote names that hold a dot, as in shop.\"john.doe\"."
        )
    }

    static func noAuthQuery(_ database: String) -> Self {
        Self(
            .invalidCatalogName,
            "database \"\(database)\" has no auth_query",
            hint: "SHOW AUTH_QUERY lists those that have one. Names are in lower case unless quoted."
        )
    }

    static func unterminated(_ what: String) -> Self {
        Self(.syntaxError, "unterminated \(what)")
    }

    static func unknownParameter(_ name: String) -> Self {
        Self(.undefinedObject, "unrecognized configuration parameter \"\(name)\"")
    }

    static let failedTransaction = Self(
        .inFailedTransaction,
        "current transaction is aborted, commands ignored until end of transaction block"
    )

    static func insideTransaction(_ command: String) -> Self {
        Self(.activeTransaction, "\(command) cannot run inside a transaction block")
    }

    static func outsideTransaction(_ command: String) -> Self {
        Self(.noActiveTransaction, "\(command) can only be used in transaction blocks")
    }

    static func noSavepoint(_ name: String) -> Self {
        Self(.noSavepoint, "savepoint \"\(name)\" does not exist")
    }

    static func noStatement(_ name: String) -> Self {
        let subject = name.isEmpty ? "unnamed prepared statement" : "prepared statement \"\(name)\""
        return Self(.invalidStatementName, "\(subject) does not exist")
    }

    static func noPortal(_ name: String) -> Self {
        Self(.invalidCursorName, "portal \"\(name)\" does not exist")
    }

    static func protocolViolation(_ message: String) -> Self {
        Self(.protocolViolation, message)
    }

    static func limit(_ message: String) -> Self {
        Self(.configurationLimitExceeded, message)
    }

    static func broken(_ error: WireError) -> Self {
        Self(error.sqlState, "invalid message format: \(error.description)")
    }
}

extension SQLState {
    /// 42P03
    static let duplicateCursor = SQLState("42P03") ?? .invalidCursorName
    /// 3B001
    static let noSavepoint = SQLState("3B001") ?? .undefinedObject
}
