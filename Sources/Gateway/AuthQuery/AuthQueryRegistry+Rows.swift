import AuthProviders

extension AuthQueryRegistry {
    /// - Parameter dynamicPools: how many pools the users of a database have now, and had and lost since start.
    func rows(dynamicPools: (String) -> (current: Int, created: Int, destroyed: Int)) -> [AuthQueryRow] {
        self.all.map { database, service in
            let counters = service.counters
            let pools = dynamicPools(database)
            var row = AuthQueryRow(database: database)
            row.cacheEntries = counters.entries
            row.cacheHits = counters.hits
            row.cacheMisses = counters.misses
            row.cacheRefetches = counters.refetches
            row.cacheRateLimited = counters.rateLimited
            row.authSuccess = counters.authSuccess
            row.authFailure = counters.authFailure
            row.executorQueries = counters.executorQueries
            row.executorErrors = counters.executorErrors
            row.dynamicPoolsCurrent = pools.current
            row.dynamicPoolsCreated = pools.created
            row.dynamicPoolsDestroyed = pools.destroyed
            return row
        }
    }
}
