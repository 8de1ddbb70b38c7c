import Testing

@testable import AuthProviders

@Suite struct RecentTableTests {
    @Test func theOldestMakesRoom() {
        var table = RecentTable<String, Int>(limit: 3)
        for (index, key) in ["a", "b", "c"].enumerated() { table.set(key, to: index) }
        table.set("a", to: 10)
        table.set("d", to: 3)
        #expect(table.count == 3)
        #expect(["a", "b", "c", "d"].map { table.value(of: $0) } == [10, nil, 2, 3])
        table.replace("c", with: 7)
        table.replace("b", with: 7)
        table.set("e", to: 4)
        // `replace` is no use: c was still the oldest.
        #expect(["a", "b", "c", "d", "e"].map { table.value(of: $0) } == [10, nil, nil, 3, 4])
    }

    /// Against a model that keeps an array in the order of use.
    @Test func agreesWithAModel() {
        var generator = SystemRandomNumberGenerator()
        var table = RecentTable<Int, Int>(limit: 8)
        var model: [(key: Int, value: Int)] = []
        for step in 0..<20_000 {
            let key = Int.random(in: 0..<14, using: &generator)
            switch Int.random(in: 0..<6, using: &generator) {
            case 0:
                table.remove(key)
                model.removeAll { $0.key == key }
            case 1:
                table.replace(key, with: step)
                if let index = model.firstIndex(where: { $0.key == key }) { model[index].value = step }
            case 2 where step % 500 == 0:
                table.removeAll()
                model = []
            default:
                table.set(key, to: step)
                model.removeAll { $0.key == key }
                model.append((key, step))
                if model.count > 8 { model.removeFirst() }
            }
            #expect(table.count == model.count)
            let expected = (0..<14).map { key in model.first { $0.key == key }?.value }
            let found = (0..<14).map { table.value(of: $0) }
            if found != expected {
                Issue.record("step \(step): \(found) is not \(expected)")
                return
            }
        }
    }
}
