import PGWire

/// The memory of a query for the roles of users. As `AuthQueryMachine`, with sets of names and no doubt.
struct RoleMachine<Waiter: Sendable>: Sendable {
    enum Step: Sendable {
        case answered(Set<ExactName>)
        case waits
        case begins(FlightTable<Waiter>.ID)
    }

    private var table: AgingTable<Set<ExactName>>
    /// Users without any role, not even their own: they do not exist yet. Remembered for a moment only, because a role
    /// that has just been made is to get in.
    private var strangers: AgingTable<Void>
    static var strangerLifetime: Int64 { 1_000_000 }
    private static var strangersMax: Int { 1024 }
    private var flights = FlightTable<Waiter>()

    /// - Parameter namesMax: users and their roles together.
    init(lifetime: Int64, namesMax: Int) {
        self.table = AgingTable(lifetime: lifetime, weightMax: namesMax)
        self.strangers = AgingTable(lifetime: min(lifetime, Self.strangerLifetime), weightMax: Self.strangersMax)
    }

    mutating func recall(_ user: String, now: Int64) -> Set<ExactName>? {
        if let roles = self.table.use(user, now: now) { return roles }
        return self.strangers.use(user, now: now) == nil ? nil : []
    }

    mutating func ask(_ user: String, now: Int64, waiter: Waiter) -> Step {
        if let roles = self.recall(user, now: now) { return .answered(roles) }
        guard let flight = self.flights.join(user, waiter) else { return .waits }
        return .begins(flight)
    }

    /// - Parameter roles: nil when the query failed, which is not remembered.
    mutating func land(_ flight: FlightTable<Waiter>.ID, _ roles: Set<ExactName>?, now: Int64) -> [Waiter] {
        guard let landing = self.flights.land(flight) else { return [] }
        guard landing.isCurrent, let roles else { return landing.waiters }
        if roles.isEmpty {
            self.table.remove(landing.name)
            self.strangers.set(landing.name, to: (), now: now)
        } else {
            self.strangers.remove(landing.name)
            self.table.set(landing.name, to: roles, weight: roles.count + 1, now: now)
        }
        return landing.waiters
    }

    mutating func invalidate(_ user: String?) {
        self.flights.detach(user)
        if let user {
            self.table.remove(user)
            self.strangers.remove(user)
        } else {
            self.table.removeAll()
            self.strangers.removeAll()
        }
    }
}
