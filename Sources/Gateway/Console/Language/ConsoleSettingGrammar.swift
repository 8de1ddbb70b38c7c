/// `SET` and `RESET` of client settings. Drivers send them when they connect or take a connection from their pool;
/// the console accepts them without effect. Pure functions.
enum ConsoleSettingGrammar {
    /// The settings of a client that are accepted.
    static let acceptedParameters: [String] = [
        "application_name", "bytea_output", "client_encoding", "client_min_messages", "datestyle",
        "default_transaction_isolation", "default_transaction_read_only", "extra_float_digits",
        "idle_in_transaction_session_timeout", "intervalstyle", "jit", "lock_timeout", "search_path",
        "standard_conforming_strings", "statement_timeout", "timezone", "transaction_isolation",
        "transaction_read_only",
    ]

    private static let tag = "SET"
    private static let valueSigns: Set<String> = [",", "-", "+"]

    /// `SET [SESSION | LOCAL] name { TO | = } value [, ...]`, `SET TIME ZONE value`, `SET NAMES value`,
    /// `SET TRANSACTION modes`, `SET SESSION CHARACTERISTICS AS TRANSACTION modes`.
    static func set(_ cursor: inout ConsoleTokenCursor) throws(ConsoleError) -> ConsoleStatement {
        let isSession = cursor.take("SESSION")
        if isSession, cursor.take("CHARACTERISTICS") {
            try cursor.expect("AS")
            try cursor.expect("TRANSACTION")
            try ConsoleTransactionGrammar.modes(&cursor)
            return .accepted(tag: self.tag)
        }
        if !isSession, !cursor.take("LOCAL"), cursor.take("TRANSACTION") {
            try ConsoleTransactionGrammar.modes(&cursor)
            return .accepted(tag: self.tag)
        }
        if cursor.take("TIME") {
            try cursor.expect("ZONE")
        } else if !cursor.take("NAMES") {
            let name = try cursor.expectName()
            guard cursor.take(sign: "=") || cursor.take("TO") else { throw .syntax(at: cursor.upcoming) }
            try self.check(name)
        }
        try self.value(&cursor)
        return .accepted(tag: self.tag)
    }

    /// `RESET name`, `RESET ALL`.
    static func reset(_ cursor: inout ConsoleTokenCursor) throws(ConsoleError) -> ConsoleStatement {
        if !cursor.take("ALL") {
            try self.check(try cursor.expectName())
        }
        try cursor.expectEnd()
        return .accepted(tag: "RESET")
    }

    private static func check(_ name: String) throws(ConsoleError) {
        guard self.acceptedParameters.contains(name.lowercased()) else { throw .unknownParameter(name) }
    }

    private static func value(_ cursor: inout ConsoleTokenCursor) throws(ConsoleError) {
        guard cursor.upcoming != nil else { throw .syntax(at: nil) }
        while let token = cursor.next() {
            guard token.kind != .sign || self.valueSigns.contains(token.text) else { throw .syntax(at: token) }
        }
    }
}
