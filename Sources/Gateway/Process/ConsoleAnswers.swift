import AuthProviders
import Logging
import PGWire
import Pooling
import Reactor
import Sessions
import Settings
import Synchronization
import Telemetry

/// What the console commands do and show.
extension Gateway {
    /// - Parameter limit: so many rows are enough, for the commands that may have very many.
    func answer(
        _ request: ConsoleRequest,
        _ arguments: [String],
        limit: Int?,
        home: WorkerHome
    ) async -> ConsoleOutcome {
        switch request {
        case .pools: return .rows(await self.poolRows(now: home.worker.now))
        case .clients: return .rows(await self.clientFacts().map { $0.row(now: home.worker.now) })
        case .servers: return .rows(await self.serverRows(now: home.worker.now))
        case .stats: return .rows(self.pools.distinct(among: self.pools.leaving).map { $0.statsRow })
        case .databases: return .rows(self.databaseRows)
        case .users: return .rows(self.userRows)
        case .lists: return .rows(await self.listCounts().rows)
        case .config: return .rows(self.configRows)
        case .hba: return await self.rowsOffWorkers { self.hbaRows }
        case .authProviders: return .rows(self.providerUses.rows(lanes: self.snapshot.lanes))
        case .tls: return .rows([self.clientHandshakes.row, self.serverHandshakes.row])
        case .startupParameters: return .rows(self.pools.all.flatMap { $0.startupParameterRows })
        // Pools of such users do not exist yet.
        case .authQuery: return .rows(self.authQueryRows)
        case .preparedStatements: return await self.rowsOffWorkers { self.statementRows }
        case .interner: return await self.rowsOffWorkers { self.internerRows }
        case .internedTexts: return await self.rowsOffWorkers { self.internedTextRows }
        case .audit, .lastAudit:
            return await self.rowsOffWorkers { self.auditRows(failuresOnly: false, limit: limit) }
        case .auditFailures, .lastAuditFailures:
            return await self.rowsOffWorkers { self.auditRows(failuresOnly: true, limit: limit) }
        case .connections: return .rows([self.connectionsRow])
        case .reload: return await self.reloadFromConsole()
        case .shutdown:
            self.events.requestStop()
            return .rows([ShutdownRow(success: true)])
        case .killUser:
            guard let user = arguments.first else { return .rows([KillRow]()) }
            return .rows([await self.kill(user: user, home: home)])
        case .reconnect: return self.reconnect(arguments.first, home: home)
        case .invalidateAuth: return self.invalidateAuth(arguments)
        }
    }

    /// Reading files blocks, so it happens off the workers.
    private func reloadFromConsole() async -> ConsoleOutcome {
        await withCheckedContinuation { continuation in
            let refusal = self.reloadLane.start {
                do throws(GatewayStartError) {
                    try self.reload { continuation.resume(returning: .done) }
                } catch {
                    continuation.resume(returning: self.reloadFailed(error))
                }
            }
            if let refusal { continuation.resume(returning: Self.refused(refusal)) }
        }
    }

    /// SIGHUP. A file that does not answer must not keep the thread that takes SIGTERM.
    package func reloadOnHangup() {
        let refusal = self.reloadLane.start {
            do throws(GatewayStartError) { try self.reload() } catch { _ = self.reloadFailed(error) }
        }
        if refusal != nil { self.log.error("reload refused: too many wait, or no thread is to be had") }
    }

    private func reloadFailed(_ error: GatewayStartError) -> ConsoleOutcome {
        // A line for each problem: a single one would be cut.
        for problem in error.description.split(separator: "\n") {
            self.log.error("reload failed, the old settings stay", metadata: ["reason": .string(String(problem))])
        }
        return .failure(
            ServerMessageFields(
                severity: .error,
                sqlState: .invalidParameterValue,
                message: "reload failed: \(error.description)"
            )
        )
    }

    // MARK: Rows

