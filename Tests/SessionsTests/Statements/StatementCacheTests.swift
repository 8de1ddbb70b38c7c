import Sessions
import Testing

/// Everything collides.
private let colliding = TextHash { _ in 7 }

@Suite struct StatementCacheTests {
    @Test(arguments: [false, true])
    func equalMeansTextTypesAndSettings(collides: Bool) throws {
        let shop = StatementShop(capacity: 100, hash: collides ? colliding : .keyed)
        let one = try planner([("search_path", "a")])
        let two = try planner([("search_path", "b")])
        var seen: Set<StatementID> = []
        for query in ["select 1", "select 2", "select 1 ", "", "Select 1", "select 12345678", "select 12345679"] {
            for types in [[], [23], [25], [23, 25], [0]] as [[Int32]] {
                for planner in [nil, one, two] {
                    let statement = try #require(shop.prepare(query, types: types, planner: planner))
                    #expect(seen.insert(statement.id).inserted)
                    #expect(shop.find(query, types: types, planner: planner) === statement)
                    #expect(statement.text == Array(query.utf8))
                }
            }
        }
        #expect(shop.cache.count == 100)
        #expect(shop.cache.evictions == 5)
        #expect(shop.cache.misses == 105)
        #expect(shop.cache.hits == 105)
        #expect(shop.interner.usage.entries == 7)
    }

    /// The bytes of one part must not pass for those of another: types that look like the end of a text.
    @Test func partsDoNotRunTogether() throws {
        let shop = StatementShop(capacity: 10, hash: colliding)
        let one = try #require(shop.prepare("ab", types: []))
        let two = try #require(shop.prepare("a", types: []))
        let three = try #require(shop.prepare("", types: [0x6162_0000]))
        #expect(Set([one.id, two.id, three.id]).count == 3)
        #expect(shop.find("ab") === one)
    }

