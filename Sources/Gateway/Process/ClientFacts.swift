import Pooling
import Reactor
import Sessions

/// One client as the console sees it: a copy made on its worker.
struct ClientFacts: Sendable {
    let number: Int32
    let database: String
    let user: String
    let applicationName: String
    let address: String
    let state: ClientRow.State
    let wait: ClientRow.Wait
    /// Of one that waits for a server: when it asked for it.
    let waitingSince: MonotonicMicroseconds
    let pool: PoolKey?
    let serverUser: String?
    let isLoggingIn: Bool
    let transactions: UInt64
    let queries: UInt64
    let errors: UInt64
    let connectedAt: MonotonicMicroseconds
    let tls: TLSFacts?

    init(_ client: ClientConnection) {
        self.number = client.number
        self.database = client.database
        self.user = client.user
        self.applicationName =
            client.sessionName ?? client.parameters.applicationName ?? client.pool?.plan.applicationName ?? ""
        self.address = client.peer.description
        // A login may wait for a server, too, in a pool that is not the client's yet.
        let awaitsLogin = client.phase == .login && client.waiter != nil
        self.pool = awaitsLogin ? client.login?.pool?.key : client.pool?.key
        self.serverUser = client.pool?.plan.serverUser
        self.isLoggingIn = client.phase == .startup || client.phase == .login
        self.transactions = client.transactionCount
        self.queries = client.queryCount
        self.errors = client.errorCount
        self.waitingSince = client.waitingSince
        self.connectedAt = client.connectedAt
        self.tls = client.tls
        switch client.phase {
        case .active: self.state = .active
        case .waiting: self.state = .waiting
        case .login: self.state = awaitsLogin ? .waiting : .idle
        case .startup, .idle, .console, .closing: self.state = .idle
        }
        self.wait = client.unsentCount > 0 ? .write : (client.phase == .idle ? .idle : .read)
    }

    func row(now: MonotonicMicroseconds) -> ClientRow {
        ClientRow(
            number: Int(self.number),
            database: self.database,
            user: self.user,
            applicationName: self.applicationName,
            address: self.address,
            tls: self.tls.map { TLSColumns($0) },
            state: self.state,
            wait: self.wait,
            transactions: Int(clamping: self.transactions),
            queries: Int(clamping: self.queries),
            errors: Int(clamping: self.errors),
            ageSeconds: Int(max(now - self.connectedAt, 0) / 1_000_000),
            serverUser: self.serverUser
        )
    }
}
