import Sessions
import Testing

@Suite struct TextInternerTests {
    private func text(_ text: String) -> [UInt8] { Array(text.utf8) }

    @Test(arguments: [false, true])
    func textsAreStoredOnceAndGoWithTheLast(collides: Bool) throws {
        let interner = TextInterner(byteLimit: 1 << 20, hash: collides ? TextHash { _ in 1 } : .keyed)
        var first: InternedText? = interner.intern(self.text("select 1"))
        var second: InternedText? = interner.intern(self.text("select 1"))
        let other = try #require(interner.intern(self.text("select 22")))
        #expect(interner.usage == (2, 17))
        #expect(first?.bytes == second?.bytes)
        // One storage, not two alike.
        let sameStorage = first.map { one in
            one.bytes.span.isIdentical(to: (second ?? other).bytes.span)
        }
        #expect(sameStorage == true)
        first = nil
        #expect(interner.usage == (2, 17))
        second = nil
        #expect(interner.usage == (1, 9))
        #expect(other.bytes == self.text("select 22"))
        #expect(interner.rows(limit: 9).map(\.preview) == ["select 22"])
    }

    @Test func newTextsBeyondTheLimitAreRefused() throws {
        let interner = TextInterner(byteLimit: 2 * TextInterner.overheadPerText + 10)
        let first = try #require(interner.intern(self.text("12345")))
        #expect(interner.intern(self.text("123456")) == nil)
        var second: InternedText? = interner.intern(self.text("54321"))
        #expect(second != nil)
        #expect(interner.intern(self.text("")) == nil)
        // One that is there needs no room.
        #expect(interner.intern(first.bytes) != nil)
        second = nil
        #expect(interner.intern(self.text("123456")) == nil)
        #expect(interner.intern(self.text("54321")) != nil)
        #expect(interner.usage == (1, 5))
        #expect(first.bytes.count == 5)
    }

    @Test(arguments: [0, 1, TextInterner.overheadPerText - 1])
    func aLimitBelowTheOverheadTakesNothing(byteLimit: Int) {
        let interner = TextInterner(byteLimit: byteLimit)
        #expect(interner.intern([]) == nil)
        #expect(interner.lack(for: 0) == nil)
    }

    @Test func aLimitBeyondAllMeansTakesEverything() {
        let interner = TextInterner(byteLimit: .max)
        #expect(interner.intern(self.text("x")) != nil)
        #expect(interner.lack(for: 1 << 30) == 0)
    }

    @Test func whatIsLackingForATextIsTold() throws {
        let interner = TextInterner(byteLimit: 2 * TextInterner.overheadPerText + 10)
        #expect(interner.lack(for: 10) == 0)
        #expect(interner.lack(for: TextInterner.overheadPerText + 10) == 0)
        #expect(interner.lack(for: TextInterner.overheadPerText + 11) == nil)
        let first = try #require(interner.intern(self.text("12345")))
        #expect(interner.lack(for: 5) == 0)
        #expect(interner.lack(for: 9) == 4)
        #expect(first.bytes.count == 5)
    }

    /// Statements of one short text may differ in their parameter types alone, of which there may be 65 535.
    @Test func longListsOfParameterTypesTakeRoom() throws {
        let interner = TextInterner(byteLimit: 1 << 20)
        var statements: [PreparedStatement] = []
        func prepare(_ number: Int32) throws {
            let tail = parseBody("select 1", types: Array(repeating: number, count: 60_000))
            guard let body = ParseBody(tail.span, 0..<tail.count) else {
                Issue.record("malformed")
                return
            }
            statements.append(try PreparedStatement(body, tail.span, planner: nil, interner: interner))
        }
        for number in 0..<4 { try prepare(Int32(number)) }
        #expect(throws: PreparedStatement.Refusal.textsExceedLimit) { try prepare(4) }
        #expect(interner.usage.bytes > 900_000)
        statements = []
        #expect(interner.usage == (0, 0))
    }

    @Test func rowsAreLongestFirst() {
        let interner = TextInterner(byteLimit: 1 << 20)
        let texts = ["a", "ccc", "bb", String(repeating: "é", count: 200), ""]
        let held = texts.map { interner.intern(self.text($0)) }
        let rows = interner.rows(limit: 100)
        #expect(rows.map(\.bytes) == [400, 3, 2, 1, 0])
        #expect(rows[0].preview == String(repeating: "é", count: 120))
        #expect(rows[1].preview == "ccc")
        #expect(interner.rows(limit: 2) == Array(rows.prefix(2)))
        #expect(interner.rows(limit: 0).isEmpty)
        #expect(interner.rows(limit: -1).isEmpty)
        #expect(held.allSatisfy { $0 != nil })
    }

    @Test func previewsOfAnyBytesAreText() {
        let interner = TextInterner(byteLimit: 1 << 20)
        let held = interner.intern(Array(repeating: 0xF0, count: 1000))
        #expect(interner.rows(limit: 1).first?.preview == String(repeating: "\u{FFFD}", count: 120))
        #expect(held != nil)
    }

    /// Looking up and letting go at the same time, on texts that come and go all the while.
    @Test func threadsShareAndLetGo() async {
        let interner = TextInterner(byteLimit: 1 << 20, hash: TextHash { UInt64($0.count % 2) })
        let texts = (0..<4).map { self.text(String(repeating: "x", count: $0 * 3)) }
        await withTaskGroup(of: Bool.self) { group in
            for worker in 0..<6 {
                group.addTask {
                    var random = SeededRandom(seed: UInt64(worker))
                    var held: [InternedText] = []
                    var isRight = true
                    for _ in 0..<20_000 {
                        let index = Int.random(in: 0..<4, using: &random)
                        guard let text = interner.intern(texts[index]) else { return false }
                        isRight = isRight && text.bytes == texts[index] && interner.usage.entries <= 4
                        held.append(text)
                        if held.count > Int.random(in: 0..<4, using: &random) { held.removeFirst() }
                        if random.chance(20) { held = [] }
                    }
                    return isRight && held.allSatisfy { texts.contains($0.bytes) }
                }
            }
            for await isRight in group { #expect(isRight) }
        }
        #expect(interner.usage == (0, 0))
    }
}
