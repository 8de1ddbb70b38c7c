/// A table of bounded size in the order of last use: a new entry takes the place of the one that was left alone for
/// longest. A value; every operation takes constant time.
struct RecentTable<Key: Hashable & Sendable, Value: Sendable>: Sendable {
    private struct Slot {
        var key: Key
        var value: Value
        /// Neighbours in the order of use; -1 at the ends.
        var newer: Int
        var older: Int
    }

    private let limit: Int
    private var places: [Key: Int] = [:]
    private var slots: [Slot] = []
    private var free: [Int] = []
    private var newest = -1
    private var oldest = -1

    init(limit: Int) { self.limit = max(limit, 1) }

    var count: Int { self.places.count }

    /// Does not count as use.
    func value(of key: Key) -> Value? { self.places[key].map { self.slots[$0].value } }

    /// Puts a value in and makes its entry the newest.
    mutating func set(_ key: Key, to value: Value) {
        if let place = self.places[key] {
            self.slots[place].value = value
            self.unlink(place)
            self.link(place)
            return
        }
        if self.places.count >= self.limit { self.remove(self.slots[self.oldest].key) }
        let slot = Slot(key: key, value: value, newer: -1, older: -1)
        let place: Int
        if let reused = self.free.popLast() {
            place = reused
            self.slots[place] = slot
        } else {
            place = self.slots.count
            self.slots.append(slot)
        }
        self.places[key] = place
        self.link(place)
    }

    /// Changes a value where it is; does not count as use.
    mutating func replace(_ key: Key, with value: Value) {
        if let place = self.places[key] { self.slots[place].value = value }
    }

    mutating func remove(_ key: Key) {
        guard let place = self.places.removeValue(forKey: key) else { return }
        self.unlink(place)
        self.free.append(place)
    }

    mutating func removeAll() { self = RecentTable(limit: self.limit) }

    private mutating func link(_ place: Int) {
        self.slots[place].older = self.newest
        self.slots[place].newer = -1
        if self.newest >= 0 { self.slots[self.newest].newer = place }
        self.newest = place
        if self.oldest < 0 { self.oldest = place }
    }

    private mutating func unlink(_ place: Int) {
        let (newer, older) = (self.slots[place].newer, self.slots[place].older)
        if newer >= 0 { self.slots[newer].older = older } else { self.newest = older }
        if older >= 0 { self.slots[older].newer = newer } else { self.oldest = newer }
    }
}
