import Testing

@testable import Gateway

@Suite struct RandomPoolTests {
    /// More than one filling, and more at once than one filling has.
    @Test func noBytesAreHandedOutTwice() {
        let pool = RandomPool()
        var seen: Set<[UInt8]> = []
        for count in [18, 32, 255, 256, 257, 1000] {
            for _ in 0..<50 {
                let bytes = pool.take(count)
                #expect(bytes.count == count)
                seen.insert(bytes)
            }
        }
        #expect(seen.count == 300)
    }

    /// What stands in the pool is zero once it has been handed out: a second use would show.
    @Test func bytesAreNotZero() {
        let pool = RandomPool()
        for _ in 0..<100 { #expect(pool.take(18).contains { $0 != 0 }) }
    }

    @Test(arguments: [0, -1])
    func nothingIsAskedFor(count: Int) { #expect(RandomPool().take(count).isEmpty) }
}
