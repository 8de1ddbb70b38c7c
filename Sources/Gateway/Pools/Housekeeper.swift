import Reactor
import Settings

/// Ages the pools, opens their minimum, and rolls their averages. Runs on one worker; first right after the start.
final class Housekeeper: Endpoint, @unchecked Sendable {
    let gateway: Gateway
    let home: WorkerHome
    /// nil before the first time. The next one is not fixed in advance: a reload may bring it forward.
    private var lastAgeing: MonotonicMicroseconds?
    /// How often averages are looked at; they roll every 15 s.
    private static let statisticsInterval: MonotonicMicroseconds = 1_000_000

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
        for pool in self.gateway.pools.withLeaving { pool.rollAverages(now: now) }
        let interval = max(self.gateway.snapshot.settings.general.retainConnectionsTime.microseconds, 1000)
        if self.lastAgeing.map({ now - $0 >= interval }) ?? true {
            self.age(self.gateway.pools.all)
            self.lastAgeing = now
        }
        self.setDeadline(now + min(Self.statisticsInterval, interval))
    }

    private func age(_ pools: [Pool]) {
        let budget = self.gateway.snapshot.settings.general.retainConnectionsMax
        var left = budget > 0 ? budget : Int.max
        // In random order: with a small budget the same pools must not always come first.
        for pool in pools.shuffled() { left -= pool.housekeep(closeBudget: left, home: self.home) }
        _ = self.gateway.pools.collect()
    }
}
