import PGWire
@testable import Sessions
import Testing

/// What is undone when messages are skipped, and what waits because it might be.
@Suite struct StatementChangeTests {
    private func prepared(_ feed: BatchFeed) -> [StatementID] { feed.server.prepared.ids.sorted() }

    @Test func aFailedParseLeavesNothing() {
        let feed = BatchFeed()
        feed.read(.parse("a", "select 1"), .parse("b", "select 2"), .sync)
        feed.fail()
        #expect(feed.serverName("a") == nil)
        #expect(feed.serverName("b") == nil)
        #expect(self.prepared(feed).isEmpty)
        feed.answer("Z")
        #expect(feed.server.changes.isEmpty)
    }

    @Test func whatWasDoneBeforeAnErrorStands() {
        let feed = BatchFeed()
        feed.read(.parse("a", "select 1"), .parse("b", "select 2"), .sync)
        feed.answer("1")
        feed.fail()
        feed.answer("Z")
        #expect(feed.serverName("a") != nil)
        #expect(feed.serverName("b") == nil)
        #expect(self.prepared(feed).count == 1)
    }

    /// Statements are not transactional: an error in Bind takes back what stands behind it alone.
    @Test func aCloseBehindAnErrorIsTakenBack() {
        let feed = BatchFeed()
        feed.read(.parse("a", "select 1"), .sync)
        feed.answer("1Z")
        feed.read(.close(.statement, "a"), .bind("", "nobody"), .parse("a", "select 2"), .sync)
        #expect(feed.serverName("a") == "pggateway_2")
        feed.fail(.invalidStatementName)
        #expect(feed.answered == [0x33, 0, 0, 0, 4])
        #expect(feed.serverName("a") == nil)
        feed.answer("Z")
        feed.read(.parse("a", "select 1"), .sync)
        feed.answer("Z")
        feed.read(.bind("", "nobody"), .close(.statement, "a"), .sync)
        feed.fail(.invalidStatementName)
        #expect(feed.serverName("a") == "pggateway_1")
    }

    /// The old unnamed statement is dropped before the new one can fail.
    @Test func aFailedParseTakesTheUnnamedStatementAway() {
        for isSkipped in [false, true] {
            let feed = BatchFeed()
            feed.read(.parse("", "select 1"), .sync)
            feed.answer("1Z")
            let talks: [Talk] = (isSkipped ? [.bind("", "nobody")] : []) + [.parse("", "selekt"), .sync]
            feed.read(talks.flatMap(\.bytes))
            feed.fail()
            feed.answer("Z")
            #expect((feed.client.unnamed != nil) == isSkipped)
        }
    }

    @Test func anEvictionBehindAnErrorIsTakenBack() {
        let feed = BatchFeed(capacity: 1)
        feed.read(.parse("a", "select 1"), .sync)
        feed.answer("1Z")
        feed.read(.bind("", "nobody"), .parse("b", "select 2"), .sync)
        #expect(self.prepared(feed) == [2])
        feed.fail(.invalidStatementName)
        #expect(self.prepared(feed) == [1])
        feed.answer("Z")
        #expect(feed.server.preparedCount == 1)
    }

    // MARK: Several batches under way

    @Test func whatAnEarlierBatchMayTakeBackWaits() {
        let feed = BatchFeed()
        feed.read(.parse("a", "select 1"), .sync, .bind("", "a"), .sync)
        #expect(feed.isHeld)
        #expect(feed.pending == [.parse, .sync])
        feed.answer("1")
        #expect(feed.isHeld)
        feed.answer("Z")
        #expect(!feed.isHeld)
        #expect(feed.pending == [.bind, .sync])
    }

    @Test func whatIsOfTheSameBatchDoesNotWait() {
        let feed = BatchFeed()
        feed.read(.parse("a", "select 1"), .bind("", "a"), .execute(""), .close(.statement, "a"))
        feed.read(.parse("a", "select 2"))
        #expect(!feed.isHeld)
        #expect(feed.pending == [.parse, .bind, .execute, .inject, .parse])
    }

    @Test func otherNamesDoNotWait() {
        let feed = BatchFeed()
        feed.read(.parse("a", "select 1"), .parse("b", "select 2"), .sync)
        feed.answer("11Z")
        feed.read(.close(.statement, "a"), .execute(""), .sync, .bind("", "b"), .sync)
        #expect(!feed.isHeld)
        feed.read(.bind("", "a"))
        #expect(feed.isHeld)
    }

    /// An error in one batch takes back nothing of the next.
    @Test func eachBatchIsUndoneByItself() {
        let feed = BatchFeed()
        feed.read(.parse("a", "select 1"), .sync, .parse("b", "select 2"), .sync, .parse("c", "select 3"), .sync)
        #expect(!feed.isHeld)
        func names() -> [String?] { ["a", "b", "c"].map(feed.serverName) }
        feed.fail()
        #expect(names() == [nil, "pggateway_2", "pggateway_3"])
        feed.answer("Z1Z")
        feed.fail()
        #expect(names() == [nil, "pggateway_2", nil])
        feed.answer("Z")
        #expect(self.prepared(feed) == [2])
        #expect(feed.server.changes.isEmpty)
    }

