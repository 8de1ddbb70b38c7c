import PGWire
import Pooling
import Reactor
import Sessions
import Settings
import Synchronization
import Telemetry

/// One pool: the state machine under its lock, the objects its indices stand for, and its counters.
///
/// Any worker may call it. Everything mutable is in `state`, held for one machine step at a time; nothing is called out
/// to while it is held. What has to happen outside the lock is done by the functions in `Pool+Checkout.swift` and
/// `Pool+Servers.swift`.
final class Pool: Sendable {
    struct State {
        var machine: PoolMachine
        var servers: ContiguousArray<ServerConnection?> = []
        var facts: ContiguousArray<ServerFacts> = []
        var waiters: ContiguousArray<ClientConnection?> = []
        var credential: PoolCredential
        /// Of a dynamic pool: the server has refused its user, and the pool has nothing else to log in with. The role
        /// may be gone.
        var isRefused = false
        /// The server's own secret of the pool's user, as it was at the last login that was checked against it; nil
        /// where none was.
        var secret: StoredSecret?
        /// Derived from a clear password at the last SCRAM login, to save the derivation.
        var knownKeys: SCRAMKeys?
        var parameterSets: ParameterSets
        /// Why the last attempt to open a server failed, in words that clients may read; nil when it did not.
        var openFailure: String?
        var openFailureLog = OpenFailureLog()
        var averaging: AveragingPeriod
    }

    let key: PoolKey
    let plan: PoolPlan
    /// The plan's mode as the relay asks for it: two flags cost less than comparing values of another module.
    let isSessionMode: Bool
    let isStatementMode: Bool
    let state: Mutex<State>
    /// What clients have prepared. A lock of its own: it is taken for Parse messages only.
    let statements: SharedStatements
    /// A lock of its own: it is taken for check queries only.
    let checkAnswers = Mutex(CheckAnswers())
    /// One per worker, each written by its worker alone. Those of the pool that this one replaces, which may still
    /// count: totals never fall, and nothing is missing in them.
    let counters: [PoolCounters]
    /// What pools of the same key had counted that were gone before it; see `PastTotals`.
    private let past: CounterTotals
    /// Its servers' `search_path` names the temporary schema: what a client creates may be temporary though no word of
    /// the statement says so.
    let mayCreateTemporary: Bool
    /// Left the settings: sessions look the pool up again at their next transaction.
    let isRetired = Atomic<Bool>(false)
    /// Logins and sessions that work with it; see `PoolRegistry`.
    private let pins = Atomic<Int>(0)
    /// The workers, for opening servers and reaching waiters. Strong: both live as long as the process.
    let gateway: Gateway

    /// - Parameters:
    ///   - old: the pool of the same key that this one replaces, or one that was taken out and may still count.
    ///   - past: what pools of the same key had counted, if there is none.
    init(plan: PoolPlan, gateway: Gateway, replacing old: Pool? = nil, continuing past: CounterTotals? = nil) {
        self.key = plan.key
        self.plan = plan
        self.isSessionMode = plan.mode == .session
        self.isStatementMode = plan.mode == .statement
        self.mayCreateTemporary = plan.startupParameters.contains { parameter in
            SessionParameters.isTemporaryPath(name: parameter.name, value: parameter.value)
        }
        self.gateway = gateway
        self.statements = SharedStatements(
            capacity: plan.statementsMax,
            allowsNamed: plan.allowsNamedStatements,
            sharesUnnamed: plan.sharesUnnamedStatements,
            recentMax: plan.clientUnnamedStatementsMax,
            interner: gateway.interner,
            makeRoom: { gateway.makeRoomForText(of: $0) }
        )
        let workers = gateway.homes.count
        self.counters = old?.counters ?? (0..<workers).map { _ in PoolCounters() }
        let before = old?.past ?? past ?? CounterTotals()
        self.past = before
        let averaging = old?.state.withLock { $0.averaging }
        self.state = Mutex(
            State(
                machine: PoolMachine(limits: plan.limits, workerCount: workers, seed: .random(in: .min ... .max)),
                credential: PoolCredential(plan.credential, isSure: plan.md5Hash != nil),
                parameterSets: ParameterSets(applicationName: plan.applicationName),
                averaging: averaging ?? AveragingPeriod(startingWith: before, now: UInt64(MonotonicClock.now()))
            )
        )
    }
}

extension Pool {
    /// Under the registry's lock.
    func pin() { self.pins.add(1, ordering: .relaxed) }

    func unpin() { self.pins.subtract(1, ordering: .releasing) }

    /// Nobody works with it, it holds and opens no server, and is to open none, or would in vain. Under the registry's
    /// lock.
    var isUnused: Bool {
        self.isDone && self.state.withLock { $0.machine.limits.minPoolSize == 0 || $0.isRefused }
    }

    /// Nobody works with it, and it holds and opens no server: once it is retired it counts no more. Under the
    /// registry's lock.
    var isDone: Bool {
        guard self.pins.load(ordering: .acquiring) == 0 else { return false }
        return self.state.withLock { $0.machine.isEmpty }
    }

    var totals: CounterTotals {
        var totals = CounterTotals(summing: self.counters)
        totals.add(self.past)
        return totals
    }

    func rollAverages(now: MonotonicMicroseconds) {
        let totals = self.totals
        self.state.withLock { _ = $0.averaging.advance(to: totals, now: UInt64(max(now, 0))) }
    }
}
