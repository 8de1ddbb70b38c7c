import Pooling
import Testing

@Suite("Filling a pool to its minimum")
struct PrewarmTests {
    @Test("an opening that has ended makes room for the next one of the minimum")
    func prewarmGoesOn() throws {
        var pool = PoolMachine(.make(size: 8, min: 4, creates: 1))
        let round = pool.housekeeping(now: 0, closeBudget: .max)
        var open = try #require(round.opens.first)
        for step in 1...3 {
            #expect(pool.nextPrewarm(now: 1) == nil)
            #expect(pool.opened(open.server, worker: open.worker, now: 1) == .idle)
            let next = pool.nextPrewarm(now: 1)
            open = try #require(next)
            #expect(open.worker == step % 2)
        }
        let until = 2 + PoolMachine.openRetryDelay
        #expect(pool.openFailed(open.server, now: 2) == .heldBack(until: until))
        #expect(pool.nextPrewarm(now: until) == nil, "the round is over")
        let secondRound = pool.housekeeping(now: until, closeBudget: .max)
        let again = try #require(secondRound.opens.first)
        #expect(pool.opened(again.server, worker: again.worker, now: until) == .idle)
        #expect(pool.nextPrewarm(now: until) == nil)
        #expect(pool.counts.idle == 4)
        #expect(pool.violation() == nil)
    }

    @Test("servers of the minimum that die at once are opened once in a round")
    func prewarmEnds() throws {
        var pool = PoolMachine(.make(size: 8, min: 4, creates: 2))
        var due = pool.housekeeping(now: 0, closeBudget: .max).opens
        var count = 0
        while let open = due.popLast() {
            count += 1
            #expect(pool.opened(open.server, worker: open.worker, now: 1) == .idle)
            pool.closed(open.server)
            while let next = pool.nextPrewarm(now: 1) { due.append(next) }
        }
        #expect(count == 4)
        #expect(pool.isEmpty)
    }
}
