import PGWire
@testable import Sessions
import Testing

/// What a client sends into a COPY. The server reads nothing but COPY data then, so nothing may wait for its answers.
@Suite struct BatchCopyTests {
    private static let byExecute: [Talk] = [
        .parse("", "copy t from stdin"), .bind("", ""), .execute(""), .flush,
    ]
    private static let unexpected: [Talk] = [
        .query("select 1"), .query("discard all"), .query("deallocate a"), .query("prepare a as select 1"), .call,
        .parse("a", "select 1"), .bind("", "nobody"), .describe(.statement, "a"), .describe(.portal, ""),
        .execute(""), .close(.statement, "a"), .raw("P", [0]),
    ]

    /// In the middle of a COPY, with nothing sent since.
    private func copying(byExecute: Bool) -> BatchFeed {
        let feed = BatchFeed()
        if byExecute {
            feed.readAll(Self.byExecute)
            feed.answer("12")
        } else {
            feed.read(.query("copy t from stdin"))
        }
        feed.beginCopy()
        feed.read(.copyData("1"))
        _ = feed.takeSent()
        return feed
    }

    /// PostgreSQL breaks the connection over it; held back, it would keep the server for ever.
    @Test func whatDoesNotBelongIntoACopyIsPassedOn() {
        for byExecute in [false, true] {
            for talk in Self.unexpected {
                let feed = self.copying(byExecute: byExecute)
                feed.read(talk)
                #expect(!feed.isHeld, "\(talk)")
                #expect(feed.takeSent() == talk.bytes, "\(talk)")
                #expect(feed.ledger.isAmbiguous, "\(talk)")
            }
        }
    }

    @Test func copyMessagesAndFlushAreOfTheCopy() {
        for byExecute in [false, true] {
            let feed = self.copying(byExecute: byExecute)
            // A query that may drop statements keeps back what depends on them, not the COPY's own messages.
            feed.server.mustSettle = true
            let talks: [Talk] = [.flush, .copyData("2"), .sync, .flush, .copyDone]
            feed.readAll(talks)
            #expect(!feed.isHeld)
            #expect(feed.takeSent() == talks.flatMap(\.bytes))
            #expect(!feed.ledger.isAmbiguous)
        }
    }

    /// The COPY has failed by the time the server reads the query: it is answered.
    @Test func aQueryBehindAFailedCopyOfAQueryIsAnswered() {
        let feed = self.copying(byExecute: false)
        feed.read(.query("select 1"), .parse("a", "select 2"), .sync)
        #expect(feed.pending == [.query, .query, .parse])
        feed.fail()
        feed.answer("ZTDCZ1Z")
        #expect(feed.pending.isEmpty)
        #expect(!feed.server.mustSettle)
        // Nobody else gets this server.
        #expect(!feed.ledger.isSettled)
    }

    /// The same by the extended protocol: it is skipped up to the Sync.
    @Test func aQueryBehindAFailedCopyOfAnExecuteIsSkipped() {
        let feed = self.copying(byExecute: true)
        feed.read(.query("select 1"))
        feed.fail()
        #expect(feed.pending.isEmpty)
        _ = feed.takeSent()
        feed.read(.query("select 2"), .sync)
        #expect(feed.takeSent() == Talk.sync.bytes)
        feed.answer("Z")
        #expect(feed.pending.isEmpty)
        #expect(!feed.ledger.isSettled)
    }

    /// No COPY is under way where its statement was skipped.
    @Test func aCopyThatWasSkippedHoldsNothing() {
        let feed = BatchFeed()
        feed.readAll([.bind("", "nobody")] + Self.byExecute)
        feed.fail(.invalidStatementName)
        _ = feed.takeSent()
        feed.read(.query("select 1"), .sync)
        #expect(feed.takeSent() == Talk.sync.bytes)
        feed.answer("Z")
        #expect(feed.ledger.isSettled)
    }

    /// Held before the COPY has begun, it goes on when it has.
    @Test func whatIsHeldAheadOfACopyIsPassedOnWithIt() {
        let feed = BatchFeed()
        feed.readAll(Self.byExecute + [.query("select 1")])
        #expect(feed.isHeld)
        feed.answer("12")
        _ = feed.takeSent()
        feed.beginCopy()
        #expect(!feed.isHeld)
        #expect(feed.takeSent() == Talk.query("select 1").bytes)
    }
}
