/// A row of `SHOW DATABASES`: one pool and the server behind it. The gateway fills it; immutable afterwards.
package struct DatabaseRow: ConsoleRow, Equatable {
    package var name: String
    package var host: String
    package var port: Int
    package var database: String
    /// nil when the pool logs in with the name of its client.
    package var forceUser: String?
    package var poolSize: Int
    package var minPoolSize: Int
    package var poolMode: String
    package var maxConnections: Int
    package var currentConnections: Int

    package init(
        name: String,
        host: String,
        port: Int,
        database: String,
        forceUser: String?,
        poolSize: Int,
        minPoolSize: Int = 0,
        poolMode: String,
        maxConnections: Int,
        currentConnections: Int = 0
    ) {
        self.name = name
        self.host = host
        self.port = port
        self.database = database
        self.forceUser = forceUser
        self.poolSize = poolSize
        self.minPoolSize = minPoolSize
        self.poolMode = poolMode
        self.maxConnections = maxConnections
        self.currentConnections = currentConnections
    }

    package static let fields: [ConsoleField<Self>] = [
        .text("name", "Name of the pool, which is the database name that clients ask for") { $0.name },
        .text("host", "Host name, address or socket directory of the server") { $0.host },
        .number("port", "Port of the server") { $0.port },
        .text("database", "Database name on the server") { $0.database },
        .text("force_user", "User that logs in at the server instead of the client's; NULL when it is the same") {
            $0.forceUser
        },
        .number("pool_size", "Most server connections that the pool may hold") { $0.poolSize },
        .number("min_pool_size", "Server connections that the pool keeps open") { $0.minPoolSize },
        .number("reserve_pool", "Always 0: pools have no reserve") { _ in 0 },
        .text("pool_mode", "`session`, `transaction` or `statement`") { $0.poolMode },
        .number("max_connections", "Most server connections of this pool") { $0.maxConnections },
        .number("current_connections", "Server connections of this pool now") { $0.currentConnections },
    ]
}
