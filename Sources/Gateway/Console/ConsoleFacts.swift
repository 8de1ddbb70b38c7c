/// What a console session tells about itself. Immutable.
package struct ConsoleFacts: Hashable, Sendable {
    /// Version of the product, such as `1.0.0`.
    package let version: String
    /// Name of the console database that the client asked for.
    package let database: String
    package let user: String

    package init(version: String, database: String, user: String) {
        self.version = version
        self.database = database
        self.user = user
    }

    /// What `SHOW VERSION` answers.
    package var product: String {
        "pggateway \(self.version)"
    }

    /// Begins with the number of a PostgreSQL release, because drivers choose their behaviour by it and refuse what is
    /// no number.
    private var serverVersion: String {
        "15.0 (\(self.product))"
    }

    /// The ParameterStatus messages to send when the login is complete.
    package var parameterStatus: [(name: String, value: String)] {
        [
            ("application_name", ""),
            ("client_encoding", "UTF8"),
            ("DateStyle", "ISO, MDY"),
            ("default_transaction_read_only", "off"),
            ("in_hot_standby", "off"),
            ("integer_datetimes", "on"),
            ("IntervalStyle", "postgres"),
            ("is_superuser", "off"),
            ("server_encoding", "UTF8"),
            ("server_version", self.serverVersion),
            ("session_authorization", self.user),
            ("standard_conforming_strings", "on"),
            ("TimeZone", "UTC"),
        ]
    }

    /// What `SHOW <parameter>` answers: the parameters above, and those that drivers ask for to find a writable server.
    var shownParameters: [(name: String, value: String)] {
        self.parameterStatus + [
            ("search_path", "public"),
            ("transaction_isolation", "read committed"),
            ("transaction_read_only", "off"),
        ]
    }

    /// What `SELECT <expression>` answers, by the expression in lower case without blanks: the pings and questions that
    /// drivers, connection pools and monitoring tools begin with.
    var constants: [(expression: String, answer: ConsoleTable)] {
        [
            ("1", ConsoleTable(column: "?column?", number: 1)),
            ("version()", ConsoleTable(column: "version", value: "PostgreSQL \(self.serverVersion)")),
            ("current_database()", ConsoleTable(column: "current_database", value: self.database)),
            ("current_schema()", ConsoleTable(column: "current_schema", value: "public")),
            ("current_user", ConsoleTable(column: "current_user", value: self.user)),
            ("session_user", ConsoleTable(column: "session_user", value: self.user)),
            ("pg_is_in_recovery()", ConsoleTable(column: "pg_is_in_recovery", value: "f")),
            ("pg_advisory_unlock_all()", ConsoleTable(column: "pg_advisory_unlock_all", value: "")),
        ]
    }
}
