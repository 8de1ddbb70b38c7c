import PGWire
import Sessions

/// Values by name, each good for a time, bounded in number: where there is no room an expired one goes, else the one
/// that was used longest ago. Every call takes constant time but for what it evicts.
///
/// A value; time is passed in, in microseconds of one clock.
struct AgingTable<Value: Sendable>: Sendable {
    private struct Entry: Sendable {
        let name: String
        var value: Value
        let weight: Int
        let expires: Int64
    }

    private let lifetime: Int64
    /// Sum of the weights that are kept.
    private let weightMax: Int
    private var weight = 0
    private var slots: [ExactName: Int32] = [:]
    private var entries: ContiguousArray<Entry?> = []
    /// The same slots by their last use, and by their age. Both see the same additions and removals in the same order,
    /// so both hand out the same slot.
    private var uses = SlotOrder()
    private var births = SlotOrder()

    init(lifetime: Int64, weightMax: Int) {
        self.lifetime = lifetime
        self.weightMax = max(weightMax, 1)
    }

    /// Entries held, expired ones included.
    var count: Int { self.slots.count }

    /// The value, now the one used last; nil when there is none that is good.
    mutating func use(_ name: String, now: Int64) -> Value? {
        guard let slot = self.slots[ExactName(name)], let entry = self.entries[Int(slot)] else { return nil }
        guard entry.expires > now else {
            self.remove(slot)
            return nil
        }
        self.uses.touch(slot)
        return entry.value
    }

    /// Changes a value where it stands; its age and use stay.
    mutating func modify(_ name: String, _ body: (inout Value) -> Void) {
        guard let slot = self.slots[ExactName(name)], var entry = self.entries[Int(slot)] else { return }
        body(&entry.value)
        self.entries[Int(slot)] = entry
    }

    /// Keeps a new value in place of an old one. One that weighs more than the whole table may is not kept.
    mutating func set(_ name: String, to value: Value, weight: Int = 1, now: Int64) {
        self.remove(name)
        guard self.lifetime > 0, weight <= self.weightMax else { return }
        while self.weight > self.weightMax - weight { self.evict(now: now) }
        let slot = self.uses.addNewest()
        _ = self.births.addNewest()
        let (expires, overflow) = now.addingReportingOverflow(self.lifetime)
        let entry = Entry(name: name, value: value, weight: weight, expires: overflow ? .max : expires)
        if Int(slot) == self.entries.count { self.entries.append(entry) } else { self.entries[Int(slot)] = entry }
        self.slots[ExactName(name)] = slot
        self.weight += weight
    }

    mutating func remove(_ name: String) {
        if let slot = self.slots[ExactName(name)] { self.remove(slot) }
    }

    mutating func removeAll() {
        self = AgingTable(lifetime: self.lifetime, weightMax: self.weightMax)
    }

    private mutating func evict(now: Int64) {
        let eldest = self.births.oldest
        guard eldest != SlotOrder.none else {
            self.weight = 0
            return
        }
        let isExpired = (self.entries[Int(eldest)]?.expires ?? 0) <= now
        self.remove(isExpired ? eldest : self.uses.oldest)
    }

    private mutating func remove(_ slot: Int32) {
        guard let entry = self.entries[Int(slot)] else { return }
        self.entries[Int(slot)] = nil
        self.slots[ExactName(entry.name)] = nil
        self.weight -= entry.weight
        self.uses.remove(slot)
        self.births.remove(slot)
    }
}
