extension SettingsTable {
    static let generalKeys: [SettingsKey] = Self.listenerKeys + Self.timeoutKeys + Self.socketKeys + Self.policyKeys

    private static let listenerKeys: [SettingsKey] = [
        SettingsKey(
            "host", .general, .string, default: "0.0.0.0", .restart,
            "Listen address: an IPv4 or IPv6 address or a host name, of which the first address is used."
        ),
        SettingsKey(
            "port", .general, .integer(1...65_535), default: "5432", .restart, sample: "6432",
            "TCP port; also names the unix socket `.s.PGSQL.<port>`."
        ),
        SettingsKey(
            "backlog", .general, .integer(0...2_147_483_647), default: "0", .restart,
            "Length of the listen queue; 0 means `max_connections`."
        ),
        SettingsKey(
            "unix_socket_dir", .general, .path, unset: "no unix socket", .restart,
            "Folder in which the unix socket `.s.PGSQL.<port>` is made."
        ),
        SettingsKey(
            "unix_socket_mode", .general, .octalMode, default: "0600", .restart, "Permission bits of the unix socket."
        ),
        SettingsKey(
            "max_connections", .general, .integer(1...10_000_000), default: "8192", .reload,
            """
            Clients admitted at the same time, the console's included; exactly so many, further ones get 53300. 256 \
            more connections may be open to be told so, or to cancel; beyond that they are closed without a word.
            """
        ),
        SettingsKey(
            "worker_threads", .general, .integer(0...1_024), default: "0", .restart,
            "Threads that carry traffic; 0 means the number of cores. A new client goes to the one that has the "
                + "fewest, give or take 4 (8 while clients come for a moment only). pg_doorman's default is 4."
        ),
        SettingsKey(
            "share_threads", .general, .bool, default: "true", .restart, isOwn: true,
            """
            While two of these threads are awake but busy for less than 50 % of the time together, one rests and the \
            other does the work of both, until it is busy for more than 80 %; pooling.md has the details. `false`: \
            each does its own at all times.
            """
        ),
        SettingsKey(
            "io_method", .general, .choice(["auto", "io_uring", "epoll"], anyCase: false), default: "auto", .restart,
            isOwn: true,
            """
            How workers send: `io_uring` hands what a round has to send to the kernel by one call, `epoll` sends each \
            by itself. `auto` takes io_uring where the kernel grants all it needs (Linux 6.0 or newer, not forbidden \
            by the container) and epoll elsewhere; `io_uring` does not start without it.
            """
        ),
    ]

    private static let timeoutKeys: [SettingsKey] = [
        SettingsKey(
            "client_login_timeout", .general, .positiveDuration, default: "60s", .reload, isOwn: true,
            "From accept to the end of the login; a client that needs longer is closed."
        ),
        SettingsKey(
            "connect_timeout", .general, .positiveDuration, default: "3s", .newPool,
            "The whole start of a server connection: connect, login, start-up messages."
        ),
        SettingsKey(
            "query_wait_timeout", .general, .positiveDuration, default: "5s", .reload,
            """
            How long a client waits for a server: one deadline for queue, connect, login, check and the client's \
            startup parameters together; the last have a second at least.
            """
        ),
        SettingsKey(
            "idle_timeout", .general, .duration, default: "600s", .reload,
            "Idle servers are closed after this time, 20 % earlier or later by chance; 0 switches it off."
        ),
        SettingsKey(
            "server_lifetime", .general, .duration, default: "1200s", .reload,
            """
            Servers older than this are closed when idle and when they come back, 20 % earlier or later by chance; \
            while clients wait, those that come back only after twice this time. 0 switches it off.
            """
        ),
        SettingsKey(
            "retain_connections_time", .general, .positiveDuration, default: "30s", .reload,
            "Period of the housekeeping that closes idle and aged servers."
        ),
        SettingsKey(
            "retain_connections_max", .general, .count, default: "3", .reload,
            "Servers closed per housekeeping round, over all pools; 0 means no limit."
        ),
        SettingsKey(
            "server_idle_check_timeout", .general, .duration, default: "60s", .reload,
            "A server idle for longer is probed before it is used again; 0 switches it off."
        ),
        SettingsKey(
            "cancel_wait_timeout", .general, .positiveDuration, default: "10s", .reload, isOwn: true,
            "How long a cancel request may take on its way to the server."
        ),
        SettingsKey(
            "server_finish_timeout", .general, .positiveDuration, default: "60s", .reload, isOwn: true,
            """
            How long a server may take for what its client asked for before it said goodbye and closed without waiting \
            for the answer. Then the connection is closed, and its place in the pool is free.
            """
        ),
        SettingsKey(
            "shutdown_timeout", .general, .duration, default: "10s", .reload,
            """
            A graceful stop waits so long for clients in a transaction, and for servers that still have to do what \
            their clients asked for before they left, then closes them.
            """
        ),
    ]

