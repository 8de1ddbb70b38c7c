import AuthProviders
import PGWire
import Pooling
import Reactor
import Sessions
import Settings
import Synchronization

/// Taking access away from users who are here already.
extension Gateway {
    /// Ends the sessions of a user on all workers, and the user's pools with them. Sessions of the console are left: an
    /// administrator who makes a mistake must be able to go on.
    func kill(user: String, home: WorkerHome) async -> KillRow {
        // Those without a server first: none of them is to get the one that another of them leaves behind.
        var clients = await self.kill(user: user, holdingServers: false)
        clients += await self.kill(user: user, holdingServers: true)
        let dynamic = self.pools.removeDynamic { $0.user.hasSameBytes(as: user) }
        for pool in dynamic { pool.retire(home: home) }
        let others = self.pools.all.filter { $0.key.user.hasSameBytes(as: user) && $0.key.kind == .own }
        for pool in others { pool.reconnect(home: home) }
        return KillRow(clients: clients, pools: dynamic.count + others.count)
    }

    private func kill(user: String, holdingServers: Bool) async -> Int {
        var clients = 0
        for other in self.homes {
            clients += await withCheckedContinuation { continuation in
                other.worker.execute {
                    continuation.resume(returning: other.kill(user: user, holdingServers: holdingServers))
                }
            }
        }
        return clients
    }

    /// Server connections are given up as they become free, those of auth_query too; new ones are opened where the
    /// servers' names lead now.
    ///
    /// - Parameter database: nil is all.
    func reconnect(_ database: String?, home: WorkerHome) -> ConsoleOutcome {
        if let database, !self.snapshot.settings.pools.contains(where: { $0.name.hasSameBytes(as: database) }) {
            return .failure(
                ServerMessageFields(
                    severity: .error,
                    sqlState: .invalidCatalogName,
                    message: "no pool for database \"\(database)\""
                )
            )
        }
        self.resolver.forget()
        for pool in self.pools.all where database.map({ pool.key.database.hasSameBytes(as: $0) }) ?? true {
            pool.reconnect(home: home)
        }
        self.authQueries.reconnect { pool, _ in database.map { pool.hasSameBytes(as: $0) } ?? true }
        return .done
    }

    /// Forgets what auth_query knows: of all users, of a database, of one user of a database. A database that is not
    /// known is an error: whoever mistypes it would believe that its users are asked for again.
    func invalidateAuth(_ arguments: [String]) -> ConsoleOutcome {
        guard let database = arguments.first else {
            let entries = self.authQueries.all.reduce(0) { $0 + $1.service.invalidate(user: nil) }
            return .rows([InvalidationRow(entries: entries)])
        }
        guard let service = self.authQueries.service(for: database) else {
            return .failure(ConsoleError.noAuthQuery(database).fields)
        }
        return .rows([InvalidationRow(entries: service.invalidate(user: arguments.dropFirst().first))])
    }

    var authQueryRows: [AuthQueryRow] {
        self.authQueries.rows { database in
            let counts = self.pools.dynamicCounts(of: database)
            return (counts.current, counts.created, counts.destroyed)
        }
    }
}

extension WorkerHome {
    /// - Parameter holdingServers: false leaves those alone who have a server. How many clients were ended.
    fileprivate func kill(user: String, holdingServers: Bool) -> Int {
        let meant = self.clients.filter { client in
            client.isKillable && client.worksAs(user, in: client.pool?.key) && (holdingServers || client.server == nil)
        }
        let failure = AuthFailure.endedByAdministrator(log: "KILL USER")
        for client in meant {
            // A login that fails has a line of its own in the log.
            let reason = client.login == nil ? "KILL USER" : nil
            client.login?.endReason = client.login?.endReason ?? failure
            client.leave(with: failure.fields, logging: reason)
        }
        guard holdingServers else { return meant.count }
        // What is left of sessions whose clients have gone by themselves.
        let left = self.finishing.values.filter { $0.client.worksAs(user, in: $0.server.pool.key) }
        for one in left { one.server.end("KILL USER") }
        return meant.count
    }
}

extension ClientConnection {
    /// By the name that the client gave, or by the one that its proof gave it.
    fileprivate func worksAs(_ user: String, in key: PoolKey?) -> Bool {
        if self.user.hasSameBytes(as: user) || self.mapped?.user.hasSameBytes(as: user) == true { return true }
        guard let key, key.kind == .own else { return false }
        return key.user.hasSameBytes(as: user)
    }

    fileprivate var isKillable: Bool {
        switch self.phase {
        case .login, .idle, .waiting, .active: true
        case .startup, .console, .closing: false
        }
    }
}
