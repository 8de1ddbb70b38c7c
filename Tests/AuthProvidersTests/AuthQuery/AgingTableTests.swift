import Testing

@testable import AuthProviders

@Suite struct AgingTableTests {
    @Test func anExpiredEntryGoesFirstThenTheLeastRecentlyUsed() {
        var table = AgingTable<Int>(lifetime: 100, weightMax: 3)
        for (time, name) in ["a", "b", "c"].enumerated() { table.set(name, to: time, now: Int64(time * 30)) }
        #expect(table.use("a", now: 90) == 0)
        // "a" is as old as it may get, though it was used last.
        table.set("d", to: 3, now: 100)
        #expect(table.count == 3)
        #expect(table.use("a", now: 100) == nil)
        #expect(table.use("b", now: 101) == 1)
        table.set("e", to: 4, now: 102)
        #expect(table.use("c", now: 102) == nil)
        #expect(table.use("b", now: 102) == 1 && table.use("d", now: 102) == 3 && table.use("e", now: 102) == 4)
    }

    @Test func nothingIsGoodForEver() {
        var table = AgingTable<Int>(lifetime: 10, weightMax: 3)
        table.set("a", to: 1, now: 0)
        #expect(table.use("a", now: 9) == 1)
        #expect(table.use("a", now: 10) == nil)
        #expect(table.count == 0)
        var none = AgingTable<Int>(lifetime: 0, weightMax: 3)
        none.set("a", to: 1, now: 0)
        #expect(none.count == 0)
    }

    @Test func heavyEntries() {
        var table = AgingTable<Int>(lifetime: 1000, weightMax: 10)
        for index in 0..<5 { table.set("\(index)", to: index, weight: 2, now: 0) }
        table.set("heavy", to: 7, weight: 7, now: 0)
        #expect(table.count == 2 && table.use("heavy", now: 0) == 7 && table.use("4", now: 0) == 4)
        table.set("too heavy", to: 1, weight: 11, now: 0)
        #expect(table.use("too heavy", now: 0) == nil && table.count == 2)
        table.removeAll()
        #expect(table.count == 0)
    }

    /// Against a list kept in order of use, over random walks.
    @Test(arguments: [UInt64(1), 2, 3], [1, 2, 7])
    func walk(seed: UInt64, weightMax: Int) {
        struct Row { var name: String, value: Int, born: Int64, number: Int }
        var random = SeededRandom(seed)
        var table = AgingTable<Int>(lifetime: 50, weightMax: weightMax)
        // Least recently used first.
        var rows: [Row] = []
        var now: Int64 = 0
        for step in 0..<20_000 {
            now += Int64(random.below(8))
            let name = "\(random.below(weightMax * 2 + 1))"
            let index = rows.firstIndex { $0.name == name }
            switch random.below(4) {
            case 0:
                var expected: Int?
                if let index {
                    let row = rows.remove(at: index)
                    if row.born + 50 > now {
                        expected = row.value
                        rows.append(row)
                    }
                }
                #expect(table.use(name, now: now) == expected)
            case 1, 2:
                if let index { rows.remove(at: index) }
                if rows.count == weightMax {
                    let eldest = rows.indices.min { rows[$0].number < rows[$1].number } ?? 0
                    rows.remove(at: rows[eldest].born + 50 <= now ? eldest : 0)
                }
                rows.append(Row(name: name, value: step, born: now, number: step))
                table.set(name, to: step, now: now)
            default:
                if random.chance(50) {
                    if let index { rows.remove(at: index) }
                    table.remove(name)
                } else {
                    if let index { rows[index].value += 1 }
                    table.modify(name) { $0 += 1 }
                }
            }
            #expect(table.count == rows.count)
        }
    }
}
