/// A row of `SHOW STATS`: counters of one pool since start, and averages of the last period. The gateway fills it;
/// immutable afterwards.
package struct StatsRow: ConsoleRow, Equatable {
    /// Counters of one pool: since start, or per second (counts, bytes) and per event (times) of the last period.
    /// Times are in microseconds; bytes are those exchanged with clients.
    package struct Figures: Equatable, Sendable {
        package var transactions: Int
        package var queries: Int
        package var bytesReceived: Int
        package var bytesSent: Int
        package var transactionMicroseconds: Int
        package var queryMicroseconds: Int
        package var waitMicroseconds: Int
        package var errors: Int

        package init(
            transactions: Int = 0,
            queries: Int = 0,
            bytesReceived: Int = 0,
            bytesSent: Int = 0,
            transactionMicroseconds: Int = 0,
            queryMicroseconds: Int = 0,
            waitMicroseconds: Int = 0,
            errors: Int = 0
        ) {
            self.transactions = transactions
            self.queries = queries
            self.bytesReceived = bytesReceived
            self.bytesSent = bytesSent
            self.transactionMicroseconds = transactionMicroseconds
            self.queryMicroseconds = queryMicroseconds
            self.waitMicroseconds = waitMicroseconds
            self.errors = errors
        }
    }

    package var database: String
    package var user: String
    package var total: Figures
    package var average: Figures
    package var preparedHits: Int
    package var preparedMisses: Int
    package var preparedEvictions: Int

    package init(
        database: String,
        user: String,
        total: Figures = Figures(),
        average: Figures = Figures(),
        preparedHits: Int = 0,
        preparedMisses: Int = 0,
        preparedEvictions: Int = 0
    ) {
        self.database = database
        self.user = user
        self.total = total
        self.average = average
        self.preparedHits = preparedHits
        self.preparedMisses = preparedMisses
        self.preparedEvictions = preparedEvictions
    }

    package static let fields: [ConsoleField<Self>] = [
        .text("database", "Name of the pool") { $0.database },
        .text("user", "User whose pool it is") { $0.user },
        .number("total_xact_count", "Transactions since start") { $0.total.transactions },
        .number(
            "total_query_count",
            "Queries since start: simple queries, and what stands before each Sync of the extended protocol"
        ) { $0.total.queries },
        .number(
            "total_received",
            """
            Bytes of requests from clients since start, once they have gone to a server or were answered without one; \
            logins do not count
            """
        ) { $0.total.bytesReceived },
        .number("total_sent", "Bytes sent to clients since start; logins do not count") { $0.total.bytesSent },
        .number("total_xact_time", "Microseconds spent in transactions since start") {
            $0.total.transactionMicroseconds
        },
        .number("total_query_time", "Microseconds spent in queries since start") { $0.total.queryMicroseconds },
        .number("total_wait_time", "Microseconds that clients waited for a server since start, in vain or not") {
            $0.total.waitMicroseconds
        },
        .number("total_errors", "Errors since start") { $0.total.errors },
        .number("avg_xact_count", "Transactions per second in the last period") { $0.average.transactions },
        .number("avg_query_count", "Queries per second in the last period") { $0.average.queries },
        .number("avg_recv", "Bytes per second from clients in the last period") { $0.average.bytesReceived },
        .number("avg_sent", "Bytes per second to clients in the last period") { $0.average.bytesSent },
        .number("avg_errors", "Errors per second in the last period") { $0.average.errors },
        .number("avg_xact_time", "Average transaction time in the last period, in microseconds") {
            $0.average.transactionMicroseconds
        },
        .number("avg_query_time", "Average query time in the last period, in microseconds") {
            $0.average.queryMicroseconds
        },
        .number("avg_wait_time", "Average wait for a server in the last period, in microseconds") {
            $0.average.waitMicroseconds
        },
        .number(
            "total_prepare_cache_hit",
            "Times since start that a prepared statement was found on the server connection that needed it"
        ) { $0.preparedHits },
        .number(
            "total_prepare_cache_miss",
            "Times since start that a prepared statement had to be parsed on a server connection"
        ) { $0.preparedMisses },
        .number(
            "total_prepare_cache_eviction",
            "Prepared statements closed on a server connection since start, to make room for others"
        ) { $0.preparedEvictions },
    ]
}
