import Telemetry

/// What pools had counted that are gone, for the next one of the same key: totals go on where they ended.
///
/// Remembers the `kept` that went last at least, and at most twice as many: in two generations, of which the younger
/// takes the place of the older when it is full. A value of the registry.
struct PastTotals {
    /// About a third of a kilobyte each.
    static let kept = 2048

    private var young: [PoolKey: CounterTotals] = [:]
    private var old: [PoolKey: CounterTotals] = [:]

    var count: Int { self.young.count + self.old.count }

    mutating func keep(_ totals: CounterTotals, of key: PoolKey) {
        guard totals != CounterTotals() else { return }
        self.old[key] = nil
        if self.young.count >= Self.kept, self.young[key] == nil {
            self.old = self.young
            self.young = [:]
        }
        self.young[key] = totals
    }

    mutating func take(_ key: PoolKey) -> CounterTotals? {
        self.young.removeValue(forKey: key) ?? self.old.removeValue(forKey: key)
    }
}
