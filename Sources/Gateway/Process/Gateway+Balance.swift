import Reactor
import Synchronization

/// Which worker gets the next client: the one with the fewest.
///
/// The worker that will get it also takes it from the kernel (`AcceptDuty`), so that one thread wakes for a login, not
/// two; a connection is sent to another worker only when several come at once.
extension Gateway {
    /// The worker with the fewest clients; `home` when it has hardly more.
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
        return best < 0 || own - fewest <= Self.tolerance(among: fewest) ? home : self.homes[best]
    }

    /// How many clients more than the least loaded worker one may have: none while few clients make all the load.
    private static func tolerance(among clients: Int) -> Int { min(max(clients + 1, 0) / 4, 4) }

    /// The worker that takes the next connection.
    private var homeOnDuty: WorkerHome? {
        guard let index = self.frontDoor?.workerOnDuty, index < self.homes.count else { return nil }
        return self.homes[index]
    }

    /// Connections were taken: the next one is for whoever has the fewest clients now.
    func passDuty() {
        guard let present = self.homeOnDuty else { return }
        let next = self.leastLoaded(from: present)
        if next !== present { self.frontDoor?.handDuty(to: next) }
    }

    /// A client of `home` leaves: that worker takes the next connection if it now has the fewest clients.
    func noteDeparture(from home: WorkerHome) {
        // Whoever sees the client gone sees the server that it has left to finish.
        let left = home.worker.clientCount.subtract(1, ordering: .releasing).newValue
        guard let present = self.homeOnDuty else { return }
        let there = present.worker.clientCount.load(ordering: .relaxed)
        if there - left > Self.tolerance(among: left) { self.frontDoor?.handDuty(to: home) }
    }
}