    /// The undoing of an earlier batch does not undo what a later one has set: it changes what that goes back to.
    @Test func aLaterBatchIsNotOverwritten() {
        let feed = BatchFeed()
        feed.read(.parse("", "select 1"), .sync, .parse("", "select 2"), .sync)
        feed.fail()
        #expect(feed.client.unnamed.map { FakeBackend.string($0.text) } == "select 2")
        feed.answer("Z")
        feed.fail()
        #expect(feed.client.unnamed == nil)
    }

    // MARK: After an error

    @Test func nothingGoesOutUntilSync() {
        let feed = BatchFeed()
        feed.read(.bind("", "nobody"), .flush)
        feed.fail(.invalidStatementName)
        _ = feed.takeSent()
        feed.read(.parse("a", "select 1"), .bind("", "a"), .query("select 1"), .flush, .close(.statement, "a"), .call)
        #expect(feed.sent.isEmpty)
        #expect(feed.answered.isEmpty)
        #expect(feed.serverName("a") == nil)
        feed.read(.sync)
        #expect(feed.takeSent() == Talk.sync.bytes)
        feed.answer("Z")
        feed.read(.parse("a", "select 1"))
        #expect(feed.pending == [.parse])
    }

    /// What is held is made to be answered: the client is not going to ask for it.
    @Test func aHeldMessageFlushesWhatItWaitsFor() {
        let feed = BatchFeed()
        feed.read(.parse("a", "select 1"), .query("select 2"))
        #expect(feed.isHeld)
        #expect(feed.sent.suffix(5) == Talk.flush.bytes[...])
        feed.answer("1")
        #expect(feed.pending == [.query])
    }

    // MARK: Many batches under way

    /// Microseconds for each batch of a pipeline of so many, each of which prepares one text under a name of its own.
    private func microseconds(pipelined count: Int, fails: Bool = false) -> Double {
        let feed = BatchFeed()
        feed.read(.parse("known", "select 1"), .sync)
        feed.answer("1Z")
        let pipeline = bytes(of: .sync) + (0..<count).flatMap { bytes(of: .parse("n\($0)", "select 1"), .sync) }
        let clock = ContinuousClock()
        let begin = clock.now
        feed.read(pipeline)
        feed.answer("Z")
        if fails {
            for _ in 0..<count {
                feed.fail()
                feed.answer("Z")
            }
        } else {
            feed.answer(String(repeating: "1Z", count: count))
        }
        let time = clock.now - begin
        #expect(!feed.isHeld)
        #expect(feed.client.namedCount == (fails ? 1 : count + 1))
        #expect(feed.server.changes.isEmpty)
        return time / Duration.microseconds(count)
    }

    /// A batch costs as much as the ones before it, however many have not been answered.
    @Test(arguments: [false, true]) func aLongPipelineIsNotSearched(fails: Bool) {
        let few = (0..<3).map { _ in self.microseconds(pipelined: 100, fails: fails) }.max() ?? 0
        let many = (0..<2).map { _ in self.microseconds(pipelined: 2_000, fails: fails) }.min() ?? 0
        #expect(many < 5 * few)
    }

    // MARK: Batches without end

    /// Microseconds for each round of Parse, Bind and Execute in one batch that no Sync ends.
    private func microseconds(rounds: Int) -> Double {
        let feed = BatchFeed(sharesUnnamed: false)
        let round = bytes(of: .parse("", "select 1"), .bind("", ""), .execute(""))
        let clock = ContinuousClock()
        let begin = clock.now
        for _ in 0..<rounds {
            feed.read(round)
            feed.answer("12C")
            _ = feed.takeSent()
        }
        return (clock.now - begin) / Duration.microseconds(rounds)
    }

    /// A message costs as much as the ones before it, however many there were.
    @Test func aLongBatchIsNotSearched() {
        let few = (0..<3).map { _ in self.microseconds(rounds: 1_000) }.max() ?? 0
        let many = self.microseconds(rounds: 20_000)
        #expect(many < 6 * few)
    }

    /// What was answered stands; only what is under way is remembered.
    @Test func aLongBatchIsForgotten() {
        let feed = BatchFeed(sharesUnnamed: false)
        let rounds = ServerStatements.changesMax
        for number in 0..<rounds {
            feed.read(.parse("", "select 1"), .close(.statement, "n"))
            feed.answer("1")
            if number == 0 { feed.read(.parse("n", "select 2")) }
            if number == 0 { feed.answer("1") }
        }
        #expect(feed.server.changes.count <= ServerStatements.changesMax + 2)
        // The last Parse fails: what the others did stands.
        feed.read(.parse("m", "select 3"), .parse("o", "select 4"))
        feed.answer("1")
        feed.fail()
        #expect(feed.serverName("m") != nil)
        #expect(feed.serverName("o") == nil)
        #expect(feed.serverName("n") == nil)
        feed.read(.sync)
        feed.answer("Z")
        #expect(feed.server.changes.isEmpty)
    }

    /// Changes of messages under way are all kept, so that each of them can be taken back.
    @Test func changesUnderWayFitIn() {
        let feed = BatchFeed(sharesUnnamed: false)
        feed.readAll(Array(repeating: .parse("", "select 1"), count: AnswerScript.tokensMax + 10))
        #expect(feed.isHeld)
        #expect(feed.server.changes.count < ServerStatements.changesMax)
        feed.fail()
        #expect(feed.client.unnamed == nil)
        #expect(feed.server.changes.isEmpty)
    }
}
