import Sessions
import Testing

@Suite struct StatementLRUTests {
    @Test func theLeastRecentlyUsedGoesFirst() {
        var lru = StatementLRU(capacity: 2)
        #expect(lru.isEmpty)
        #expect(lru.insert(1) == nil)
        #expect(lru.insert(2) == nil)
        let wasThere = lru.touch(1)
        #expect(wasThere)
        #expect(lru.insert(3) == 2)
        #expect(lru.insert(1) == nil)
        #expect(lru.insert(4) == 3)
        #expect(lru.ids == [1, 4])
        let isThere = lru.touch(2)
        #expect(!isThere)
        #expect(!lru.contains(2))
        #expect(lru.count == 2)
    }

    @Test func nothingStaysWithoutCapacity() {
        var lru = StatementLRU(capacity: 0)
        #expect(lru.insert(1) == nil)
        #expect(lru.insert(1) == nil)
        #expect(lru.insert(2) == 1)
        #expect(lru.ids == [2])
        #expect(lru.evictExcess() == 2)
        #expect(lru.evictExcess() == nil)
        #expect(lru.isEmpty)
    }

    @Test func anEvictionIsUndone() {
        var lru = StatementLRU(capacity: 2)
        for id: StatementID in [1, 2, 3] { _ = lru.insert(id) }
        lru.restore(1)
        #expect(lru.ids == [1, 2, 3])
        lru.restore(3)
        #expect(lru.ids == [1, 2, 3])
        #expect(lru.insert(4) == 1)
        #expect(lru.ids == [2, 3, 4])
        #expect(lru.evictExcess() == 2)
        #expect(lru.evictExcess() == nil)
    }

    @Test func capacityChanges() {
        var lru = StatementLRU(capacity: 4)
        for id in StatementID(1)...4 { _ = lru.insert(id) }
        lru.capacity = 2
        #expect(lru.evictExcess() == 1)
        #expect(lru.evictExcess() == 2)
        #expect(lru.evictExcess() == nil)
        lru.capacity = 3
        #expect(lru.insert(9) == nil)
        #expect(lru.insert(10) == 3)
        lru.capacity = -1
        #expect(lru.insert(11) == 4)
        #expect(lru.count == 3)
    }

    /// Ids that follow one another must not form a run in the table that every removal walks along.
    @Test(.timeLimit(.minutes(1)))
    func manyIDsInARowCostNoMoreThanFew() {
        let capacity: StatementID = 50_000
        var lru = StatementLRU(capacity: Int(capacity))
        var isRight = true
        for id in 0..<(4 * capacity) { isRight = lru.insert(id) == (id < capacity ? nil : id - capacity) && isRight }
        #expect(isRight)
        #expect(lru.count == Int(capacity))
    }

    /// The obvious list, least recently used first.
    private struct Model {
        var ids: [StatementID] = []
        var capacity = 0

        mutating func insert(_ id: StatementID) -> StatementID? {
            if self.touch(id) { return nil }
            let evicted = self.ids.count >= max(self.capacity, 1) ? self.ids.removeFirst() : nil
            self.ids.append(id)
            return evicted
        }

        mutating func touch(_ id: StatementID) -> Bool {
            guard let index = self.ids.firstIndex(of: id) else { return false }
            self.ids.append(self.ids.remove(at: index))
            return true
        }
    }

    @Test(arguments: [0, 1, 2, 3, 7, 40])
    func randomStepsAgreeWithAPlainList(capacity: Int) {
        var random = SeededRandom(seed: UInt64(capacity))
        var lru = StatementLRU(capacity: capacity)
        var model = Model(capacity: capacity)
        // Ids that share places in the table, some of them far apart.
        let ids = (0..<StatementID(20)).map { $0 } + (0..<20).map { $0 * 64 } + [.max, .min, -1, 1 << 30]
        for step in 0..<40_000 {
            var isRight = true
            let id = ids.randomElement(using: &random) ?? 0
            switch Int.random(in: 0..<100, using: &random) {
            case 0..<45:
                let (evicted, expected) = (lru.insert(id), model.insert(id))
                isRight = evicted == expected
            case 45..<75:
                let (wasThere, expected) = (lru.touch(id), model.touch(id))
                isRight = wasThere == expected
            case 75..<85:
                let index = model.ids.firstIndex(of: id)
                if let index { model.ids.remove(at: index) }
                let wasThere = lru.remove(id)
                isRight = wasThere == (index != nil)
            case 85..<92:
                if !model.ids.contains(id) { model.ids.insert(id, at: 0) }
                lru.restore(id)
            case 92..<98:
                let expected = model.ids.count > model.capacity ? model.ids.removeFirst() : nil
                let evicted = lru.evictExcess()
                isRight = evicted == expected
            case 98 where step % 7 == 0:
                lru.removeAll()
                model.ids = []
            default:
                model.capacity = max(0, capacity + Int.random(in: -2...2, using: &random))
                lru.capacity = model.capacity
            }
            isRight = isRight && lru.contains(id) == model.ids.contains(id) && lru.count == model.ids.count
            guard isRight, lru.ids == model.ids else {
                Issue.record("step \(step): \(lru.ids), expected \(model.ids)")
                return
            }
        }
    }
}
