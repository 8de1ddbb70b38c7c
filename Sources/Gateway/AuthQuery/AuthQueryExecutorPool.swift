import AuthProviders
import Logging
import Reactor
import Sessions
import Synchronization

/// The connections that run one database's query. They are spread over the workers, opened when they are first needed
/// and kept.
///
/// Any thread. `AuthQueryDispatcher` decides, behind a lock; what it decides is done after the lock is released. A
/// request is completed by whoever gets it back from there, so exactly once.
final class AuthQueryExecutorPool: AuthQueryExecutor, Sendable {
    /// One query of one login.
    struct Request: Sendable {
        let sql: String
        let parameter: String
        let rowsMax: Int
        let done: @Sendable (AuthQueryReply) -> Void
    }

    typealias Dispatcher = AuthQueryDispatcher<Request>

    private struct State {
        var dispatcher: Dispatcher
        var connections: [Dispatcher.ConnectionID: AuthQueryConnection] = [:]
        var keeper: AuthQueryKeeper?
        /// Keys derived from the password at an earlier login.
        var knownKeys: SCRAMKeys?
    }

    let plan: AuthQueryPlan
    /// The database as clients name it.
    let pool: String
    let gateway: Gateway
    private let state: Mutex<State>

    init(plan: AuthQueryPlan, ageing: Dispatcher.Ageing, pool: String, gateway: Gateway) {
        self.plan = plan
        self.pool = pool
        self.gateway = gateway
        let limits = Dispatcher.Limits(connections: plan.connections, timeout: plan.queryTimeout)
        var dispatcher = Dispatcher(limits: limits)
        dispatcher.ageing = ageing
        self.state = Mutex(State(dispatcher: dispatcher))
    }

    /// New settings that leave the plan as it is.
    func apply(_ ageing: Dispatcher.Ageing) { self.state.withLock { $0.dispatcher.ageing = ageing } }

    func run(
        _ sql: String,
        parameter: String,
        rowsMax: Int,
        done: @escaping @Sendable (AuthQueryReply) -> Void
    ) {
        let request = Request(sql: sql, parameter: parameter, rowsMax: rowsMax, done: done)
        self.change { $0.submit(request, now: MonotonicClock.now()) }
    }

    // MARK: What connections tell

    func opened(_ connection: AuthQueryConnection, knownKeys: SCRAMKeys?) {
        if let knownKeys { self.state.withLock { $0.knownKeys = knownKeys } }
        self.change { $0.opened(connection.id, now: MonotonicClock.now()) }
    }

    func answered(_ connection: AuthQueryConnection, _ reply: AuthQueryReply) {
        var request: Request?
        self.change { dispatcher in
            let (answered, actions) = dispatcher.answered(connection.id, now: MonotonicClock.now())
            request = answered
            return actions
        }
        request?.done(reply)
    }

    func lost(_ connection: AuthQueryConnection, reason: String, mayRetry: Bool) {
        self.state.withLock { $0.connections[connection.id] = nil }
        self.change {
            $0.lost(
                connection.id,
                now: MonotonicClock.now(),
                reason: reason,
                mayRetry: mayRetry,
                random: .random(in: .min ... .max)
            )
        }
    }

    var knownKeys: SCRAMKeys? { self.state.withLock { $0.knownKeys } }

    /// Connections are given up, those that are busy when they have answered.
    func reconnect() { self.change { $0.reconnect() } }

    /// The server, unless there is no connection to it.
    var host: (host: String, port: UInt16)? {
        let count = self.state.withLock { $0.dispatcher.connectionCount }
        return count == 0 ? nil : (host: self.plan.host, port: self.plan.port)
    }

    // MARK: End

    /// What is under way is finished, then the connections close.
    func close() { self.change { $0.close() } }

    /// Ends everything.
    func stop() { self.change { $0.stop(reason: "the gateway is shutting down") } }

    // MARK: Doing what was decided

    fileprivate func expire() { self.change { $0.expire(now: MonotonicClock.now()) } }

    private func change(_ decide: (inout Dispatcher) -> [Dispatcher.Action]) {
        let (actions, deadline) = self.state.withLock { state in
            let actions = decide(&state.dispatcher)
            return (actions, state.dispatcher.nextDeadline)
        }
        for action in actions { self.perform(action) }
        if let deadline { self.watch(deadline) }
    }

    private func perform(_ action: Dispatcher.Action) {
        switch action {
        case .open(let id):
            let homes = self.gateway.homes
            guard !homes.isEmpty else { return }
            let home = homes[Int(id % UInt64(homes.count))]
            let connection = AuthQueryConnection(id: id, owner: self, home: home)
            self.state.withLock { $0.connections[id] = connection }
            home.worker.execute { connection.open() }
        case .run(let request, let id, let deadline):
            guard let connection = self.state.withLock({ $0.connections[id] }) else { return }
            connection.home.worker.execute { connection.run(request, deadline: deadline) }
        case .fail(let request, let reason):
            request.done(.failed(reason))
        case .close(let id):
            guard let connection = self.state.withLock({ $0.connections.removeValue(forKey: id) }) else { return }
            connection.home.worker.execute { connection.end() }
        }
    }

    /// Sees to it that nobody waits for ever.
    private func watch(_ deadline: Int64) {
        guard let home = self.gateway.homes.first else { return }
        let keeper = self.state.withLock { state in
            let keeper = state.keeper ?? AuthQueryKeeper(owner: self, home: home)
            state.keeper = keeper
            return keeper
        }
        home.worker.execute { keeper.arm(at: deadline) }
    }
}

/// The timer of those who wait for a connection. Belongs to one worker.
private final class AuthQueryKeeper: Endpoint, @unchecked Sendable {
    private weak let owner: AuthQueryExecutorPool?
    let home: WorkerHome
    private var deadline = Int64.max

    init(owner: AuthQueryExecutorPool, home: WorkerHome) {
        self.owner = owner
        self.home = home
        super.init(descriptor: -1, worker: home.worker)
    }

    func arm(at deadline: Int64) {
        if !self.isOpen { self.home.worker.attach(self) }
        guard deadline < self.deadline else { return }
        self.deadline = deadline
        self.setDeadline(deadline)
    }

    override func deadlinePassed() {
        self.deadline = .max
        // Gives the slot back; the next to wait attaches it again.
        self.close()
        self.owner?.expire()
    }
}
