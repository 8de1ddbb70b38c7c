@testable import Sessions
import Testing

@Suite struct StatementNamesTests {
    private let shop = StatementShop(capacity: 4)

    private func statement(_ query: String) throws -> PreparedStatement { try #require(self.shop.make(query)) }

    private func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

    @Test func namesAreSetReplacedAndRemoved() throws {
        var names = StatementNames()
        let (one, two) = (try self.statement("1"), try self.statement("2"))
        #expect(names.find(self.bytes("a")) == nil)
        names.set(self.bytes("a"), to: nil)
        #expect(names.count == 0)
        names.set(self.bytes("a"), to: one)
        names.set(self.bytes("b"), to: one)
        names.set(self.bytes("a"), to: two)
        #expect(names.count == 2)
        #expect(names.find(self.bytes("a")) === two)
        names.set(self.bytes("b"), to: two)
        #expect(names.find(self.bytes("b")) === two)
        names.set(self.bytes("a"), to: nil)
        #expect(names.find(self.bytes("a")) == nil)
        #expect(names.find(self.bytes("b")) === two)
        names.removeAll()
        #expect(names.find(self.bytes("b")) == nil)
        #expect(names.statements.isEmpty)
    }

    @Test func theFirst63BytesCount() throws {
        var names = StatementNames()
        let statement = try self.statement("1")
        let long = Array(repeating: UInt8(0x78), count: 63)
        names.set(long + [1], to: statement)
        #expect(names.find(long) === statement)
        #expect(names.find(long + [2, 3]) === statement)
        #expect(names.find(Array(long.dropLast())) == nil)
        #expect(names.find(Array(long.dropLast()) + [1, 2]) == nil)
        names.set(long + Array(repeating: 7, count: 10_000), to: nil)
        #expect(names.count == 0)
    }

    /// Names are bytes: case, encoding and zero bytes do not matter to the table.
    @Test func namesAreBytes() throws {
        var names = StatementNames()
        let all: [[UInt8]] = [[], [0], [0, 0], [0x61], [0x41], [0xFF], [0xFF, 0xFE], [0xC3, 0xBC], [0xFC]]
        let statements = try all.indices.map { try self.statement("\($0)") }
        for (name, statement) in zip(all, statements) { names.set(name, to: statement) }
        #expect(names.count == all.count)
        for (name, statement) in zip(all, statements) { #expect(names.find(name) === statement) }
    }

    @Test func aNameIsFoundWhereItStands() throws {
        var names = StatementNames()
        let statement = try self.statement("1")
        names.set(self.bytes("name"), to: statement)
        let message = self.bytes("xxname\0name")
        #expect(names.find(message.span, 2..<6) === statement)
        #expect(names.find(message.span, 7..<11) === statement)
        #expect(names.find(message.span, 1..<6) == nil)
        #expect(names.find(message.span, 2..<7) == nil)
        #expect(names.find(message.span, 6..<6) == nil)
    }

    @Test func aTableOfManyNamesAgreesWithADictionary() throws {
        var names = StatementNames()
        var model: [[UInt8]: PreparedStatement] = [:]
        var random = SeededRandom(seed: 5)
        let statements = try (0..<5).map { try self.statement("\($0)") }
        for _ in 0..<3000 {
            let name = self.bytes("n\(Int.random(in: 0..<80, using: &random))")
            let statement = random.chance(70) ? statements.randomElement(using: &random) : nil
            names.set(name, to: statement)
            model[name] = statement
            #expect(names.count == model.count)
            let other = self.bytes("n\(Int.random(in: 0..<80, using: &random))")
            #expect(names.find(other) === model[other])
        }
    }

    @Test func theirNumberIsBounded() throws {
        var names = StatementNames()
        let statement = try self.statement("1")
        for number in 0..<StatementNames.countMax {
            #expect(!names.isFull)
            names.set([0, 8, 16].map { UInt8(truncatingIfNeeded: number >> $0) }, to: statement)
        }
        #expect(names.isFull)
        #expect(names.count == StatementNames.countMax)
    }

    /// Long runs of neighbours in the table, of which one after the other goes.
    @Test func removalsLeaveTheOthersInTheirPlaces() throws {
        let statements = try (0..<2).map { try self.statement("\($0)") }
        var random = SeededRandom(seed: 6)
        for count in [1, 2, 3, 7, 8, 9, 100] {
            var names = StatementNames()
            var left = (0..<count).map { self.bytes("n\($0)") }.shuffled(using: &random)
            for (index, name) in left.enumerated() { names.set(name, to: statements[index % 2]) }
            while let gone = left.popLast() {
                names.set(gone, to: nil)
                #expect(names.find(gone) == nil)
                #expect(names.count == left.count)
                for (index, name) in left.enumerated() { #expect(names.find(name) === statements[index % 2]) }
            }
            names.set(self.bytes("again"), to: statements[0])
            #expect(names.find(self.bytes("again")) === statements[0])
        }
    }

    /// A removal costs the same whatever the number of names.
    @Test func removalsDoNotTouchTheWholeTable() throws {
        let statement = try self.statement("1")
        func microseconds(_ count: Int) -> Double {
            var names = StatementNames()
            let all = (0..<count).map { self.bytes("n\($0)") }
            for name in all { names.set(name, to: statement) }
            let clock = ContinuousClock()
            let begin = clock.now
            for name in all { names.set(name, to: nil) }
            return (clock.now - begin) / Duration.microseconds(count)
        }
        let few = (0..<3).map { _ in microseconds(1_000) }.max() ?? 0
        #expect(microseconds(20_000) < 8 * few)
    }

    // MARK: Names that are made to collide

    /// A hash without a strong key: each byte meets the lowest eight bits of the state alone, so whether two names
    /// of one length collide is settled by these bits of where it begins.
    private static func fnv(_ bytes: [UInt8], from state: UInt32) -> UInt32 {
        bytes.reduce(state) { ($0 ^ UInt32($1)) &* 0x0100_0193 }
    }

    /// 128 names that collide under FNV-1a from whatever state has these lowest bits.
    private static func colliding(low: UInt8) -> [[UInt8]] {
        // From zero, these end in states that differ in the lowest bits only, which the fifth byte makes equal; it also
        // leads back to `low`, so that as many blocks as one likes may follow.
        let blocks = [[7, 173, 184, 185], [165, 147, 111, 48]].map { (beginning: [UInt8]) -> [UInt8] in
            let end = UInt8(truncatingIfNeeded: Self.fnv(beginning, from: 0)) ^ (low &* 0x9B)
            return [beginning[0] ^ low, beginning[1], beginning[2], beginning[3], end]
        }
        return (0..<128).map { number in (0..<7).flatMap { blocks[(number >> $0) & 1] } }
    }

    /// Whatever a client knows of hashes without a key, its names do not crowd: it cannot make look-ups slow.
    @Test func namesThatCollideElsewhereAreSpread() throws {
        let hashes = Set(Self.colliding(low: 0x7B).map { Self.fnv($0, from: 0x8A51_007B) })
        try #require(hashes.count == 1)
        var names = StatementNames()
        let statement = try self.statement("1")
        for low in UInt8.min ... .max {
            for name in Self.colliding(low: low) { names.set(name, to: statement) }
        }
        #expect(names.count == 128 * 256)
        var (longest, run) = (0, 0)
        for slot in names.table {
            run = slot == 0 ? 0 : run + 1
            longest = max(longest, run)
        }
        #expect(longest < 64)
    }
}
