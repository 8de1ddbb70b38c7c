import AuthProviders
import Settings

/// From an identity to the pool it works in.
extension Snapshot {
    enum Route {
        /// A pool that stands in the settings, if it does.
        case settings(PoolKey)
        /// The pool of a user whom auth_query has found.
        case dynamic(PoolPlan)
    }

    func route(_ identity: AuthenticatedIdentity, database: String) -> Route {
        .settings(PoolKey(database: database, user: identity.user))
    }

    /// What these settings say about a dynamic pool of earlier ones; nil when there is no such pool any more.
    func renewed(_ plan: PoolPlan) -> PoolPlan? {
        nil
    }
}
