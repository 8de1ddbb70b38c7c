@testable import Sessions
import Testing

/// A RESET may end the turn, and the next turn applies the client's parameters again: what stands behind it waits.
@Suite struct BatchResetTests {
    @Test(arguments: [
        "reset all", "set session authorization default;RESET ALL;close all", "discard all",
        // With `standard_conforming_strings` off.
        "select '\\'';reset all;--'",
    ])
    func whatFollowsAQueryWaits(text: String) {
        let feed = BatchFeed()
        feed.read(.query(text), .query("select 1"))
        #expect(feed.isHeld)
        #expect(feed.takeSent() == bytes(of: .query(text)))
        feed.answer("CZ")
        #expect(!feed.isHeld)
        #expect(feed.takeSent() == bytes(of: .query("select 1")))
        feed.answer("CZ")
        #expect(feed.server.isSettled)
        // That was all: nothing else is kept back.
        feed.read(.query("select 2"), .query("select 3"))
        #expect(feed.takeSent() == bytes(of: .query("select 2"), .query("select 3")))
    }

    @Test(arguments: ["select 'reset all'", "select reset from t", "set timezone to default"])
    func nothingElseIsKeptBack(text: String) {
        let feed = BatchFeed()
        feed.read(.query(text), .query("select 1"))
        #expect(!feed.isHeld)
        #expect(feed.takeSent() == bytes(of: .query(text), .query("select 1")))
    }

    /// It is one transaction, within which nothing is applied.
    @Test func whatFollowsInTheSameBatchGoesOn() {
        let feed = BatchFeed()
        let batch: [Talk] = [
            .parse("", "reset all"), .bind("", ""), .execute(""), .parse("", "select 1"), .bind("", ""), .execute(""),
            .sync,
        ]
        feed.readAll(batch + [.query("select 2")])
        #expect(feed.isHeld)
        #expect(feed.takeSent() == batch.flatMap(\.bytes))
        feed.answer("12C12C")
        #expect(feed.isHeld)
        feed.answer("Z")
        #expect(!feed.isHeld)
        #expect(feed.takeSent() == bytes(of: .query("select 2")))
    }

    @Test func oneThatFailsKeepsNothingBack() {
        let feed = BatchFeed()
        feed.read(.query("reset nothing"), .query("select 1"))
        #expect(feed.isHeld)
        feed.fail()
        feed.answer("Z")
        #expect(!feed.isHeld)
        #expect(feed.takeSent() == bytes(of: .query("reset nothing"), .query("select 1")))
    }

    @Test func whatIsLeftOfItEndsWithTheTurn() {
        let feed = BatchFeed()
        feed.read(.query("reset all"))
        feed.server.beginTurn()
        feed.read(.query("select 1"), .query("select 2"))
        #expect(!feed.isHeld)
    }
}
