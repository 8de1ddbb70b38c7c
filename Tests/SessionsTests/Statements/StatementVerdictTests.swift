import PGWire
@testable import Sessions
import Testing

/// What an error of the server says about a statement.
@Suite struct StatementVerdictTests {
    private func prepared(_ names: String...) -> BatchFeed {
        let feed = BatchFeed()
        for name in names { feed.read(.parse(name, "select 1"), .sync) }
        feed.answer(names.indices.map { $0 == 0 ? "1Z" : "Z" }.joined())
        _ = feed.takeSent()
        return feed
    }

    /// Somebody else has met the change of a statement's result.
    private func change(_ name: String, of feed: BatchFeed) {
        let statement = name.isEmpty ? feed.client.unnamed : feed.client.names.find(Array(name.utf8))
        statement?.markStale()
    }

    /// "cached plan must not change result type": the server closes the statement before anything else uses it, and
    /// whoever has it gets a fresh one.
    @Test func aStatementWithAnotherResultIsPreparedAfresh() {
        for isNamed in [true, false] {
            let name = isNamed ? "a" : ""
            let feed = self.prepared(name)
            feed.read(.bind("", name), .execute(""), .sync)
            let verdict = feed.fail(.featureNotSupported, routine: "RevalidateCachedQuery")
            feed.answer("Z")
            guard isNamed else {
                // It is the server's unnamed one: the next Parse replaces it. Its client knows.
                #expect(verdict.staleStatement == 1)
                _ = feed.takeSent()
                feed.read(.bind("", ""), .sync)
                #expect(feed.takeSent() == bytes(of: .parse("", "select 1"), .bind("", ""), .sync))
                continue
            }
            #expect(verdict.staleStatement == 1)
            #expect(feed.server.preparedCount == 0)
            _ = feed.takeSent()
            feed.read(.bind("", name), .sync)
            let fresh = "pggateway_2"
            let closed = Talk.close(.statement, "pggateway_1").bytes
            let expected = closed + bytes(of: .parse(fresh, "select 1"), .bind("", fresh), .sync)
            #expect(feed.takeSent() == expected)
            feed.answer("312Z")
            #expect(feed.server.unwanted.isEmpty)
            #expect(feed.server.prepared.ids == [2])
        }
    }

    /// The message in front of it fails: the server still has the statement, and would refuse to prepare it again.
    @Test func aCloseThatWasSkippedIsSentAgain() {
        let feed = self.prepared("a")
        feed.read(.bind("", "a"), .sync)
        feed.fail(.featureNotSupported, routine: "RevalidateCachedQuery")
        feed.answer("Z")
        feed.read(.execute("nobody"), .bind("", "a"), .sync)
        feed.fail(.invalidCursorName)
        feed.answer("Z")
        #expect(feed.server.unwanted == [1])
        _ = feed.takeSent()
        feed.read(.bind("", "a"), .sync)
        let fresh = "pggateway_2"
        let closed = Talk.close(.statement, "pggateway_1").bytes
        let expected = closed + bytes(of: .parse(fresh, "select 1"), .bind("", fresh), .sync)
        #expect(feed.takeSent() == expected)
        feed.answer("312Z")
        #expect(feed.server.unwanted.isEmpty)
        #expect(feed.server.prepared.ids == [2])
    }

    /// Somebody else has met the change. Drivers read rows by the columns that they were told of.
    @Test(arguments: ["a", ""])
    func whoeverHasAStatementIsToldOfItsChange(name: String) {
        let fresh = name.isEmpty ? "" : "pggateway_2"
        for (first, second) in [
            (.bind("", name), .bind("", fresh)), (.describe(.statement, name), .describe(.statement, fresh)),
        ] as [(Talk, Talk)] {
            let feed = self.prepared(name)
            self.change(name, of: feed)
            feed.read(first, .sync)
            #expect(feed.takeSent() == bytes(of: .describe(.statement, "pggateway_refused"), .sync))
            let told = feed.fail(.invalidStatementName).substitute
            #expect(told == StatementError.encoded(StatementError.changedResult))
            feed.answer("Z")
            feed.read(first, .sync)
            #expect(feed.takeSent() == bytes(of: .parse(fresh, "select 1"), second, .sync))
        }
    }

    /// A message in front of it has failed, and the client has heard of that only.
    @Test(arguments: ["a", ""])
    func aChangeThatWasSkippedIsToldAgain(name: String) {
        let feed = self.prepared(name)
        self.change(name, of: feed)
        feed.read(.execute("nobody"), .bind("", name), .bind("", name), .sync)
        feed.fail(.invalidCursorName)
        feed.answer("Z")
        _ = feed.takeSent()
        feed.read(.bind("", name), .sync)
        let told = feed.fail(.invalidStatementName).substitute
        #expect(told == StatementError.encoded(StatementError.changedResult))
    }