    @Test func asManyBytesAreForgottenAsAreWanted() throws {
        let shop = StatementShop(capacity: 100)
        for text in ["aaaa", "bbbb", "cccc"] { _ = try #require(shop.prepare(text)) }
        // Text and number of types.
        #expect(shop.cache.bytes == 18)
        let forgot = shop.cache.forget(bytes: 7)
        #expect(forgot)
        #expect(shop.cache.contents.map { String(decoding: $0.text, as: UTF8.self) } == ["cccc"])
        #expect(shop.cache.evictions == 2)
        let forgotAll = shop.cache.forget(bytes: 1_000_000)
        #expect(forgotAll)
        #expect(shop.cache.count == 0)
        #expect(shop.cache.bytes == 0)
        let forgotMore = shop.cache.forget(bytes: 1)
        #expect(!forgotMore)
    }

    @Test func theLeastRecentlyUsedIsEvicted() throws {
        let shop = StatementShop(capacity: 2)
        let a = try #require(shop.prepare("a"))
        _ = shop.prepare("b")
        _ = shop.prepare("a")
        _ = shop.prepare("c")
        #expect(shop.cache.evictions == 1)
        #expect(shop.find("b") == nil)
        #expect(shop.find("a") === a)
        #expect(shop.cache.contents.map { String(decoding: $0.text, as: UTF8.self) } == ["a", "c"])
        shop.cache.capacity = 1
        shop.cache.evictExcess()
        #expect(shop.cache.contents.map(\.id) == [a.id])
        // An evicted one lives on with its holder, and a new one gets another number.
        shop.cache.capacity = 0
        shop.cache.evictExcess()
        #expect(shop.prepare("a")?.id == 4)
        #expect(a.text == [UInt8(ascii: "a")])
        #expect(shop.cache.count == 0)
        #expect(shop.cache.bytes == 0)
    }

    @Test func aSecondOneMadeMeanwhileIsDropped() throws {
        let shop = StatementShop(capacity: 4)
        let mine = try #require(shop.make("a"))
        let theirs = try #require(shop.make("a"))
        #expect(shop.insert(theirs, isNamed: true) === theirs)
        #expect(shop.insert(mine, isNamed: false) === theirs)
        #expect(theirs.kind == .mixed)
        #expect(theirs.useCount == 2)
        #expect(mine.useCount == 0)
        #expect(shop.cache.count == 1)
    }

    @Test func aStaleStatementIsReplaced() throws {
        let shop = StatementShop(capacity: 4)
        let old = try #require(shop.prepare("a"))
        old.markStale()
        #expect(shop.find("a") == nil)
        let fresh = try #require(shop.prepare("a"))
        #expect(fresh.id != old.id)
        #expect(shop.cache.count == 1)
        #expect(shop.find("a") === fresh)
        // A second server reports the same old one: the fresh one stays.
        shop.cache.removeStale(old)
        #expect(shop.find("a") === fresh)
        shop.cache.removeStale(fresh)
        #expect(fresh.isStale)
        #expect(shop.cache.count == 0)
        #expect(shop.find("a") == nil)
        shop.cache.removeStale(fresh)
        #expect(shop.cache.bytes == 0)
    }

    @Test func aRefusedTextIsNotCached() {
        let shop = StatementShop(capacity: 4, byteLimit: TextInterner.overheadPerText + 5)
        #expect(shop.prepare("123456") == nil)
        #expect(shop.prepare("12345") != nil)
        #expect(shop.prepare("1") == nil)
        #expect(shop.cache.count == 1)
        shop.cache.removeAll()
        #expect(shop.prepare("1") != nil)
    }

    @Test func rowsSayWhatIsCached() throws {
        let shop = StatementShop(capacity: 4)
        let statement = try #require(shop.prepare("select 'é'", isNamed: false))
        let row = PreparedStatementRow(statement)
        #expect(row.name == "pggateway_1")
        #expect(row.query == "select 'é'")
        #expect(row.useCount == 1)
        #expect(row.kind == "anonymous")
        #expect(row.hash == statement.hash)
        _ = shop.prepare("select 'é'", isNamed: true)
        #expect(PreparedStatementRow(statement).kind == "mixed")
    }

    @Test(arguments: [0, 1, 2, 5, 30], [false, true])
    func randomStepsAgreeWithAPlainList(capacity: Int, collides: Bool) throws {
        var random = SeededRandom(seed: UInt64(capacity))
        let shop = StatementShop(capacity: capacity, hash: collides ? colliding : .keyed)
        let settings = [nil, try planner([("role", "a")]), try planner([("role", "b")])]
        // Least recently used first.
        var model: [(key: String, statement: PreparedStatement)] = []
        for _ in 0..<6000 {
            let query = String(repeating: "q", count: Int.random(in: 0..<12, using: &random))
            let types: [Int32] = random.chance(30) ? [1] : []
            let setting = Int.random(in: 0..<3, using: &random)
            let key = "\(query) \(types) \(setting)"
            let index = model.firstIndex { $0.key == key }
            if random.chance(10), let index {
                shop.cache.removeStale(model.remove(at: index).statement)
            } else {
                if random.chance(5), let index { model[index].statement.markStale() }
                let statement = try #require(shop.prepare(query, types: types, planner: settings[setting]))
                if let index {
                    let known = model.remove(at: index).statement
                    #expect((known === statement) == !known.isStale)
                }
                model.append((key, statement))
                while model.count > capacity { model.removeFirst() }
            }
            let bytes = model.reduce(0) { $0 + $1.statement.text.count + $1.statement.parameterTypes.count }
            #expect(shop.cache.bytes == bytes)
            guard shop.cache.contents.map(\.id) == model.reversed().map(\.statement.id) else {
                Issue.record("\(shop.cache.contents.map(\.id)), expected \(model.reversed().map(\.statement.id))")
                return
            }
        }
        model = []
        shop.cache.removeAll()
        #expect(shop.interner.usage == (0, 0))
    }
}
