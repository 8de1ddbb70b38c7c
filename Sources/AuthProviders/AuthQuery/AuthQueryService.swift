package import Sessions
import Synchronization

/// The users of one database that a query finds: answers from memory where it can, asks the server where it must, once
/// for all who ask at the same time.
///
/// Any thread: the memory is behind one lock, under which nothing is called.
package final class AuthQueryService: SecretSource, Sendable {
    package struct Options: Sendable, Equatable {
        /// With `$1` for the user's name.
        package var query: String
        /// Microseconds.
        package var lifetime: Int64
        package var unknownLifetime: Int64
        package var minInterval: Int64
        package var roleLifetime: Int64
        package var entriesMax: Int
        /// All users share one pool, so none can have startup parameters of its own.
        package var ignoresStartupParameters: Bool

        package init(
            query: String,
            lifetime: Int64,
            unknownLifetime: Int64,
            minInterval: Int64,
            roleLifetime: Int64,
            entriesMax: Int,
            ignoresStartupParameters: Bool = false
        ) {
            self.query = query
            self.lifetime = lifetime
            self.unknownLifetime = unknownLifetime
            self.minInterval = minInterval
            self.roleLifetime = roleLifetime
            self.entriesMax = entriesMax
            self.ignoresStartupParameters = ignoresStartupParameters
        }
    }

    /// What the service needs of its surroundings. Called without a lock held, on any thread.
    package struct Surroundings: Sendable {
        /// Microseconds of one clock that never goes back.
        package var now: @Sendable () -> Int64
        /// A warning for the log, about a user.
        package var warn: @Sendable (_ text: String, _ user: String) -> Void
        /// Why no startup parameter may have a name; nil when one may.
        package var problemWithParameter: @Sendable (String) -> String?

        package init(
            now: @escaping @Sendable () -> Int64,
            warn: @escaping @Sendable (_ text: String, _ user: String) -> Void,
            problemWithParameter: @escaping @Sendable (String) -> String?
        ) {
            self.now = now
            self.warn = warn
            self.problemWithParameter = problemWithParameter
        }
    }

    typealias SecretWaiter = CheckedContinuation<SecretLookup?, Never>
    typealias RoleWaiter = CheckedContinuation<RoleLookup, Never>

    package static let sourceName = "auth_query"
    package let name = AuthQueryService.sourceName
    private let options: Options
    let executor: any AuthQueryExecutor
    let surroundings: Surroundings
    let secrets: Mutex<AuthQueryMachine<SecretWaiter>>
    let roles: Mutex<RoleMachine<RoleWaiter>>
    /// Users that have been warned of.
    private let warned = Mutex<Set<String>>([])

    /// An answer to an asker, nil for "too soon".
    private typealias Step = AuthQueryMachine<SecretWaiter>.Step

    package init(options: Options, executor: any AuthQueryExecutor, surroundings: Surroundings) {
        self.options = options
        self.executor = executor
        self.surroundings = surroundings
        self.secrets = Mutex(
            AuthQueryMachine(
                limits: AuthQueryMachine.Limits(
                    lifetime: options.lifetime,
                    unknownLifetime: options.unknownLifetime,
                    minInterval: options.minInterval,
                    entriesMax: options.entriesMax
                )
            )
        )
        self.roles = Mutex(RoleMachine(lifetime: options.roleLifetime, namesMax: Self.roleNamesMax))
    }

    // MARK: SecretSource

    package func secretAtHand(user: String, database: String) -> SecretLookup? {
        guard UserName.isPossible(user) else { return .notFound }
        let now = self.surroundings.now()
        return self.secrets.withLock { $0.recall(user, now: now) }?.lookup(.cached)
    }

    package func secret(user: String, database: String) async -> SecretLookup {
        guard UserName.isPossible(user) else { return .notFound }
        let now = self.surroundings.now()
        return await self.asking(user) { $0.ask(user, now: now, waiter: $1) } ?? .notFound
    }

    package func secretAfresh(
        user: String,
        database: String,
        insteadOf secret: StoredSecret?
    ) async -> SecretLookup? {
        guard UserName.isPossible(user) else { return nil }
        let now = self.surroundings.now()
        return await self.asking(user) { $0.askAfresh(user, insteadOf: secret, now: now, waiter: $1) }
    }

    package func distrust(user: String, database: String) {
        self.secrets.withLock { $0.distrust(user) }
    }

    /// Forgets what is known about a user, or about all. Returns how many secrets, or answers that there is none, were
    /// remembered.
    @discardableResult
    package func invalidate(user: String?) -> Int {
        self.roles.withLock { $0.invalidate(user) }
        return self.secrets.withLock { machine in
            let before = machine.entryCount
            machine.invalidate(user)
            return before - machine.entryCount
        }
    }

    private func asking(
        _ user: String,
        _ ask: @Sendable (inout AuthQueryMachine<SecretWaiter>, SecretWaiter) -> Step
    ) async -> SecretLookup? {
        await withCheckedContinuation { waiter in
            switch self.secrets.withLock({ ask(&$0, waiter) }) {
            case .answered(let record): waiter.resume(returning: record.lookup(.cached))
            case .tooSoon: waiter.resume(returning: nil)
            case .waits: return
            case .begins(let flight):
                self.executor.run(self.options.query, parameter: user, rowsMax: 2) { reply in
                    self.secretArrived(flight, of: user, reply)
                }
            }
        }
    }

    private func secretArrived(
        _ flight: FlightTable<SecretWaiter>.ID,
        of user: String,
        _ reply: AuthQueryReply
    ) {
        let result = self.read(reply, user: user)
        let now = self.surroundings.now()
        let (waiters, answer) = self.secrets.withLock { $0.land(flight, result, now: now) }
        let lookup: SecretLookup
        switch answer {
        case .record(let record, let isFresh): lookup = record.lookup(isFresh ? .fetched : .cached)
        case .unavailable(let reason): lookup = .unavailable(reason)
        }
        for waiter in waiters { waiter.resume(returning: lookup) }
    }

    private func read(_ reply: AuthQueryReply, user: String) -> Result<AuthQueryRecord, AuthQueryProblem> {
        switch reply {
        case .failed(let reason):
            return .failure(AuthQueryProblem(reason))
        case .refused(let reason):
            self.surroundings.warn("auth_query: the server takes this for no user: \(reason)", user)
            return .success(.unknown)
        case .rows(let rows):
            let reading = AuthQueryReading(rows, problemWithName: self.surroundings.problemWithParameter)
            for warning in reading.warnings { self.surroundings.warn(warning, user) }
            if reading.droppedParameters > 0 {
                self.secrets.withLock { $0.count { $0.droppedParameters += reading.droppedParameters } }
            }
            return reading.result.map { self.withoutIgnored($0, user) }
        }
    }

    private func withoutIgnored(_ record: AuthQueryRecord, _ user: String) -> AuthQueryRecord {
        guard self.options.ignoresStartupParameters, let parameters = record.startupParameters else { return record }
        let isNew = self.warned.withLock { warned in
            !parameters.isEmpty && warned.count < self.options.entriesMax && warned.insert(user).inserted
        }
        if isNew { self.surroundings.warn("per-user startup_parameters ignored in dedicated mode", user) }
        return AuthQueryRecord(secret: record.secret)
    }

    // MARK: Counters

    package var counters: AuthQueryCounters {
        self.secrets.withLock { machine in
            var counters = machine.counters
            counters.entries = machine.entryCount
            return counters
        }
    }

    /// A login of a user that this service is asked about has ended.
    package func noteLogin(succeeded: Bool) {
        self.secrets.withLock { machine in
            machine.count { if succeeded { $0.authSuccess += 1 } else { $0.authFailure += 1 } }
        }
    }
}
