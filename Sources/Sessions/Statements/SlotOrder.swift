/// Slots 0, 1, 2, ... in the order of their last use: a doubly linked list within arrays, with a list of free slots.
///
/// The arrays grow with the number of slots in use at once and are never shrunk; no call allocates but an `add` beyond
/// that number. Whoever owns it keeps what belongs to a slot in arrays of its own.
package struct SlotOrder: Sendable {
    package static var none: Int32 { -1 }

    /// Of a free slot, `newer` is the next free one.
    private var newer: ContiguousArray<Int32> = []
    private var older: ContiguousArray<Int32> = []
    package private(set) var newest = SlotOrder.none
    package private(set) var oldest = SlotOrder.none
    private var free = SlotOrder.none
    package private(set) var count = 0

    package init() {}

    func newer(than slot: Int32) -> Int32 { self.newer[Int(slot)] }

    /// A free slot, now in use as the newest.
    package mutating func addNewest() -> Int32 {
        let slot = self.take()
        self.linkNewest(slot)
        return slot
    }

    mutating func addOldest() -> Int32 {
        let slot = self.take()
        self.newer[Int(slot)] = self.oldest
        self.older[Int(slot)] = Self.none
        if self.oldest == Self.none { self.newest = slot } else { self.older[Int(self.oldest)] = slot }
        self.oldest = slot
        return slot
    }

    package mutating func touch(_ slot: Int32) {
        if slot == self.newest { return }
        self.unlink(slot)
        self.linkNewest(slot)
    }

    package mutating func remove(_ slot: Int32) {
        self.unlink(slot)
        self.newer[Int(slot)] = self.free
        self.free = slot
        self.count -= 1
    }

    /// Keeps the memory.
    package mutating func removeAll() {
        while self.oldest != Self.none { self.remove(self.oldest) }
    }

    private mutating func take() -> Int32 {
        self.count += 1
        if self.free != Self.none {
            let slot = self.free
            self.free = self.newer[Int(slot)]
            return slot
        }
        self.newer.append(Self.none)
        self.older.append(Self.none)
        return Int32(self.newer.count - 1)
    }

    private mutating func linkNewest(_ slot: Int32) {
        self.newer[Int(slot)] = Self.none
        self.older[Int(slot)] = self.newest
        if self.newest == Self.none { self.oldest = slot } else { self.newer[Int(self.newest)] = slot }
        self.newest = slot
    }

    private mutating func unlink(_ slot: Int32) {
        let newer = self.newer[Int(slot)]
        let older = self.older[Int(slot)]
        if newer == Self.none { self.newest = older } else { self.older[Int(newer)] = older }
        if older == Self.none { self.oldest = newer } else { self.newer[Int(older)] = newer }
    }
}
