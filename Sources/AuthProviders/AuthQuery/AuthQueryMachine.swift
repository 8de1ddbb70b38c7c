import Sessions

/// The memory of a query for secrets: who is known, whose secret is in doubt, who waits for which query.
///
/// A value, to be kept behind one lock; time is passed in, in microseconds. `Waiter` is whatever stands for a login
/// that waits: it is given back exactly once, by the landing of its query.
struct AuthQueryMachine<Waiter: Sendable>: Sendable {
    struct Limits: Sendable {
        /// How long known and unknown users are remembered.
        var lifetime: Int64
        var unknownLifetime: Int64
        /// Shortest time between two queries for a user whose proofs fail.
        var minInterval: Int64
        var entriesMax: Int
    }

    /// What an asker gets.
    enum Step: Sendable {
        case answered(AuthQueryRecord)
        /// The waiter has joined a query.
        case waits
        /// The waiter has joined a query that is to be begun now.
        case begins(FlightTable<Waiter>.ID)
        /// It is too soon to ask again.
        case tooSoon
    }

    enum Answer: Sendable, Equatable {
        case record(AuthQueryRecord, isFresh: Bool)
        case unavailable(String)
    }

    private struct Entry: Sendable {
        let record: AuthQueryRecord
        let fetchedAt: Int64
        var isDoubtful = false
    }

    private let limits: Limits
    /// Two tables, so that strangers with ever new names do not push out the users. Entries live for `minInterval` at
    /// least, for its sake, even when they may not answer any more.
    private var known: AgingTable<Entry>
    private var unknown: AgingTable<Entry>
    private var flights = FlightTable<Waiter>()
    private(set) var counters = AuthQueryCounters()

    init(limits: Limits) {
        self.limits = limits
        let share = max(limits.entriesMax / 4, 1)
        self.known = AgingTable(
            lifetime: max(limits.lifetime, limits.minInterval),
            weightMax: max(limits.entriesMax - share, 1)
        )
        self.unknown = AgingTable(lifetime: max(limits.unknownLifetime, limits.minInterval), weightMax: share)
    }

    var entryCount: Int { self.known.count + self.unknown.count }
    var flightCount: Int { self.flights.count }

    // MARK: Asking

    /// What can be said without a query; nil when one is needed.
    mutating func recall(_ user: String, now: Int64) -> AuthQueryRecord? {
        guard let entry = self.entry(user, now: now), self.mayAnswer(entry, now: now) else { return nil }
        if entry.isDoubtful {
            guard self.isTooSoon(entry, now: now) else { return nil }
            self.counters.rateLimited += 1
        }
        self.counters.hits += 1
        return entry.record
    }

    /// The same, with a query where one is needed.
    mutating func ask(_ user: String, now: Int64, waiter: Waiter) -> Step {
        if let record = self.recall(user, now: now) { return .answered(record) }
        let isDoubt = self.entry(user, now: now).map { self.mayAnswer($0, now: now) } ?? false
        self.counters.misses += 1
        return self.query(user, waiter, isRefetch: isDoubt)
    }

    /// A proof against `secret` failed; nil stands for the mock of an unknown user.
    mutating func askAfresh(_ user: String, insteadOf secret: StoredSecret?, now: Int64, waiter: Waiter) -> Step {
        if let entry = self.entry(user, now: now) {
            // Somebody else has asked meanwhile.
            if entry.record.secret != secret { return .answered(entry.record) }
            if self.isTooSoon(entry, now: now) {
                self.counters.rateLimited += 1
                return .tooSoon
            }
        }
        return self.query(user, waiter, isRefetch: true)
    }

    private mutating func query(_ user: String, _ waiter: Waiter, isRefetch: Bool) -> Step {
        guard let flight = self.flights.join(user, waiter) else { return .waits }
        if isRefetch { self.counters.refetches += 1 }
        self.counters.executorQueries += 1
        return .begins(flight)
    }

    // MARK: Answers

    /// A query is over. Errors are not remembered: who waits gets what is still remembered, if anything is.
    mutating func land(
        _ flight: FlightTable<Waiter>.ID,
        _ result: Result<AuthQueryRecord, AuthQueryProblem>,
        now: Int64
    ) -> (waiters: [Waiter], answer: Answer) {
        guard let landing = self.flights.land(flight) else { return ([], .unavailable("")) }
        switch result {
        case .success(let record):
            if landing.isCurrent { self.keep(record, of: landing.name, now: now) }
            return (landing.waiters, .record(record, isFresh: true))
        case .failure(let problem):
            self.counters.executorErrors += 1
            if let entry = self.entry(landing.name, now: now), self.mayAnswer(entry, now: now) {
                return (landing.waiters, .record(entry.record, isFresh: false))
            }
            return (landing.waiters, .unavailable(problem.description))
        }
    }

    private mutating func keep(_ record: AuthQueryRecord, of user: String, now: Int64) {
        let entry = Entry(record: record, fetchedAt: now)
        if record.secret == nil {
            self.known.remove(user)
            self.unknown.set(user, to: entry, now: now)
        } else {
            self.unknown.remove(user)
            self.known.set(user, to: entry, now: now)
        }
    }

    // MARK: Doubt

    /// A proof failed: the next login looks the user up again.
    mutating func distrust(_ user: String) {
        self.known.modify(user) { $0.isDoubtful = true }
        self.unknown.modify(user) { $0.isDoubtful = true }
    }

    /// Forgets a user, or all: what is asked for from now on comes from queries that begin from now on.
    mutating func invalidate(_ user: String?) {
        self.flights.detach(user)
        if let user {
            self.known.remove(user)
            self.unknown.remove(user)
        } else {
            self.known.removeAll()
            self.unknown.removeAll()
        }
    }

    mutating func count(_ body: (inout AuthQueryCounters) -> Void) { body(&self.counters) }

    private mutating func entry(_ user: String, now: Int64) -> Entry? {
        self.known.use(user, now: now) ?? self.unknown.use(user, now: now)
    }

    private func mayAnswer(_ entry: Entry, now: Int64) -> Bool {
        now - entry.fetchedAt < (entry.record.secret == nil ? self.limits.unknownLifetime : self.limits.lifetime)
    }

    private func isTooSoon(_ entry: Entry, now: Int64) -> Bool { now - entry.fetchedAt < self.limits.minInterval }
}

/// Why a query has no usable answer. For logs: holds no secret.
package struct AuthQueryProblem: Error, Sendable, Equatable, CustomStringConvertible {
    package let description: String

    package init(_ description: String) { self.description = description }
}
