extension SettingsTable {
    static let generalAcceptedKeys: [SettingsKey] =
        Self.relayKeys + Self.scalingKeys + Self.runtimeKeys + Self.tlsKeys(of: .general)
        + [
            accepted("tls_certificate", .path, .restart, "Certificate for clients."),
            accepted("tls_private_key", .path, .restart, "Private key of the certificate for clients."),
            accepted("tls_ca_cert", .path, .restart, "Authorities whose client certificates are accepted."),
            SettingsKey(
                "tls_mode", .general, .choice(["allow", "disable", "require", "verify-full"], anyCase: false), .restart,
                status: .accepted(caution: "client connections are not encrypted"), "Whether clients use TLS."
            ),
            accepted(
                "tls_rate_limit_per_second", .count, default: "0", .restart,
                "Handshakes per second; 0 is no limit."
            ),
        ] + Self.cacheKeys + Self.patroniKeys(of: .general) + Self.removedKeys

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
        SettingsKey(
            "syslog_prog_name", .general, .string, .restart,
            status: .accepted(caution: "only an audit log to syslog uses it"), "Logs to syslog under this name."
        ),
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
            status: .accepted(caution: "server connections are not encrypted"), "Removed in pg_doorman; without effect."
        ),
        accepted("verify_server_certificate", .bool, .reload, "Removed in pg_doorman; without effect."),
    ]

    /// TLS towards servers, in `general` and per pool.
    static func tlsKeys(of section: SettingsSection) -> [SettingsKey] {
        let modes = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"]
        return [
            SettingsKey(
                "server_tls_mode", section, .choice(modes, anyCase: true), default: section == .general ? "allow" : nil,
                unset: section == .general ? nil : "`general`", .newPool,
                status: .accepted(caution: "server connections are not encrypted"),
                "Whether server connections use TLS."
            ),
            SettingsKey(
                "server_tls_ca_cert", section, .path, .newPool, status: .accepted,
                "Authorities that servers are checked against."
            ),
            SettingsKey(
                "server_tls_certificate", section, .path, .newPool, status: .accepted,
                "Certificate shown to servers."
            ),
            SettingsKey(
                "server_tls_private_key", section, .path, .newPool, status: .accepted,
                "Private key of that certificate."
            ),
        ]
    }

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
