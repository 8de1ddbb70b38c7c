/// A row of `SHOW POOLS`: one pool at this moment. The gateway fills it; immutable afterwards.
package struct PoolRow: ConsoleRow, Equatable {
    package var database: String
    package var user: String
    package var poolMode: String
    package var clientsIdle: Int
    package var clientsActive: Int
    package var clientsWaiting: Int
    package var serversActive: Int
    package var serversIdle: Int
    package var serversLogin: Int
    package var poolSize: Int
    /// Of the client that waits longest now, in microseconds.
    package var longestWaitMicroseconds: Int
    package var averageTransactionMicroseconds: Int
    package var oldestActiveAgeMilliseconds: Int

    package init(
        database: String,
        user: String,
        poolMode: String,
        clientsIdle: Int = 0,
        clientsActive: Int = 0,
        clientsWaiting: Int = 0,
        serversActive: Int = 0,
        serversIdle: Int = 0,
        serversLogin: Int = 0,
        poolSize: Int,
        longestWaitMicroseconds: Int = 0,
        averageTransactionMicroseconds: Int = 0,
        oldestActiveAgeMilliseconds: Int = 0
    ) {
        self.database = database
        self.user = user
        self.poolMode = poolMode
        self.clientsIdle = clientsIdle
        self.clientsActive = clientsActive
        self.clientsWaiting = clientsWaiting
        self.serversActive = serversActive
        self.serversIdle = serversIdle
        self.serversLogin = serversLogin
        self.poolSize = poolSize
        self.longestWaitMicroseconds = longestWaitMicroseconds
        self.averageTransactionMicroseconds = averageTransactionMicroseconds
        self.oldestActiveAgeMilliseconds = oldestActiveAgeMilliseconds
    }

    package static let fields: [ConsoleField<Self>] = [
        .text("database", "Name of the pool, which is the database name that clients ask for") { $0.database },
        .text("user", "User whose connections the pool holds") { $0.user },
        .text("pool_mode", "`session`, `transaction` or `statement`") { $0.poolMode },
        .number("cl_idle", "Clients between transactions, without a server connection") { $0.clientsIdle },
        .number("cl_active", "Clients that hold a server connection") { $0.clientsActive },
        .number("cl_waiting", "Clients that wait for a server connection") { $0.clientsWaiting },
        .number("cl_cancel_req", "Always 0; `SHOW CONNECTIONS` counts cancel requests") { _ in 0 },
        .number("sv_active", "Server connections lent to a client") { $0.serversActive },
        .number("sv_idle", "Server connections ready for the next client") { $0.serversIdle },
        .number("sv_used", "Always 0: connections that are checked or reset count as lent") { _ in 0 },
        .number("sv_login", "Server connections being opened") { $0.serversLogin },
        .number("pool_size", "Most server connections that the pool may hold") { $0.poolSize },
        .number("maxwait", "Whole seconds that the first waiting client has waited") {
            $0.longestWaitMicroseconds / 1_000_000
        },
        .number("maxwait_us", "Microseconds of that wait beyond the whole seconds") {
            $0.longestWaitMicroseconds % 1_000_000
        },
        .number("avg_xact_time", "Average transaction time of the last period, in microseconds") {
            $0.averageTransactionMicroseconds
        },
        .number("paused", "Always 0: pools cannot be paused") { _ in 0 },
        .number("fallback_active", "Always 0: pools have no fallback host") { _ in 0 },
        .number("oldest_active_age_ms", "Milliseconds since the longest held server connection was lent") {
            $0.oldestActiveAgeMilliseconds
        },
    ]
}
