/// A row of `SHOW CLIENTS`: one client connection. The gateway fills it; immutable afterwards.
package struct ClientRow: ConsoleRow, Equatable {
    /// What a client does, as seen from its pool.
    package enum State: String, Sendable {
        case idle
        case waiting
        case active
    }

    /// What the connection itself waits for.
    package enum Wait: String, Sendable {
        case idle
        case read
        case write
    }

    package var number: Int
    package var database: String
    package var user: String
    package var applicationName: String
    /// `host:port`, or `unix` for a local socket.
    package var address: String
    package var tls: TLSColumns?
    package var state: State
    package var wait: Wait
    package var transactions: Int
    package var queries: Int
    package var errors: Int
    package var ageSeconds: Int
    /// nil on the console and before the login is done.
    package var serverUser: String?

    package init(
        number: Int,
        database: String,
        user: String,
        applicationName: String,
        address: String,
        tls: TLSColumns? = nil,
        state: State,
        wait: Wait,
        transactions: Int = 0,
        queries: Int = 0,
        errors: Int = 0,
        ageSeconds: Int,
        serverUser: String? = nil
    ) {
        self.number = number
        self.database = database
        self.user = user
        self.applicationName = applicationName
        self.address = address
        self.tls = tls
        self.state = state
        self.wait = wait
        self.transactions = transactions
        self.queries = queries
        self.errors = errors
        self.ageSeconds = ageSeconds
        self.serverUser = serverUser
    }

    package static let fields: [ConsoleField<Self>] = [
        .text("client_id", "`#c` and a number that no other client of this process has") { "#c\($0.number)" },
        .text("database", "Database of the startup packet, or the pool that the TLS host name led to") { $0.database },
        .text("user", "User name that the client gave") { $0.user },
        .text("application_name", "What the client calls itself") { $0.applicationName },
        .text("addr", "Address and port of the client, or `unix`") { $0.address },
        .text("tls", "`true` when the connection is encrypted, else `false`") { String($0.tls != nil) },
        .text("state", "`idle` between transactions, `waiting` for a server, `active` with a server") {
            $0.state.rawValue
        },
        .text(
            "wait",
            """
            `write` while answers wait to be taken by the client; else `idle` between transactions, `read` in every \
            other state
            """
        ) { $0.wait.rawValue },
        .number("transaction_count", "Transactions since the client connected") { $0.transactions },
        .number("query_count", "Queries since the client connected; on the console, commands") { $0.queries },
        .number("error_count", "Errors since the client connected") { $0.errors },
        .number("age_seconds", "Seconds since the client connected") { $0.ageSeconds },
        .text("server_user", "Name used at the server; none before the login is done") { $0.serverUser },
        .text("tls_version", "Version of TLS, NULL in clear text") { $0.tls?.version },
        .text("tls_cipher", "Cipher suite of TLS") { $0.tls?.cipher },
        .text("tls_subject", "Subject of the client's certificate, NULL without one") { $0.tls?.subject },
        .text("tls_server_name", "Host name that the client asked for in the handshake (SNI)") { $0.tls?.serverName },
    ]
}