    @Test func otherErrorsLeaveTheStatement() {
        let feed = self.prepared("a")
        for (state, routine) in [
            (SQLState.featureNotSupported, "exec_bind_message"), (.syntaxError, "RevalidateCachedQuery"),
            (.protocolViolation, nil), (.inFailedTransaction, nil),
        ] as [(SQLState, String?)] {
            feed.read(.bind("", "a"), .sync)
            let verdict = feed.fail(state, routine: routine)
            #expect(verdict.staleStatement == nil)
            #expect(!verdict.isMissingStatement)
            feed.answer("Z")
            #expect(feed.server.prepared.ids == [1])
        }
    }

    /// What it names is gone or is another thing now. Who has it keeps it, as with PostgreSQL; who prepares its text
    /// behind that gets one that is read anew.
    @Test(arguments: ["42883", "42P01", "42703", "42601", "XX000"])
    func aStatementThatCannotBeReadAgainIsGivenToNobodyNew(code: String) throws {
        let state = try #require(SQLState(code))
        for failing in [.bind("", "a"), .describe(.statement, "a")] as [Talk] {
            let feed = self.prepared("a")
            feed.read(failing, .sync)
            #expect(feed.fail(state, position: code == "XX000" ? nil : "8").staleStatement == nil)
            feed.answer("Z")
            _ = feed.takeSent()
            feed.read(.parse("b", "select 1"), .sync)
            #expect(feed.takeSent() == bytes(of: .parse("pggateway_2", "select 1"), .sync))
            feed.answer("1Z")
            feed.read(.bind("", "a"), .sync)
            #expect(feed.takeSent() == bytes(of: .bind("", "pggateway_1"), .sync))
        }
    }

    /// They come of a value, of the client's rights, of its portals.
    @Test(arguments: ["22P02", "42501", "42P03", "57014", "25P02", "42601", "42P01", "42704", "42804"])
    func errorsThatAreNotTheTextsLeaveItShared(code: String) throws {
        let state = try #require(SQLState(code))
        let feed = self.prepared("a")
        feed.read(.bind("", "a"), .sync)
        feed.fail(state)
        feed.answer("Z")
        _ = feed.takeSent()
        feed.read(.parse("b", "select 1"), .sync)
        #expect(feed.takeSent() == bytes(of: .sync))
    }

    /// A server that somebody has meddled with lacks what it should have.
    @Test func aStatementThatIsGoneIsNotBelievedIn() {
        let feed = self.prepared("a")
        feed.read(.bind("", "a"), .sync)
        #expect(feed.fail(.invalidStatementName).isMissingStatement)
        #expect(feed.server.preparedCount == 0)
        feed.answer("Z")
        _ = feed.takeSent()
        feed.read(.bind("", "a"), .sync)
        #expect(feed.takeSent() == bytes(of: .parse("pggateway_1", "select 1"), .bind("", "pggateway_1"), .sync))
    }

    @Test func aNameThatNobodyPreparedIsNotMissing() {
        let feed = self.prepared("a")
        feed.read(.bind("", "b"), .sync)
        #expect(!feed.fail(.invalidStatementName).isMissingStatement)
        #expect(feed.server.preparedCount == 1)
    }

    // MARK: Names

    /// Errors about a Bind tell the client's name, whatever it has done with it since.
    @Test func theClientsNameIsTold() {
        let long = String(repeating: "n", count: 200)
        for name in ["a", "pggateway_9", long, ""] {
            let feed = BatchFeed()
            feed.read(.parse(name, "select 1"), .bind("", name), .close(.statement, name), .sync)
            feed.answer("1")
            guard let names = feed.fail(.protocolViolation).names else {
                Issue.record("no name is told for \"\(name)\"")
                continue
            }
            #expect(FakeBackend.string(names.client) == name)
            #expect(FakeBackend.string(names.server) == "pggateway_1")
        }
    }

    @Test func onlyTheWholeNameIsReplaced() {
        func renamed(_ text: String) -> String? {
            let known = Array("pggateway_1".utf8)
            let message = frame("E", Array(text.utf8) + [0, 0])
            return StatementError.renamed(message, from: known, to: Array("mine".utf8)).map {
                FakeBackend.string(Array($0.dropFirst(MessageHeader.size).dropLast(2)))
            }
        }
        #expect(renamed("Mstatement \"pggateway_1\" requires") == "Mstatement \"mine\" requires")
        #expect(renamed("Mstatement \"pggateway_12\" requires") == nil)
        #expect(renamed("Mno name") == nil)
        #expect(renamed("") == nil)
        #expect(renamed("Mpggateway_1") == "Mmine")
        #expect(renamed("Mpggateway_12 pggateway_1") == "Mpggateway_12 mine")
        #expect(StatementError.renamed([], from: [1], to: [2]) == nil)
    }
}
