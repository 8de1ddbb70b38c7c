import Reactor
import Synchronization

/// Which worker gets the next client: the one with the fewest, give or take a few.
///
/// The worker that will get it also takes it from the kernel (`AcceptDuty`), so that one thread wakes for a login, not
/// two; a connection is sent to another worker only when several come at once.
extension Gateway {
    /// The worker with the fewest clients; `home`, whose thread this is, when it has hardly more.
    func leastLoaded(from home: WorkerHome) -> WorkerHome {
        let own = home.worker.clientCount.load(ordering: .relaxed)
        var best = -1
        var fewest = own
        // By index: each of the objects held on the way would be a reference count that all workers write to.
        for index in 0..<self.homes.count {
            let count = self.homes[index].worker.clientCount.load(ordering: .relaxed)
            if count < fewest {
                best = index
                fewest = count
            }
        }
        if best < 0 || own - fewest <= Self.tolerance(among: fewest) { return home }
        return self.areVisitors(own - fewest, of: home) ? home : self.homes[best]
    }

    /// How many clients more than the least loaded worker one may have: none while few clients make all the load.
    private static func tolerance(among clients: Int) -> Int { min(max(clients + 1, 0) / 4, 4) }

    /// Whether the clients that `home` has too many of are there for a moment only: such do not count, up to eight.
    private func areVisitors(_ excess: Int, of home: WorkerHome) -> Bool {
        let now = home.worker.now
        guard excess <= 8, home.briefVisits.areTheRule(at: now) else { return false }
        // Nobody looks at many clients for this.
        guard home.clients.count <= 32 else { return false }
        let since = now - home.briefVisits.usualLongest
        var visitors = 0
        for client in home.clients where client.connectedAt > since { visitors += 1 }
        return visitors >= excess
    }

    /// `home` took connections: the next one is for whoever has the fewest clients now.
    func passDuty(from home: WorkerHome) {
        guard let door = self.frontDoor, door.workerOnDuty == home.worker.index else { return }
        let next = self.leastLoaded(from: home)
        if next !== home { door.handDuty(to: next) }
    }

    /// A client of `home` leaves: that worker takes the next connection if it now has the fewest clients.
    func noteDeparture(from home: WorkerHome) {
        // Whoever sees the client gone sees the server that it has left to finish.
        let left = home.worker.clientCount.subtract(1, ordering: .releasing).newValue
        guard let door = self.frontDoor else { return }
        let onDuty = door.workerOnDuty
        guard onDuty != home.worker.index, onDuty < self.homes.count else { return }
        let there = self.homes[onDuty].worker.clientCount.load(ordering: .relaxed)
        let excess = there - left
        if excess <= Self.tolerance(among: left) { return }
        // Those of the other worker are its own to look at: it does so whenever it takes one.
        if excess <= 8, home.briefVisits.areTheRule(at: home.worker.now) { return }
        door.handDuty(to: home)
    }
}
