/// Parameters that every user may set, and whose values a server takes at any time if it ever takes them: nothing else
/// decides, and nothing waits for anything.
enum SteadyParameters {
    /// What drivers send by themselves. `search_path` is not among them, though it names what need not be there: a
    /// request that ran by another client's would find other tables.
    private static let names: Set<String> = [
        "application_name", "bytea_output", "client_encoding", "client_min_messages", "datestyle",
        "extra_float_digits", "intervalstyle", "standard_conforming_strings", "timezone",
    ]

    /// They end the query that resets them, when that takes too long.
    private static let timeouts: Set<String> = ["statement_timeout", "transaction_timeout"]

    static func contain(_ entry: SessionParameters.Entry) -> Bool {
        self.names.contains(SessionParameters.foldingCase(entry.name))
    }

    static func isTimeout(_ entry: SessionParameters.Entry) -> Bool {
        self.timeouts.contains(SessionParameters.foldingCase(entry.name))
    }
}
