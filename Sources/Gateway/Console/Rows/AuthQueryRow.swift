/// A row of `SHOW AUTH_QUERY`: one database whose users are found by a query. The gateway fills it; immutable
/// afterwards.
package struct AuthQueryRow: ConsoleRow, Equatable {
    package var database: String
    package var cacheEntries = 0
    package var cacheHits = 0
    package var cacheMisses = 0
    package var cacheRefetches = 0
    package var cacheRateLimited = 0
    package var authSuccess = 0
    package var authFailure = 0
    package var executorQueries = 0
    package var executorErrors = 0
    package var dynamicPoolsCurrent = 0
    package var dynamicPoolsCreated = 0
    package var dynamicPoolsDestroyed = 0

    package init(database: String) { self.database = database }

    package static let fields: [ConsoleField<Self>] = [
        .text("database", "Name of the pool, which is the database name that clients ask for") { $0.database },
        .number("cache_entries", "Users remembered now, unknown ones included") { $0.cacheEntries },
        .number("cache_hits", "Logins answered from memory") { $0.cacheHits },
        .number("cache_misses", "Logins that waited for the query") { $0.cacheMisses },
        .number("cache_refetches", "Queries because a proof with a remembered secret failed") { $0.cacheRefetches },
        .number("cache_rate_limited", "Such queries left out because of `min_interval`") { $0.cacheRateLimited },
        .number("auth_success", "Logins of users that the query found") { $0.authSuccess },
        .number("auth_failure", "Logins refused: unknown users and wrong passwords") { $0.authFailure },
        .number("executor_queries", "Queries run, those for the roles of users included") { $0.executorQueries },
        .number("executor_errors", "Queries without a usable answer") { $0.executorErrors },
        .number("dynamic_pools_current", "Pools of users that the query found") { $0.dynamicPoolsCurrent },
        .number("dynamic_pools_created", "Such pools made since start") { $0.dynamicPoolsCreated },
        .number("dynamic_pools_destroyed", "Such pools dropped since start") { $0.dynamicPoolsDestroyed },
    ]
}
