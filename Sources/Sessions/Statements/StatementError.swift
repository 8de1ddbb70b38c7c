import PGWire

/// What a client is told when the gateway refuses a statement. In the words of PostgreSQL where it has some.
enum StatementError {
    /// SQL-level prepared statements live in one server's session, which the client keeps only for a transaction.
    static let sqlPrepare = Self.error(
        .featureNotSupported,
        "PREPARE and EXECUTE as SQL statements are not supported in transaction and statement pooling mode",
        hint: "Use the driver's prepared statements (extended query protocol), or pool_mode = session."
    )

    static let switchedOff = Self.error(
        .featureNotSupported,
        "named prepared statements are switched off (prepared_statements = false)",
        hint: "Disable statement caching in the driver, or use pool_mode = session."
    )

    static let unicodeName = Self.error(
        .featureNotSupported,
        "DEALLOCATE of a U&\"...\" name is not supported in transaction and statement pooling mode"
    )

    static let memory = Self.error(
        .outOfMemory,
        "the gateway's memory for prepared statements is exhausted",
        hint: "See query_interner_max_size and SHOW INTERNER."
    )

    static let tooLong = Self.error(
        .programLimitExceeded,
        "a statement of more than \(FrontendScanner.parseLimit) bytes cannot be prepared"
    )

    static let tooMany = Self.error(
        .programLimitExceeded,
        "a client may have at most \(StatementNames.countMax) prepared statements"
    )

    static func duplicate(_ name: String) -> ServerMessageFields {
        self.error(.duplicatePreparedStatement, "prepared statement \"\(name)\" already exists")
    }

    static func unknown(_ name: String) -> ServerMessageFields {
        self.error(.invalidStatementName, "prepared statement \"\(name)\" does not exist")
    }

    private static func error(_ state: SQLState, _ message: String, hint: String? = nil) -> ServerMessageFields {
        ServerMessageFields(severity: .error, sqlState: state, message: message, hint: hint)
    }
}
