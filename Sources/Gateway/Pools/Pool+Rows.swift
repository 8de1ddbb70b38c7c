import Pooling
import Reactor
import Settings
import Synchronization
import Telemetry

/// What the clients of a pool do.
struct PoolClients {
    private(set) var idle = 0
    private(set) var active = 0
    private(set) var waiting = 0
    /// When the one that waits longest asked for a server. The pool itself knows those in its queue alone: a server
    /// that is checked for its client, or takes its parameters, is lent.
    private(set) var waitingSince = MonotonicMicroseconds.max

    mutating func add(_ client: ClientFacts) {
        switch client.state {
        case .idle: self.idle += 1
        case .active: self.active += 1
        case .waiting:
            self.waiting += 1
            self.waitingSince = min(self.waitingSince, client.waitingSince)
        }
    }
}

/// A pool as the console shows it.
extension Pool {
    func poolRow(now: MonotonicMicroseconds, clients: PoolClients) -> PoolRow {
        let (counts, maxWait, oldestLoan, averages, size) = self.state.withLock { state in
            (
                state.machine.counts, state.machine.maxWait(now: now), state.machine.oldestLoan(now: now),
                state.averaging.averages, state.machine.limits.poolSize
            )
        }
        return PoolRow(
            database: self.key.database,
            user: self.key.user,
            poolMode: self.plan.mode.rawValue,
            clientsIdle: clients.idle,
            clientsActive: clients.active,
            clientsWaiting: clients.waiting,
            serversActive: counts.busy,
            serversIdle: counts.idle,
            serversLogin: counts.opening,
            poolSize: size,
            longestWaitMicroseconds: Int(max(maxWait, now - min(clients.waitingSince, now))),
            averageTransactionMicroseconds: Int(clamping: averages.transactionTime),
            oldestActiveAgeMilliseconds: Int(oldestLoan / 1000)
        )
    }

    var serverCounts: PoolCounts { self.state.withLock { $0.machine.counts } }

    func oldestLoan(now: MonotonicMicroseconds) -> Microseconds {
        self.state.withLock { $0.machine.oldestLoan(now: now) }
    }

    /// - Parameter present: by the server's number, what the workers know of servers that clients hold: the pool's own
    ///   figures end where a client's turn begins.
    func serverRows(now: MonotonicMicroseconds, present: [UInt32: ServerCounts]) -> [ServerRow] {
        let records = self.state.withLock { state in
            state.machine.records().map { record in
                (record, record.server.slot < state.facts.count ? state.facts[record.server.slot] : ServerFacts())
            }
        }
        return records.map { record, facts in
            let counts = present[facts.number].map { facts.counts.later($0) } ?? facts.counts
            return ServerRow(
                number: facts.number,
                processID: facts.processID,
                database: self.key.database,
                user: self.plan.serverUser,
                applicationName: facts.applicationName,
                tls: facts.tls.map { TLSColumns($0) },
                state: record.state.shown,
                wait: .idle,
                transactions: Int(clamping: counts.transactions),
                queries: Int(clamping: counts.queries),
                bytesSent: Int(clamping: counts.sentBytes),
                bytesReceived: Int(clamping: counts.receivedBytes),
                ageSeconds: Int(max(now - record.openedAt, 0) / 1_000_000),
                preparedHits: Int(clamping: counts.statementHits),
                preparedMisses: Int(clamping: counts.statementMisses),
                preparedCount: counts.statementCount
            )
        }
    }

    /// What a server had done when it last changed hands.
    func counts(of id: ServerID) -> ServerCounts {
        self.state.withLock { id.slot < $0.facts.count ? $0.facts[id.slot].counts : ServerCounts() }
    }

    /// A server's turn is over.
    func add(_ counts: ServerCounts, of id: ServerID) {
        self.state.withLock { state in
            if id.slot < state.facts.count { state.facts[id.slot].counts.add(counts) }
        }
    }

    var statsRow: StatsRow {
        let totals = self.totals
        let averages = self.state.withLock { $0.averaging.averages }
        return StatsRow(
            database: self.key.database,
            user: self.key.user,
            total: StatsRow.Figures(
                transactions: Int(clamping: totals.transactions),
                queries: Int(clamping: totals.queries),
                bytesReceived: Int(clamping: totals.receivedBytes),
                bytesSent: Int(clamping: totals.sentBytes),
                transactionMicroseconds: Int(clamping: totals.transactionTime),
                queryMicroseconds: Int(clamping: totals.queryTime),
                waitMicroseconds: Int(clamping: totals.waitTime),
                errors: Int(clamping: totals.errors)
            ),
            average: StatsRow.Figures(
                transactions: Int(clamping: averages.transactions),
                queries: Int(clamping: averages.queries),
                bytesReceived: Int(clamping: averages.receivedBytes),
                bytesSent: Int(clamping: averages.sentBytes),
                transactionMicroseconds: Int(clamping: averages.transactionTime),
                queryMicroseconds: Int(clamping: averages.queryTime),
                waitMicroseconds: Int(clamping: averages.waitTime),
                errors: Int(clamping: averages.errors)
            ),
            preparedHits: Int(clamping: totals.statementHits),
            preparedMisses: Int(clamping: totals.statementMisses),
            preparedEvictions: Int(clamping: totals.statementEvictions)
        )
    }

    var startupParameterRows: [StartupParameterRow] {
        self.plan.startupParameters.map { parameter in
            StartupParameterRow(
                user: self.key.user,
                database: self.key.database,
                parameter: parameter.name,
                value: parameter.value,
                source: parameter.source.rawValue
            )
        }
    }

    var databaseRow: DatabaseRow {
        let (counts, limits) = self.state.withLock { ($0.machine.counts, $0.machine.limits) }
        return DatabaseRow(
            name: self.key.database,
            host: self.plan.serverHost,
            port: Int(self.plan.serverPort),
            database: self.plan.serverDatabase,
            forceUser: self.plan.serverUser == self.key.user ? nil : self.plan.serverUser,
            poolSize: limits.poolSize,
            minPoolSize: limits.minPoolSize,
            poolMode: self.plan.mode.rawValue,
            maxConnections: limits.poolSize,
            currentConnections: counts.idle + counts.busy + counts.opening
        )
    }
}

extension PoolRow {
    /// Adds the servers of a retired pool of the same key.
    mutating func add(_ counts: PoolCounts, oldestLoan: Microseconds) {
        self.serversActive += counts.busy
        self.serversIdle += counts.idle
        self.serversLogin += counts.opening
        self.oldestActiveAgeMilliseconds = max(self.oldestActiveAgeMilliseconds, Int(oldestLoan / 1000))
    }
}

extension ServerState {
    /// The three states the console knows.
    var shown: ServerRow.State {
        switch self {
        case .opening: return .login
        case .idle: return .idle
        default: return .active
        }
    }
}
