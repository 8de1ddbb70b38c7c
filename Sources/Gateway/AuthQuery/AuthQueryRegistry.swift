import AuthProviders
import Logging
import PGWire
import Reactor
import Sessions
import Settings
import Synchronization

/// The databases whose users are found by a query. Any thread; a look-up is one lock.
final class AuthQueryRegistry: SecretSource, Sendable {
    private struct Entry: Sendable {
        let plan: AuthQueryPlan
        let service: AuthQueryService
        let executor: AuthQueryExecutorPool
        /// Users of the settings, about whom the query is never asked.
        var listed: Set<ExactName>
    }

    let name = AuthQueryService.sourceName
    private let entries = Mutex<[ExactName: Entry]>([:])

    func service(for database: String) -> AuthQueryService? {
        self.entries.withLock { $0[ExactName(database)]?.service }
    }

    /// By name of the database.
    var all: [(database: String, service: AuthQueryService)] {
        self.entries.withLock { entries in entries.map { ($0.key.text, $0.value.service) } }.sorted { $0.0 < $1.0 }
    }

    /// Puts new settings in force. Where the plan of a query is the same as before everything stays: cache, counters
    /// and connections.
    func apply(_ snapshot: Snapshot, gateway: Gateway) {
        let retired = self.entries.withLock { entries -> [AuthQueryExecutorPool] in
            var old = entries
            entries = [:]
            for pool in snapshot.settings.pools {
                guard let plan = AuthQueryPlan(pool, tls: snapshot.serverTLS[ExactName(pool.name)]) else { continue }
                let listed = Set(pool.users.map { ExactName($0.username) })
                let ageing = AuthQueryExecutorPool.Dispatcher.Ageing(pool, snapshot.settings.general)
                if var kept = old[ExactName(pool.name)], kept.plan == plan {
                    old[ExactName(pool.name)] = nil
                    kept.listed = listed
                    kept.executor.apply(ageing)
                    entries[ExactName(pool.name)] = kept
                } else {
                    let executor = AuthQueryExecutorPool(plan: plan, ageing: ageing, pool: pool.name, gateway: gateway)
                    entries[ExactName(pool.name)] = Self.entry(executor, listed: listed)
                }
            }
            return old.values.map(\.executor)
        }
        for executor in retired { executor.close() }
    }

    private static func entry(_ executor: AuthQueryExecutorPool, listed: Set<ExactName>) -> Entry {
        let (plan, pool, log) = (executor.plan, executor.pool, executor.gateway.log)
        let surroundings = AuthQueryService.Surroundings(
            now: { MonotonicClock.now() },
            warn: { text, user in
                log.warning("\(text)", metadata: ["database": .string(pool), "user": .string(user)])
            },
            problemWithParameter: { StartupParameters.problem(withName: $0) }
        )
        let service = AuthQueryService(options: plan.options, executor: executor, surroundings: surroundings)
        return Entry(plan: plan, service: service, executor: executor, listed: listed)
    }

    /// Gives connections up, those that are busy when they have answered.
    ///
    /// - Parameter isMeant: is asked with the name of the database.
    func reconnect(where isMeant: (String, AuthQueryPlan) -> Bool) {
        let all = self.entries.withLock { $0.map { ($0.key.text, $0.value.executor) } }
        for (database, executor) in all where isMeant(database, executor.plan) { executor.reconnect() }
    }

    /// The servers to which there are connections.
    var hosts: [(host: String, port: UInt16)] {
        self.entries.withLock { $0.values.map(\.executor) }.compactMap { $0.host }
    }

    /// Ends all connections.
    func stop() {
        let executors = self.entries.withLock { $0.values.map(\.executor) }
        for executor in executors { executor.stop() }
    }

    // MARK: SecretSource

    func secret(user: String, database: String) async -> SecretLookup {
        await self.service(for: database)?.secret(user: user, database: database) ?? .notFound
    }

    func secretAtHand(user: String, database: String) -> SecretLookup? {
        guard let service = self.service(for: database) else { return .notFound }
        return service.secretAtHand(user: user, database: database)
    }

    func secretAfresh(user: String, database: String, insteadOf secret: StoredSecret?) async -> SecretLookup? {
        await self.service(for: database)?.secretAfresh(user: user, database: database, insteadOf: secret)
    }

    func distrust(user: String, database: String) {
        self.service(for: database)?.distrust(user: user, database: database)
    }

    // MARK: Counting logins

    func noteSuccess(_ identity: AuthenticatedIdentity, database: String) {
        guard identity.secretOrigin?.name == self.name else { return }
        self.service(for: database)?.noteLogin(succeeded: true)
    }

    /// A login failed whose provider asks for the secrets that this finds.
    func noteFailure(_ failure: AuthFailure, user: String, database: String) {
        switch failure.reason {
        case .passwordWrong, .userUnknown, .secretEmpty, .secretUnusable: break
        default: return
        }
        let service = self.entries.withLock { entries -> AuthQueryService? in
            guard let entry = entries[ExactName(database)], !entry.listed.contains(ExactName(user)) else { return nil }
            return entry.service
        }
        service?.noteLogin(succeeded: false)
    }
}
