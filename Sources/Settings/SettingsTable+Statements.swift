/// Prepared statements in transaction and statement mode.
extension SettingsTable {
    static let generalStatementKeys: [SettingsKey] = [
        SettingsKey(
            "prepared_statements", .general, .bool, default: "true", .newPool,
            """
            Prepared statements of the extended protocol work in transaction and statement mode: servers get them \
            under names of the gateway's own, and share them between clients. false refuses named statements there; \
            pg_doorman passes them on.
            """
        ),
        SettingsKey(
            "share_unnamed_statements", .general, .bool, default: "true", .newPool, isOwn: true,
            "Unnamed statements whose text comes back are kept on servers, too, so that their plans are reused."
        ),
        SettingsKey(
            "prepared_statements_cache_size", .general, .integer(0...1_000_000), default: "8192", .newPool,
            "Statements a pool knows at the same time; beyond that the least recently used is forgotten. 0 only with "
                + "`prepared_statements: false`."
        ),
        SettingsKey(
            "server_prepared_statements_cache_size", .general, .integer(0...1_000_000),
            unset: "`prepared_statements_cache_size`", .newPool,
            "Statements kept on each server; beyond that the least recently used is closed."
        ),
        SettingsKey(
            "client_anonymous_prepared_cache_size", .general, .count, unset: "`prepared_statements_cache_size`",
            .newPool, alias: "client_prepared_statements_cache_size",
            "Unnamed statements that a client finds again without asking its pool; 0 is no limit, and more than 32 "
                + "count as 32."
        ),
        SettingsKey(
            "query_interner_max_size", .general, .size(0...(1 << 40)), default: "256MB", .restart, isOwn: true,
            """
            Bytes of all texts of prepared statements in the process, each counted with 128 more; beyond that pools \
            forget the statements used longest ago, and when that is not enough, a Parse of a new text fails (53200).
            """
        ),
    ]

    static let poolStatementKeys: [SettingsKey] = [
        SettingsKey(
            "prepared_statements_cache_size", .pool, .integer(0...1_000_000), fallback: .general, .newPool,
            "As in `general`."
        ),
        SettingsKey(
            "server_prepared_statements_cache_size", .pool, .integer(0...1_000_000), fallback: .general,
            .newPool, "As in `general`."
        ),
    ]
}