    /// A picture of all clients, taken by each worker of its own.
    func clientFacts() async -> [ClientFacts] {
        var all: [ClientFacts] = []
        for home in self.homes {
            all += await withCheckedContinuation { continuation in
                home.worker.execute { continuation.resume(returning: home.clients.map { ClientFacts($0) }) }
            }
        }
        return all.sorted { $0.number < $1.number }
    }

    private func serverRows(now: MonotonicMicroseconds) async -> [ServerRow] {
        var present: [UInt32: ServerCounts] = [:]
        for home in self.homes {
            let counts: [UInt32: ServerCounts] = await withCheckedContinuation { continuation in
                home.worker.execute { continuation.resume(returning: home.presentCounts) }
            }
            present.merge(counts) { $1 }
        }
        return (self.pools.all + self.pools.leaving).flatMap { $0.serverRows(now: now, present: present) }
    }

    private func poolRows(now: MonotonicMicroseconds) async -> [PoolRow] {
        var clients: [PoolKey: PoolClients] = [:]
        for client in await self.clientFacts() {
            if let key = client.pool { clients[key, default: PoolClients()].add(client) }
        }
        var rows: [PoolRow] = []
        var places: [PoolKey: Int] = [:]
        for pool in self.pools.all + self.pools.leaving {
            let key = pool.key
            if let place = places[key] {
                // A retired pool: its servers stand in the row of the one that took its place.
                rows[place].add(pool.serverCounts, oldestLoan: pool.oldestLoan(now: now))
                continue
            }
            places[key] = rows.count
            rows.append(pool.poolRow(now: now, clients: clients[key] ?? PoolClients()))
        }
        return rows
    }

    private var databaseRows: [DatabaseRow] {
        let leaving = self.pools.leaving
        return self.pools.distinct(among: leaving).map { pool in
            var row = pool.databaseRow
            for old in leaving where old.key == pool.key && old !== pool {
                row.currentConnections += old.serverCounts.staying
            }
            return row
        }
    }

    private var userRows: [UserRow] {
        var seen: Set<String> = []
        return self.pools.all.filter { seen.insert($0.key.user).inserted }
            .map { UserRow(name: $0.key.user, poolMode: $0.plan.mode.rawValue) }
            .sorted { $0.name < $1.name }
    }

    private func listCounts() async -> ListCounts {
        let clients = await self.clientFacts()
        let pools = self.pools.all
        let counts = (pools + self.pools.leaving).map { $0.serverCounts }
        let used = clients.filter { $0.state == .active }.count
        let login = clients.filter { $0.isLoggingIn }.count
        return ListCounts(
            databases: Set(pools.map(\.key.database)).count,
            users: Set(pools.map(\.key.user)).count,
            pools: pools.count,
            freeClients: clients.count - used - login,
            usedClients: used,
            loginClients: login,
            freeServers: counts.reduce(0) { $0 + $1.idle },
            usedServers: counts.reduce(0) { $0 + $1.busy },
            auditEntries: self.audit.entryCount,
            auditDropped: self.audit.droppedCount
        )
    }

    private var configRows: [ConfigRow] {
        self.snapshot.settings.configRows().map { row in
            ConfigRow(
                key: row.key,
                value: row.isChangeable ? row.value : self.fixedSettings[row.key] ?? row.value,
                defaultValue: row.defaultValue.isEmpty ? nil : row.defaultValue,
                isChangeable: row.isChangeable,
                documentation: row.summary
            )
        }
    }

    private var connectionsRow: ConnectionsRow {
        ConnectionsRow(
            total: self.statistics.accepted.load(ordering: .relaxed),
            errors: self.statistics.loginFailures.load(ordering: .relaxed),
            tls: self.clientHandshakes.doneCount,
            plain: self.statistics.plain.load(ordering: .relaxed),
            cancel: self.statistics.cancelRequests.load(ordering: .relaxed)
        )
    }
}
