import Pooling

/// The objects that the machine's names stand for. Under the pool's lock.
extension Pool.State {
    mutating func place(_ server: ServerConnection) {
        while self.servers.count <= server.id.slot {
            self.servers.append(nil)
            self.facts.append(ServerFacts())
        }
        self.servers[server.id.slot] = server
        self.facts[server.id.slot] = ServerFacts(number: server.number)
    }

    func server(_ id: ServerID) -> ServerConnection? {
        id.slot < self.servers.count ? self.servers[id.slot] : nil
    }

    mutating func remove(_ id: ServerID) {
        if id.slot < self.servers.count, self.servers[id.slot]?.id == id { self.servers[id.slot] = nil }
    }

    mutating func queue(_ client: ClientConnection, as waiter: WaiterID) {
        while self.waiters.count <= waiter.slot { self.waiters.append(nil) }
        self.waiters[waiter.slot] = client
    }

    mutating func take(_ waiter: WaiterID) -> ClientConnection? {
        guard waiter.slot < self.waiters.count else { return nil }
        let client = self.waiters[waiter.slot]
        self.waiters[waiter.slot] = nil
        return client
    }

    /// The waiter to whom this step has granted the server, if it has.
    mutating func client(grantedBy step: Checkin) -> ClientConnection? {
        guard case .grant(let waiter, _) = step else { return nil }
        return self.take(waiter)
    }
}
