import PGWire

/// Queries under way, at most one per name for those who ask at the same time: the first begins it, the others join.
///
/// After `detach` a query goes on for those who wait for it, but its answer is old news: who asks from then on begins
/// another. A value.
struct FlightTable<Waiter: Sendable>: Sendable {
    typealias ID = UInt64

    struct Landing: Sendable {
        let name: String
        let waiters: [Waiter]
        /// Nothing was detached since it began: its answer may be kept.
        let isCurrent: Bool
    }

    private struct Flight: Sendable {
        let name: String
        var waiters: [Waiter]
    }

    private var flights: [ID: Flight] = [:]
    private var current: [ExactName: ID] = [:]
    private var lastID: ID = 0

    var count: Int { self.flights.count }

    /// The query to begin; nil when one was joined.
    mutating func join(_ name: String, _ waiter: Waiter) -> ID? {
        if let id = self.current[ExactName(name)] {
            self.flights[id]?.waiters.append(waiter)
            return nil
        }
        self.lastID &+= 1
        self.flights[self.lastID] = Flight(name: name, waiters: [waiter])
        self.current[ExactName(name)] = self.lastID
        return self.lastID
    }

    /// The query is over; nil when it was before.
    mutating func land(_ id: ID) -> Landing? {
        guard let flight = self.flights.removeValue(forKey: id) else { return nil }
        let isCurrent = self.current[ExactName(flight.name)] == id
        if isCurrent { self.current[ExactName(flight.name)] = nil }
        return Landing(name: flight.name, waiters: flight.waiters, isCurrent: isCurrent)
    }

    /// - Parameter name: nil for all.
    mutating func detach(_ name: String?) {
        if let name { self.current[ExactName(name)] = nil } else { self.current.removeAll() }
    }
}
