extension SettingsTable {
    static let generalAcceptedKeys: [SettingsKey] =
        Self.relayKeys + Self.scalingKeys + Self.runtimeKeys + Self.cacheKeys + Self.patroniKeys(of: .general)
        + Self.removedKeys

    private static func accepted(
        _ name: String,
        _ kind: SettingsKind,
        default defaultText: String? = nil,
        _ reload: ReloadClass,
        alias: String? = nil,
        _ summary: String
    ) -> SettingsKey {
        SettingsKey(name, .general, kind, default: defaultText, reload, status: .accepted, alias: alias, summary)
    }

    private static let relayKeys: [SettingsKey] = [
        accepted(
            "proxy_copy_data_timeout", .duration, default: "15s", .reload,
            "Longest stall while one large message is passed on."
        ),
        accepted(
            "message_size_to_be_stream", .size, default: "1MB", .newPool,
            "Messages above this are passed on in pieces; the gateway does so for messages of any size."
        ),
        accepted(
            "max_memory_usage", .size, default: "256MB", .reload,
            "Bytes of client messages held at the same time; the gateway's memory is flat without it."
        ),
        SettingsKey(
            "tcp_so_linger", .general, .seconds(0...65_535), default: "0", .reload,
            status: .accepted(caution: "close never waits; the kernel sends what is unsent in the background"),
            """
            Seconds that close waits for unsent data. In pg_doorman 0 resets the connection at close; here a close is \
            orderly and never waits, whatever the value.
            """
        ),
    ]

    private static let scalingKeys: [SettingsKey] = [
        accepted(
            "scaling_warm_pool_ratio", .integer(0...100), default: "20", .newPool,
            "Per cent of a pool that is opened eagerly."
        ),
        accepted(
            "scaling_fast_retries", .count, default: "10", .newPool,
            "Quick attempts before a new server is opened."
        ),
        accepted(
            "scaling_max_parallel_creates", .integer(1...100_000), default: "2", .newPool,
            "Servers opened in parallel."
        ),
    ]

    private static let runtimeKeys: [SettingsKey] = [
        accepted("worker_cpu_affinity_pinning", .bool, default: "false", .restart, "Binds workers to cores."),
        accepted("worker_stack_size", .size, .restart, "Runtime tuning of pg_doorman; has no counterpart."),
        accepted("max_blocking_threads", .count, .restart, "Runtime tuning of pg_doorman; has no counterpart."),
        accepted("tokio_global_queue_interval", .count, .restart, "Runtime tuning of pg_doorman; has no counterpart."),
        accepted("tokio_event_interval", .count, .restart, "Runtime tuning of pg_doorman; has no counterpart."),
        accepted("daemon_pid_file", .path, default: "/tmp/pg_doorman.pid", .restart, "PID file of the daemon mode."),
    ]

    private static let cacheKeys: [SettingsKey] = [
        accepted(
            "query_interner_gc_interval_seconds", .seconds(1...86_400), default: "60", .restart,
            "Period of the query cache's sweep."
        ),
        accepted(
            "query_interner_anon_idle_ttl_seconds", .seconds(0...31_536_000), default: "60", .reload,
            "Age of unnamed queries in the cache; 0 is no limit."
        ),
    ]

    /// Keys of former versions of pg_doorman, which ignores them; files that still have them must load.
    private static let removedKeys: [SettingsKey] = [
        accepted("clock_resolution_statistics", .duration, .reload, "Removed in pg_doorman; without effect."),
        accepted("scaling_cooldown_sleep", .duration, .reload, "Removed in pg_doorman; without effect."),
        SettingsKey(
            "server_tls", .general, .bool, .reload,
            status: .accepted(caution: "`server_tls_mode` decides"), "Removed in pg_doorman; without effect."
        ),
        accepted("verify_server_certificate", .bool, .reload, "Removed in pg_doorman; without effect."),
        accepted("virtual_pool_count", .count, .restart, "Removed in pg_doorman; without effect."),
    ]

    /// Patroni-assisted fallback, in `general` and per pool.
    static func patroniKeys(of section: SettingsSection) -> [SettingsKey] {
        func key(_ name: String, _ kind: SettingsKind, _ summary: String) -> SettingsKey {
            SettingsKey(name, section, kind, .newPool, status: .accepted, summary)
        }
        return [
            key("patroni_api_urls", .stringList, "Patroni addresses asked for other members when a server is down."),
            key("fallback_cooldown", .positiveDuration, "How long a failed server is avoided."),
            key("patroni_api_timeout", .positiveDuration, "Deadline of one question to Patroni."),
            key("fallback_connect_timeout", .positiveDuration, "Deadline of a connection to another member."),
            key("fallback_lifetime", .positiveDuration, "Age at which a connection to another member is closed."),
        ]
    }
}
