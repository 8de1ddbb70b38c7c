/// `general`: what holds for the whole process. Immutable; free to cross threads. Durations are not jittered, sizes are
/// bytes. The meaning of each key stands in ``SettingsTable``.
package struct GeneralSettings: Sendable, Equatable {
    package let host: String
    package let port: UInt16
    /// Already resolved: `max_connections` where the file says 0.
    package let backlog: Int
    package let unixSocketDir: String?
    package let unixSocketMode: UInt32
    package let maxConnections: Int
    /// 0 means the number of cores.
    package let workerThreads: Int
    package let shareThreads: Bool
    /// `auto`, `io_uring` or `epoll`.
    package let ioMethod: String

    package let clientLoginTimeout: Duration
    package let connectTimeout: Duration
    package let queryWaitTimeout: Duration
    package let idleTimeout: Duration
    package let serverLifetime: Duration
    package let retainConnectionsTime: Duration
    package let retainConnectionsMax: Int
    package let serverIdleCheckTimeout: Duration
    package let cancelWaitTimeout: Duration
    package let serverFinishTimeout: Duration
    package let shutdownTimeout: Duration

    package let tcpKeepalivesIdle: Duration
    package let tcpKeepalivesCount: Int
    package let tcpKeepalivesInterval: Duration
    package let tcpUserTimeout: Duration
    package let tcpDeferAccept: Duration
    package let tcpNoDelay: Bool
    package let tcpSocketBufferSize: Int
    package let unixSocketBufferSize: Int

    package let maxConcurrentCreates: Int
    package let serverRoundRobin: Bool
    package let syncServerParameters: Bool
    package let poolerCheckQuery: String
    package let preparedStatements: Bool
    package let shareUnnamedStatements: Bool
    /// nil: as many as the pool knows.
    package let clientAnonymousPreparedCacheSize: Int?
    /// Bytes.
    package let queryInternerMaxSize: Int
    /// `stderr`, `syslog` or an absolute path; nil without an audit log.
    package let auditLog: String?
    package let auditLogQueue: Int
    package let auditEntries: Int
    package let authFailureDelay: Duration
    package let authLaneThreads: Int
    package let authLaneQueue: Int
    package let authLaneTimeout: Duration
    package let syslogProgName: String?
    package let logClientConnections: Bool
    package let logClientDisconnections: Bool
    package let adminUsername: String
    package let adminPassword: SecretText
    package let pgHba: HBARuleSource
    package let pgIdent: HBARuleSource
    /// Legacy address ranges, `address/bits`; empty when there is no such list.
    package let hba: [String]
    package let clientTLS: ClientTLSSettings

    init(_ values: SectionValues) {
        self.host = values.text("host") ?? ""
        self.port = UInt16(clamping: values.integer("port"))
        self.maxConnections = values.integer("max_connections")
        let backlog = values.integer("backlog")
        self.backlog = backlog == 0 ? values.integer("max_connections") : backlog
        self.unixSocketDir = values.text("unix_socket_dir")
        self.unixSocketMode = values.mode("unix_socket_mode")
        self.workerThreads = values.integer("worker_threads")
        self.shareThreads = values.bool("share_threads")
        self.ioMethod = values.text("io_method") ?? "auto"

        self.clientLoginTimeout = values.duration("client_login_timeout")
        self.connectTimeout = values.duration("connect_timeout")
        self.queryWaitTimeout = values.duration("query_wait_timeout")
        self.idleTimeout = values.duration("idle_timeout")
        self.serverLifetime = values.duration("server_lifetime")
        self.retainConnectionsTime = values.duration("retain_connections_time")
        self.retainConnectionsMax = values.integer("retain_connections_max")
        self.serverIdleCheckTimeout = values.duration("server_idle_check_timeout")
        self.cancelWaitTimeout = values.duration("cancel_wait_timeout")
        self.serverFinishTimeout = values.duration("server_finish_timeout")
        self.shutdownTimeout = values.duration("shutdown_timeout")

        self.tcpKeepalivesIdle = values.duration("tcp_keepalives_idle")
        self.tcpKeepalivesCount = values.integer("tcp_keepalives_count")
        self.tcpKeepalivesInterval = values.duration("tcp_keepalives_interval")
        self.tcpUserTimeout = values.duration("tcp_user_timeout")
        self.tcpDeferAccept = values.duration("tcp_defer_accept")
        self.tcpNoDelay = values.bool("tcp_no_delay")
        self.tcpSocketBufferSize = values.integer("tcp_socket_buffer_size")
        self.unixSocketBufferSize = values.integer("unix_socket_buffer_size")

        self.maxConcurrentCreates = values.integer("max_concurrent_creates")
        self.serverRoundRobin = values.bool("server_round_robin")
        self.syncServerParameters = values.bool("sync_server_parameters")
        self.poolerCheckQuery = values.text("pooler_check_query") ?? ""
        self.preparedStatements = values.bool("prepared_statements")
        self.shareUnnamedStatements = values.bool("share_unnamed_statements")
        self.clientAnonymousPreparedCacheSize = values.optionalInteger("client_anonymous_prepared_cache_size")
        self.queryInternerMaxSize = values.integer("query_interner_max_size")
        self.auditLog = values.text("audit_log")
        self.auditLogQueue = values.integer("audit_log_queue")
        self.auditEntries = values.integer("audit_entries")
        self.authFailureDelay = values.duration("auth_failure_delay")
        self.authLaneThreads = values.integer("auth_lane_threads")
        self.authLaneQueue = values.integer("auth_lane_queue")
        self.authLaneTimeout = values.duration("auth_lane_timeout")
        self.syslogProgName = values.text("syslog_prog_name")
        self.logClientConnections = values.bool("log_client_connections")
        self.logClientDisconnections = values.bool("log_client_disconnections")
        self.adminUsername = values.text("admin_username") ?? ""
        self.adminPassword = values.secret("admin_password") ?? SecretText("")
        self.pgHba = values.rules("pg_hba")
        self.pgIdent = values.rules("pg_ident")
        self.hba = values.list("hba")
        self.clientTLS = ClientTLSSettings(values)
    }
}
