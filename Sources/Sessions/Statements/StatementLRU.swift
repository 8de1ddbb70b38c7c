/// Which statements a server connection has prepared, in the order of their last use.
///
/// Holds at most `capacity` ids, or one if that is zero: the statement just prepared is needed by the Bind behind it.
/// Only `restore` and a lowered capacity leave more, until `evictExcess`. Memory grows with use; in steady state
/// nothing allocates. Belongs to the server connection.
package struct StatementLRU: Sendable {
    package var capacity: Int
    private var order = SlotOrder()
    private var table = SlotTable()
    private var slotIDs: ContiguousArray<StatementID> = []

    package init(capacity: Int) {
        self.capacity = capacity
    }

    package var count: Int { self.order.count }

    package var isEmpty: Bool { self.order.count == 0 }

    /// The id that has to go before another one fits.
    package var victim: StatementID? {
        let slot = self.order.oldest
        return self.count < max(self.capacity, 1) || slot == SlotOrder.none ? nil : self.slotIDs[Int(slot)]
    }

    package func contains(_ id: StatementID) -> Bool { self.slot(of: id) != nil }

    /// Makes `id` the most recently used; false when it is not there.
    package mutating func touch(_ id: StatementID) -> Bool {
        guard let slot = self.slot(of: id) else { return false }
        self.order.touch(slot)
        return true
    }

    /// Adds `id` as the most recently used. Returns what had to go for it: the least recently used if there was no
    /// room. One that is there already is touched.
    package mutating func insert(_ id: StatementID) -> StatementID? {
        if self.touch(id) { return nil }
        var evicted: StatementID?
        if self.count >= max(self.capacity, 1) { evicted = self.removeOldest() }
        self.fill(self.order.addNewest(), id)
        return evicted
    }

    /// Undoes an eviction: `id` is the least recently used again, even if there is no room. One that is there stays as
    /// it is.
    package mutating func restore(_ id: StatementID) {
        if self.contains(id) { return }
        self.fill(self.order.addOldest(), id)
    }

    /// Removes the least recently used while there are more than `capacity`; nil when there are not.
    package mutating func evictExcess() -> StatementID? {
        self.count > self.capacity ? self.removeOldest() : nil
    }

    /// False when it was not there.
    @discardableResult
    package mutating func remove(_ id: StatementID) -> Bool {
        guard let slot = self.slot(of: id) else { return false }
        self.remove(slot: slot)
        return true
    }

    package mutating func removeAll() {
        self.order.removeAll()
        self.table.removeAll()
    }

    /// From the least to the most recently used.
    package var ids: [StatementID] {
        var ids: [StatementID] = []
        ids.reserveCapacity(self.count)
        var slot = self.order.oldest
        while slot != SlotOrder.none {
            ids.append(self.slotIDs[Int(slot)])
            slot = self.order.newer(than: slot)
        }
        return ids
    }

    private func slot(of id: StatementID) -> Int32? {
        var probe = self.table.probe(Self.hash(id))
        while let slot = self.table.next(&probe) {
            if self.slotIDs[Int(slot)] == id { return slot }
        }
        return nil
    }

    private mutating func fill(_ slot: Int32, _ id: StatementID) {
        if Int(slot) == self.slotIDs.count { self.slotIDs.append(id) } else { self.slotIDs[Int(slot)] = id }
        self.table.insert(slot, hash: Self.hash(id))
    }

    private mutating func removeOldest() -> StatementID? {
        let slot = self.order.oldest
        guard slot != SlotOrder.none else { return nil }
        let id = self.slotIDs[Int(slot)]
        self.remove(slot: slot)
        return id
    }

    private mutating func remove(slot: Int32) {
        self.table.remove(slot, hash: Self.hash(self.slotIDs[Int(slot)]))
        self.order.remove(slot)
    }

    /// Ids follow one another. Spread, they do not stand in one long run of the table, along which a removal would have
    /// to look.
    private static func hash(_ id: StatementID) -> UInt32 {
        let product = UInt32(truncatingIfNeeded: id ^ (id >> 32)) &* 0x9E37_79B1
        return product ^ (product >> 15)
    }
}
