import Logging
import PGWire
import Pooling
import Reactor
import Settings

/// Ages the pools, opens their minimum, rolls their averages, and follows the names of their servers. Runs on one
/// worker; first right after the start.
final class Housekeeper: Endpoint, @unchecked Sendable {
    let gateway: Gateway
    let home: WorkerHome
    /// nil before the first time. The next one is not fixed in advance: a reload may bring it forward.
    private var lastAgeing: MonotonicMicroseconds?
    /// How often averages are looked at; they roll every 15 s.
    private static let statisticsInterval: MonotonicMicroseconds = 1_000_000
    private var lastFollowing: MonotonicMicroseconds?
    /// How often names are asked for; most are known.
    private static let followingInterval: MonotonicMicroseconds = 5_000_000
    /// The addresses that were left last, by name.
    private var left: [ExactName: Set<String>] = [:]

    init(gateway: Gateway, home: WorkerHome) {
        self.gateway = gateway
        self.home = home
        super.init(descriptor: -1, worker: home.worker)
    }

    func begin() {
        self.home.worker.attach(self)
        self.deadlinePassed()
    }

    override func deadlinePassed() {
        let now = self.home.worker.now
        let pools = self.gateway.pools.all
        for pool in self.gateway.pools.withLeaving { pool.rollAverages(now: now) }
        let follows = self.lastFollowing.map({ now - $0 >= Self.followingInterval }) ?? true
        self.noteMoves()
        self.leaveServersBehind(of: pools, again: follows)
        if follows {
            self.followNames(of: pools)
            self.lastFollowing = now
        }
        let interval = max(self.gateway.snapshot.settings.general.retainConnectionsTime.microseconds, 1000)
        if self.lastAgeing.map({ now - $0 >= interval }) ?? true {
            self.age(pools)
            self.lastAgeing = now
        }
        self.setDeadline(now + min(Self.statisticsInterval, interval))
    }

    /// Who has all the servers that it needs opens none, and would not see that their name leads elsewhere by now.
    private func followNames(of pools: [Pool]) {
        var hosts: [ExactName: (host: String, port: UInt16)] = [:]
        for pool in pools where pool.serverCounts.staying > 0 {
            let (host, port) = (pool.plan.serverHost, pool.plan.serverPort)
            hosts[HostResolver.name(host, port)] = (host: host, port: port)
        }
        for (host, port) in self.gateway.authQueries.hosts {
            hosts[HostResolver.name(host, port)] = (host: host, port: port)
        }
        for (host, port) in hosts.values { self.gateway.resolver.follow(host: host, port: port) }
    }

    /// Where a name leads elsewhere, all of auth_query's connections are opened anew: they are few.
    private func noteMoves() {
        let moved = self.gateway.resolver.takeMoved()
        guard !moved.isEmpty else { return }
        for name in moved {
            let host: Logger.MetadataValue = .string(name.text)
            self.gateway.log.notice("a server's name leads elsewhere: new servers there", metadata: ["host": host])
        }
        self.gateway.authQueries.reconnect { _, plan in moved.contains(HostResolver.name(plan.host, plan.port)) }
    }

    /// A server that its name leads to no more is not to be met for as long as its connections live.
    ///
    /// - Parameter again: also where nothing is new: what was being opened the last time may be open by now.
    private func leaveServersBehind(of pools: [Pool], again: Bool) {
        let left = self.gateway.resolver.left
        guard again || left != self.left else { return }
        self.left = left
        guard !left.isEmpty else { return }
        for pool in pools where pool.serverCounts.live > 0 {
            let name = HostResolver.name(pool.plan.serverHost, pool.plan.serverPort)
            if let addresses = left[name] { pool.leave(addresses, home: self.home) }
        }
    }

    private func age(_ pools: [Pool]) {
        let budget = self.gateway.snapshot.settings.general.retainConnectionsMax
        var left = budget > 0 ? budget : Int.max
        // In random order: with a small budget the same pools must not always come first.
        for pool in pools.shuffled() { left -= pool.housekeep(closeBudget: left, home: self.home) }
        _ = self.gateway.pools.collect()
    }
}
