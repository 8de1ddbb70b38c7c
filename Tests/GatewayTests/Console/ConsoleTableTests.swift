import Testing

@testable import Gateway

@Suite("Console tables")
struct ConsoleTableTests {
    /// Monitoring tools address columns by name and by position; both are an interface.
    @Test(
        "columns and their order",
        arguments: [
            ("SHOW HELP", "item"),
            ("SHOW VERSION", "version"),
            (
                "SHOW POOLS",
                """
                database user pool_mode cl_idle cl_active cl_waiting cl_cancel_req sv_active sv_idle sv_used sv_login \
                pool_size maxwait maxwait_us avg_xact_time paused fallback_active oldest_active_age_ms
                """
            ),
            (
                "SHOW CLIENTS",
                """
                client_id database user application_name addr tls state wait transaction_count query_count \
                error_count age_seconds server_user tls_version tls_cipher tls_subject tls_server_name
                """
            ),
            (
                "SHOW SERVERS",
                """
                server_id server_process_id database_name user application_name tls state wait transaction_count \
                query_count bytes_sent bytes_received age_seconds prepare_cache_hit prepare_cache_miss \
                prepare_cache_size tls_version tls_cipher tls_subject
                """
            ),
            (
                "SHOW STATS",
                """
                database user total_xact_count total_query_count total_received total_sent total_xact_time \
                total_query_time total_wait_time total_errors avg_xact_count avg_query_count avg_recv avg_sent \
                avg_errors avg_xact_time avg_query_time avg_wait_time total_prepare_cache_hit \
                total_prepare_cache_miss total_prepare_cache_eviction
                """
            ),
            (
                "SHOW DATABASES",
                """
                name host port database force_user pool_size min_pool_size reserve_pool pool_mode max_connections \
                current_connections
                """
            ),
            ("SHOW USERS", "name pool_mode"),
            ("SHOW LISTS", "list items"),
            ("SHOW CONNECTIONS", "total errors tls plain cancel"),
            ("SHOW CONFIG", "key value default changeable doc"),
            ("SHOW AUTH_PROVIDERS", "name methods logins failures failure_reasons busy queued p50_us p99_us"),
            (
                "SHOW TLS",
                "side handshakes resumed direct under_way failures failure_reasons p50_us p90_us p99_us"
            ),
            ("SHOW STARTUP_PARAMETERS", "user database parameter value source state"),
            (
                "SHOW AUTH_QUERY",
                """
                database cache_entries cache_hits cache_misses cache_refetches cache_rate_limited auth_success \
                auth_failure executor_queries executor_errors dynamic_pools_current dynamic_pools_created \
                dynamic_pools_destroyed
                """
            ),
            ("SHOW PREPARED_STATEMENTS", "pool hash name query count_used kind"),
            ("SHOW INTERNER", "kind entries bytes bytes_max"),
            ("SHOW INTERNER n", "hash kind bytes idle_ms query"),
            ("SHOW AUDIT FAILURES n", ConsoleTableTests.auditColumns),
            ("SHOW AUDIT", ConsoleTableTests.auditColumns),
            ("RELOAD", ""),
            ("SHUTDOWN", "success"),
            ("SHOW HBA", "rule file line hits last_hit on_disk"),
            ("RECONNECT [database]", ""),
            ("KILL USER name", "clients pools"),
            ("INVALIDATE AUTH [database[.user]]", "entries"),
        ]
    )
    func columns(name: String, columns: String) throws {
        let command = try #require(ConsoleCommand.all.first { $0.name == name })
        #expect(command.columns.map(\.name) == columns.split(separator: " ").map(String.init))
        #expect(command.tag == command.words.first)
    }

    @Test("every request has one command, and every command its documentation")
    func table() {
        let requests = ConsoleCommand.all.compactMap { command in
            if case .request(let request) = command.answer { request } else { nil }
        }
        #expect(requests.count == ConsoleRequest.allCases.count)
        #expect(Set(requests) == Set(ConsoleRequest.allCases))
        #expect(Set(ConsoleCommand.all.map(\.name)).count == ConsoleCommand.all.count)
        for command in ConsoleCommand.all {
            #expect(command.summary.hasSuffix("."))
            #expect(Set(command.columns.map(\.name)).count == command.columns.count)
            for column in command.columns {
                #expect(!column.meaning.isEmpty && !column.meaning.hasSuffix("."), "\(command.name) \(column.name)")
            }
        }
    }

    private static let auditColumns =
        "time event connection address port tls tls_version tls_cipher tls_client_subject database user identity pool "
        + "server_user rule_file rule_line method provider secret_source cached verdict command outcome reason "
        + "reason_text duration_us transactions queries"

    @Test("help names every command")
    func help() {
        let targets =
            "HELP|VERSION|POOLS|CLIENTS|SERVERS|STATS|DATABASES|USERS|LISTS|CONNECTIONS|CONFIG|HBA|AUTH_PROVIDERS|"
            + "TLS|STARTUP_PARAMETERS|AUTH_QUERY|PREPARED_STATEMENTS|INTERNER|AUDIT"
        #expect(HelpRow.rows.map(\.item) == [
            "SHOW " + targets, "RELOAD", "SHUTDOWN", "RECONNECT [database]", "KILL USER name",
            "INVALIDATE AUTH [database[.user]]",
        ])
    }
}
