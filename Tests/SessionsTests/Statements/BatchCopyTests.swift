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
    private static let probe = bytes(of: .close(.statement, "pggateway_refused"), .sync)

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
        _ = feed.takeTold()
        return feed
    }

    /// PostgreSQL ends the session over it, and looks at nothing but its kind.
    @Test func intoACopyGoesOnlyTheKindOfWhatDoesNotBelongThere() {
        for byExecute in [false, true] {
            for talk in Self.unexpected {
                let feed = self.copying(byExecute: byExecute)
                feed.read(talk)
                #expect(feed.isHeld, "\(talk)")
                #expect(feed.takeSent() == [talk.bytes[0], 0, 0, 0, 4], "\(talk)")
                let verdict = feed.fail(.protocolViolation, routine: "CopyGetData")
                #expect(verdict.substitute == nil)
                // PostgreSQL has one more thing to say, and reads no more.
                #expect(feed.isHeld, "\(talk)")
                #expect(feed.takeSent().isEmpty, "\(talk)")
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

    /// The COPY has failed by the time the server reads the query: it is answered, once.
    @Test func aQueryBehindAFailedCopyOfAQueryIsAnswered() {
        let feed = self.copying(byExecute: false)
        feed.read(.query("select 1"), .sync)
        #expect(feed.takeSent() == frame("Q"))
        feed.fail()
        #expect(feed.takeSent() == Talk.sync.bytes + Self.probe)
        feed.answer("Z")
        #expect(feed.takeTold() == "Z")
        // That of the empty query, and what else is the gateway's own.
        #expect(feed.fail(.protocolViolation).substitute?.isEmpty == true)
        feed.answer("ZZ3Z")
        #expect(feed.takeTold().isEmpty)
        #expect(feed.takeSent() == bytes(of: .query("select 1"), .sync))
        feed.answer("TDCZZ")
        #expect(feed.takeTold() == "TDCZZ")
        #expect(feed.ledger.isSettled)
        #expect(!feed.server.mustSettle)
    }

    /// The same by the extended protocol: it is skipped up to the Sync.
    @Test func aQueryBehindAFailedCopyOfAnExecuteIsSkipped() {
        let feed = self.copying(byExecute: true)
        feed.read(.query("select 1"))
        #expect(feed.takeSent() == frame("Q"))
        feed.fail()
        #expect(feed.takeSent() == Talk.sync.bytes + Self.probe)
        feed.answer("Z3Z")
        #expect(feed.takeTold().isEmpty)
        #expect(!feed.isHeld)
        // Nobody else gets the server: the client's batch is open.
        #expect(!feed.ledger.isSettled)
        feed.read(.query("select 2"), .sync)
        #expect(feed.takeSent() == Talk.sync.bytes)
        feed.answer("Z")
        #expect(feed.takeTold() == "Z")
        #expect(feed.ledger.isSettled)
    }

    // MARK: A Sync that was read within the COPY, or behind it

    /// Execute and Sync, and the COPY has failed at once or at its data.
    private func failed() -> BatchFeed {
        let feed = BatchFeed()
        feed.read(.parse("", "copy t from stdin"), .bind("", ""), .execute(""), .sync)
        feed.answer("12")
        feed.beginCopy()
        feed.fail()
        _ = feed.takeSent()
        _ = feed.takeTold()
        return feed
    }

    @Test func aSyncThatWasIgnoredIsNotCounted() {
        let feed = self.failed()
        feed.read(.copyData("1"), .copyDone, .sync, .close(.statement, "a"), .query("select 1"))
        #expect(feed.takeSent() == bytes(of: .copyData("1"), .copyDone, .sync) + Self.probe)
        feed.answer("Z3Z")
        #expect(feed.takeTold() == "Z")
        feed.answer("TDCZ")
        #expect(feed.answered == frame("3"))
        #expect(feed.takeTold() == "TDCZ")
    }

    @Test func aSyncThatWasAnsweredIsCounted() {
        let feed = self.failed()
        feed.read(.copyData("1"), .copyDone, .sync, .close(.statement, "a"), .query("select 1"))
        _ = feed.takeSent()
        feed.answer("Z")
        // The CloseComplete does not overtake the second one.
        #expect(feed.answered.isEmpty)
        feed.answer("Z3Z")
        #expect(feed.takeTold() == "ZZ")
        #expect(feed.answered == frame("3"))
    }

    /// The client goes on without another Sync.
    @Test func whatFollowsIsCarriedOutOrSkipped() {
        for wasAnswered in [false, true] {
            let feed = self.failed()
            feed.read(.query("select 1"))
            #expect(feed.isHeld)
            #expect(feed.takeSent() == Talk.sync.bytes + Self.probe)
            feed.answer(wasAnswered ? "ZZ3Z" : "Z3Z")
            #expect(feed.takeTold() == (wasAnswered ? "Z" : ""))
            #expect(feed.takeSent() == (wasAnswered ? Talk.query("select 1").bytes : []))
            #expect(!feed.ledger.isSettled)
            feed.read(.sync)
            feed.answer(wasAnswered ? "TDCZZ" : "Z")
            #expect(feed.ledger.isSettled)
            #expect(feed.pending.isEmpty)
        }
    }

    /// A Flush with a body means nothing within COPY, and is an error behind one.
    @Test func whatCannotBeCountedIsSaid() {
        for byExecute in [false, true] {
            let feed = self.copying(byExecute: byExecute)
            feed.read(.raw("H", [0]))
            #expect(!feed.isHeld)
            #expect(feed.fail().isUncountable)
        }
        #expect(!self.copying(byExecute: true).fail().isUncountable)
    }

    // MARK: Before the COPY has begun

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

    /// Whether it is read within the COPY is known when the COPY has begun.
    @Test func requestsBehindACopyWait() {
        let execute: [Talk] = [.parse("", "copy t from stdin"), .bind("", ""), .execute(""), .sync]
        // One constant behind the other, unless standard_conforming_strings is off.
        let hidden = "select '\\''; copy t from stdin; select '\\''"
        for copy in [execute, [.query("select 1; copy t from stdin")], [.query(hidden)]] as [[Talk]] {
            for talk in Self.unexpected {
                let feed = BatchFeed()
                feed.readAll(copy + [talk])
                #expect(feed.isHeld, "\(talk)")
                feed.answer(copy.count > 1 ? "12" : "")
                _ = feed.takeSent()
                feed.beginCopy()
                #expect(feed.takeSent() == [talk.bytes[0], 0, 0, 0, 4], "\(talk)")
                #expect(!feed.ledger.isAmbiguous)
            }
        }
    }

    /// A COPY that goes the other way, or fails before it begins.
    @Test func whatWaitsBehindACopyGoesOn() {
        let feed = BatchFeed()
        feed.read(.query("copy t to stdout"), .query("select 1"))
        #expect(feed.isHeld)
        feed.answer("HdcCZ")
        #expect(!feed.isHeld)
        feed.answer("TDCZ")
        feed.read(.parse("", "copy t from stdin"), .bind("", ""), .execute(""), .sync, .query("select 2"))
        #expect(feed.isHeld)
        feed.answer("12")
        feed.fail()
        feed.answer("Z")
        #expect(!feed.isHeld)
        #expect(feed.pending == [.query])
    }
}
