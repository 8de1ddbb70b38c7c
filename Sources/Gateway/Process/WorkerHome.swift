import Logging
import Pooling
import Reactor
import Sessions
import Synchronization
import Telemetry

/// What the gateway keeps per worker: its clients, and the pools in which some of them wait.
///
/// Belongs to its worker's thread, except for the constants.
final class WorkerHome: @unchecked Sendable {
    let worker: Worker
    let gateway: Gateway
    private(set) var clients: ContiguousArray<ClientConnection> = []
    /// Servers that finish alone, by their numbers.
    var finishing: [UInt32: FinishingServer] = [:]
    private var watched: [ObjectIdentifier: Pool] = [:]
    /// Spares the dictionary in the common case of one busy pool.
    private var lastWatched: Pool?
    private var watch: WatchTimer?
    private var watchDeadline = MonotonicMicroseconds.max
    var listeners: [ClientListener] = []
    /// The settings as this worker has seen them last, and which these are.
    private var settings: Snapshot
    private var settingsVersion: Int
    /// As in the settings in force; each worker has its own so that looking takes no lock.
    var checkQuery: CheckQuery
    var startups = StartupMemory()
    let handshakes: HandshakeQueue
    var briefVisits = BriefVisits()
    /// Where a chunk that cannot pass as it is gets put together; lent out for the time of one event.
    private var scratch: [UInt8] = []

    init(worker: Worker, gateway: Gateway) {
        self.worker = worker
        self.gateway = gateway
        // In this order: settings that come into force in between are looked for again.
        self.settingsVersion = gateway.settingsVersion.load(ordering: .acquiring)
        self.settings = gateway.snapshot
        self.checkQuery = self.settings.checkQuery
        self.handshakes = HandshakeQueue(worker: worker, gateway: gateway)
    }

    /// The settings in force, as `Gateway.snapshot`: without a lock, which all workers would write to at every login.
    var snapshot: Snapshot {
        let version = self.gateway.settingsVersion.load(ordering: .acquiring)
        if version != self.settingsVersion {
            self.settings = self.gateway.snapshot
            self.settingsVersion = version
        }
        return self.settings
    }

    /// There are newer settings: nothing of the old ones is to be kept.
    func settingsChanged() { self.checkQuery = self.snapshot.checkQuery }

    func counters(of pool: Pool) -> PoolCounters { pool.counters[self.worker.index] }

    func takeScratch() -> [UInt8] {
        var lent: [UInt8] = []
        swap(&lent, &self.scratch)
        return lent
    }

    /// By reference, so that the array has one owner all the time: emptying one that is shared makes another.
    func giveBack(scratch: inout [UInt8]) {
        guard scratch.capacity > self.scratch.capacity, scratch.capacity <= Self.scratchMax else { return }
        if !scratch.isEmpty { scratch.removeAll(keepingCapacity: true) }
        swap(&scratch, &self.scratch)
    }

    /// Larger ones are not kept.
    private static let scratchMax = 256 * 1024

    // MARK: Clients

    func add(_ client: ClientConnection) {
        client.homeIndex = self.clients.count
        self.clients.append(client)
    }

    func remove(_ client: ClientConnection) {
        let index = client.homeIndex
        guard index >= 0, index < self.clients.count, self.clients[index] === client else { return }
        let last = self.clients.removeLast()
        if last !== client {
            self.clients[index] = last
            last.homeIndex = index
        }
        client.homeIndex = -1
    }

    /// What the servers that clients of this worker hold, or have left to finish alone, have done until now, by the
    /// servers' numbers.
    var presentCounts: [UInt32: ServerCounts] {
        var counts: [UInt32: ServerCounts] = [:]
        for client in self.clients {
            guard let server = client.server else { continue }
            counts[server.number] = server.countsUntilNow
        }
        for (number, left) in self.finishing { counts[number] = left.server.countsUntilNow }
        return counts
    }

    // MARK: Waiting clients

    /// Clients of this worker wait in `pool`: their deadlines are looked after until none is left.
    func watch(_ pool: Pool) {
        if self.lastWatched === pool { return }
        self.lastWatched = pool
        guard self.watched.updateValue(pool, forKey: ObjectIdentifier(pool)) == nil else { return }
        let timeout = pool.plan.limits.queryWaitTimeout
        // A pool may also be held back after a failed opening, which has its own, shorter delay.
        self.arm(at: self.worker.now + min(timeout > 0 ? timeout : .max / 2, Self.watchInterval))
    }

    /// How often waiting pools are looked at while anybody waits.
    private static let watchInterval: MonotonicMicroseconds = 100_000

    private func arm(at deadline: MonotonicMicroseconds) {
        if deadline >= self.watchDeadline { return }
        if self.watch == nil {
            let timer = WatchTimer(home: self)
            self.worker.attach(timer)
            self.watch = timer
        }
        self.watchDeadline = deadline
        self.watch?.setDeadline(deadline)
    }

    fileprivate func watchDue() {
        self.watchDeadline = .max
        self.lastWatched = nil
        for (key, pool) in self.watched {
            if let next = pool.expireWaiters(home: self) {
                self.arm(at: max(min(next, self.worker.now + Self.watchInterval), self.worker.now + 1))
            } else {
                self.watched[key] = nil
            }
        }
    }
}

/// The timer behind `WorkerHome.watch`.
private final class WatchTimer: Endpoint, @unchecked Sendable {
    let home: WorkerHome

    init(home: WorkerHome) {
        self.home = home
        super.init(descriptor: -1, worker: home.worker)
    }

    override func deadlinePassed() { self.home.watchDue() }
}
