/// A row of `SHOW SERVERS`: one server connection. The gateway fills it; immutable afterwards.
package struct ServerRow: ConsoleRow, Equatable {
    /// What a server connection does, as seen from its pool.
    package enum State: String, Sendable {
        case login
        case active
        case idle
    }

    package var number: UInt32
    package var processID: Int32
    package var database: String
    package var user: String
    package var applicationName: String
    package var tls: TLSColumns?
    package var state: State
    package var wait: ClientRow.Wait
    package var transactions: Int
    package var queries: Int
    package var bytesSent: Int
    package var bytesReceived: Int
    package var ageSeconds: Int
    package var preparedHits: Int
    package var preparedMisses: Int
    package var preparedCount: Int

    package init(
        number: UInt32,
        processID: Int32,
        database: String,
        user: String,
        applicationName: String,
        tls: TLSColumns? = nil,
        state: State,
        wait: ClientRow.Wait,
        transactions: Int = 0,
        queries: Int = 0,
        bytesSent: Int = 0,
        bytesReceived: Int = 0,
        ageSeconds: Int,
        preparedHits: Int = 0,
        preparedMisses: Int = 0,
        preparedCount: Int = 0
    ) {
        self.number = number
        self.processID = processID
        self.database = database
        self.user = user
        self.applicationName = applicationName
        self.tls = tls
        self.state = state
        self.wait = wait
        self.transactions = transactions
        self.queries = queries
        self.bytesSent = bytesSent
        self.bytesReceived = bytesReceived
        self.ageSeconds = ageSeconds
        self.preparedHits = preparedHits
        self.preparedMisses = preparedMisses
        self.preparedCount = preparedCount
    }

    /// `0x` and eight hexadecimal digits: always ten characters.
    private var identifier: String {
        let digits = String(self.number, radix: 16)
        return "0x" + String(repeating: "0", count: 8 - digits.count) + digits
    }

    package static let fields: [ConsoleField<Self>] = [
        .text("server_id", "`0x` and eight hexadecimal digits that no other server connection has") { $0.identifier },
        .number("server_process_id", "Process id that the server gave (`pg_stat_activity.pid`)") {
            Int($0.processID)
        },
        .text("database_name", "Name of the pool") { $0.database },
        .text("user", "User that it logs in as at the server") { $0.user },
        .text("application_name", "Application name that the connection started with") { $0.applicationName },
        .text("tls", "`true` when the connection is encrypted, else `false`") { String($0.tls != nil) },
        .text(
            "state",
            """
            `login` while it is opened, `idle` in the pool, else `active`: with a client, checked, cleaned, finishing \
            alone or closing
            """
        ) { $0.state.rawValue },
        .text("wait", "Always `idle`: what the connection itself waits for is not told") { $0.wait.rawValue },
        .number("transaction_count", "Transactions of clients since the connection was opened") { $0.transactions },
        .number(
            "query_count",
            """
            Queries of clients since the connection was opened; what the gateway asks for itself is not among them, \
            nor is a BEGIN that was answered before there was a server
            """
        ) { $0.queries },
        .number("bytes_sent", "Bytes sent to the server, for queries of clients only") { $0.bytesSent },
        .number("bytes_received", "Bytes received from the server, in answer to queries of clients only") {
            $0.bytesReceived
        },
        .number("age_seconds", "Seconds since the connection was opened") { $0.ageSeconds },
        .number("prepare_cache_hit", "Times that a prepared statement was found on the connection") {
            $0.preparedHits
        },
        .number("prepare_cache_miss", "Times that a prepared statement had to be parsed on the connection") {
            $0.preparedMisses
        },
        .number("prepare_cache_size", "Prepared statements on the connection now") { $0.preparedCount },
        .text("tls_version", "Version of TLS, NULL in clear text") { $0.tls?.version },
        .text("tls_cipher", "Cipher suite of TLS") { $0.tls?.cipher },
        .text("tls_subject", "Subject of the server's certificate, where it was verified") { $0.tls?.subject },
    ]
}