    private static let socketKeys: [SettingsKey] = [
        SettingsKey(
            "tcp_keepalives_idle", .general, .seconds(0...32_767), default: "5", .reload,
            "Idle seconds before the first keepalive probe; 0 is the system's value; new sockets."
        ),
        SettingsKey(
            "tcp_keepalives_count", .general, .integer(0...127), default: "5", .reload,
            "Unanswered probes after which a connection is dead; 0 is the system's value; new sockets. The kernel "
                + "counts them only where `tcp_user_timeout` is 0: otherwise that one decides."
        ),
        SettingsKey(
            "tcp_keepalives_interval", .general, .seconds(0...32_767), default: "5", .reload,
            "Seconds between probes; 0 is the system's value; new sockets."
        ),
        SettingsKey(
            "tcp_user_timeout", .general, .seconds(0...2_147_483), default: "60", .reload,
            "Seconds that data may stay unacknowledged, or unsent because the other side reads nothing: a client that "
                + "pauses within a large result, a server whose COPY waits for a lock. Then the connection breaks. "
                + "So does one whose other side has been silent for so long with a keepalive probe unanswered, "
                + "whatever `tcp_keepalives_count` says. 0 keeps the kernel's rule, by which a peer may take its time "
                + "as with PostgreSQL; new sockets."
        ),
        SettingsKey(
            "tcp_defer_accept", .general, .seconds(0...3600), default: "1", .reload, isOwn: true,
            "Seconds the kernel keeps a new connection whose client has sent nothing yet; 0 hands it over at once."
        ),
        SettingsKey(
            "tcp_no_delay", .general, .bool, default: "true", .reload, "Sends small packets at once; new sockets."
        ),
        SettingsKey(
            "tcp_socket_buffer_size", .general, .size(0...(1 << 30)), default: "0", .reload,
            "Kernel send and receive buffer of TCP sockets; 0 keeps the kernel's autotuning; new sockets. "
                + "Going back to 0 takes a restart."
        ),
        SettingsKey(
            "unix_socket_buffer_size", .general, .size(0...(1 << 30)), default: "1MB", .reload,
            "Kernel send and receive buffer of unix sockets; 0 keeps the kernel's default; new sockets."
        ),
    ]

    private static let policyKeys: [SettingsKey] = [
        SettingsKey(
            "max_concurrent_creates", .general, .integer(1...10_000), default: "4", .reload,
            "Server connections that one pool opens at the same time."
        ),
        SettingsKey(
            "server_round_robin", .general, .bool, default: "false", .reload,
            "false takes the server used last, true the one idle for longest."
        ),
        SettingsKey(
            "sync_server_parameters", .general, .bool, default: "true", .newPool,
            """
            Brings a server's parameters (client_encoding, DateStyle, TimeZone, ...) to those of the client before it \
            is used. pg_doorman's default is false.
            """
        ),
        SettingsKey(
            "pooler_check_query", .general, .string, default: "\";\"", .reload,
            """
            A simple query of exactly this text is answered without a server, to a client that holds none, once a \
            server of the pool has answered it without an error. Health checks then cost PostgreSQL nothing; they say \
            nothing about it, either.
            """
        ),
        SettingsKey(
            "startup_parameters", .general, .stringMap, default: "{}", .newPool,
            """
            Parameters (`work_mem`, `statement_timeout`, ...) that every server connection starts with. They win over \
            what clients ask for in their startup packets, and `RESET` returns to them. The same key in a pool wins \
            over this one, that of a user over both, name by name. Names and values have at most 9488 bytes together, \
            each pair counted with 2 more. Names that begin with `_pq_.` cannot be set, nor can `user`, `database`, \
            `replication`, `options`, `role` and `session_authorization`.
            """
        ),
        SettingsKey(
            "log_client_connections", .general, .bool, default: "true", .reload, "Logs each successful login."
        ),
        SettingsKey(
            "log_client_disconnections", .general, .bool, default: "true", .reload, "Logs each end of a client."
        ),
        SettingsKey(
            "admin_username", .general, .string, isRequired: true, .reload, sample: "admin",
            "User of the admin console."
        ),
        SettingsKey(
            "admin_password", .general, .secret, isRequired: true, .reload, sample: "\"${PGGATEWAY_ADMIN_PASSWORD}\"",
            "Password of the admin console."
        ),
        SettingsKey(
            "pg_hba", .general, .hbaRules, unset: "passwords from everywhere", .reload,
            sample: """
                content: |
                  local all all                scram-sha-256
                  host  all all 127.0.0.1/32   scram-sha-256
                  host  all all ::1/128        scram-sha-256
                """,
            """
            Who may log in from where and how: the rules themselves as a string, `{content: ...}`, or `{path: ...}` of \
            a pg_hba file; `content` wins over `path`. Not together with `hba`. Without either, whoever has a password \
            may log in from everywhere (`local all all md5`, `host all all all md5`).
            """
        ),
        SettingsKey(
            "pg_ident", .general, .hbaRules, unset: "no maps", .reload, isOwn: true,
            """
            The user name maps that the `map=` of a rule names, written like `pg_hba`: a string, `{content: ...}`, or \
            `{path: ...}` of a pg_ident file.
            """
        ),
        SettingsKey(
            "hba", .general, .cidrList, default: "[]", .reload,
            "Legacy list of address ranges, such as `10.0.0.0/8`, that may connect by TCP. Not together with `pg_hba`."
        ),
    ]
}
