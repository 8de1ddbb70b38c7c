import Sessions

/// What a query has said about a user. Immutable.
struct AuthQueryRecord: Sendable, Equatable {
    /// Nil for an unknown user.
    var secret: StoredSecret?
    /// By lower-case name; nil when the query has no such column.
    var startupParameters: [String: String]?

    static let unknown = AuthQueryRecord()

    func lookup(_ freshness: SecretOrigin.Freshness) -> SecretLookup {
        guard let secret = self.secret else { return .notFound }
        let origin = SecretOrigin(
            name: AuthQueryService.sourceName,
            freshness: freshness,
            startupParameters: self.startupParameters,
            copy: secret
        )
        return .found(secret, origin: origin)
    }
}

/// Names of users that PostgreSQL can have.
package enum UserName {
    /// Bytes of `name` without its final zero: PostgreSQL cuts longer ones, and would answer for another user.
    static let bytesMax = 63

    package static func isPossible(_ name: String) -> Bool {
        !name.isEmpty && name.utf8.count <= self.bytesMax && !name.utf8.contains(0)
    }
}

/// Counts since the service was made. A copy.
package struct AuthQueryCounters: Sendable, Equatable {
    /// Users remembered now, unknown ones included.
    package var entries = 0
    package var hits = 0
    package var misses = 0
    /// Queries because a remembered secret was in doubt.
    package var refetches = 0
    /// Such queries that were left out because of `min_interval`.
    package var rateLimited = 0
    package var authSuccess = 0
    package var authFailure = 0
    /// Queries begun, those for roles included.
    package var executorQueries = 0
    package var executorErrors = 0
    /// Entries of `startup_parameters` that were not understood.
    package var droppedParameters = 0
}
