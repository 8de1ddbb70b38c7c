/// Runs queries with one parameter at a server, on connections of its own. Any thread.
package protocol AuthQueryExecutor: Sendable {
    /// - Parameters:
    ///   - parameter: bound as `$1`, never a part of the SQL text.
    ///   - rowsMax: rows beyond it are not asked for.
    ///   - done: called exactly once, on any thread, within a bounded time; at once only when nothing is tried.
    func run(
        _ sql: String,
        parameter: String,
        rowsMax: Int,
        done: @escaping @Sendable (AuthQueryReply) -> Void
    )
}

/// How a query ended.
package enum AuthQueryReply: Sendable, Equatable {
    case rows(AuthQueryRows)
    /// The server takes the parameter for no name, or the query's own code says that there is no such user.
    case refused(String)
    /// Nobody knows. The text is for the log.
    case failed(String)
}
