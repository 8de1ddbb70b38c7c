import PGWire
import Sessions
import Testing

@Suite struct CheckQueryTests {
    private func message(_ text: String) -> [UInt8] {
        var writer = MessageWriter()
        writer.query(text)
        return writer.take()
    }

    private func matches(_ query: CheckQuery, _ bytes: [UInt8], at offset: Int) -> Bool {
        query.matches(bytes.span, at: offset)
    }

    @Test(arguments: [";", "", "select 1", "select 'ü'", "select 1; select 2"])
    func matchesExactlyItsMessage(text: String) {
        let query = CheckQuery(text)
        let own = self.message(text)
        #expect(query.wireLength == own.count)
        #expect(self.matches(query, own, at: 0))
        #expect(self.matches(query, (own + own), at: own.count))
        #expect(self.matches(query, ([1, 2] + own + [3]), at: 2))
        for count in 0..<own.count { #expect(!self.matches(query, Array(own[..<count]), at: 0)) }
        for index in own.indices {
            var other = own
            other[index] ^= 0x20
            #expect(!self.matches(query, other, at: 0))
        }
        #expect(!self.matches(query, own, at: 1))
        #expect(!self.matches(query, [], at: 0))
    }

    /// Their answers depend on the client.
    @Test(arguments: [
        "deallocate all", "deallocate x", "discard all", "prepare x as select 1", "execute x", "select 1; DISCARD ALL",
    ])
    func textsAboutPreparedStatementsMatchNothing(text: String) {
        let query = CheckQuery(text)
        #expect(query.wireLength == 0)
        #expect(!self.matches(query, self.message(text), at: 0))
        #expect(!self.matches(query, [], at: 0))
    }

    // MARK: Answers

    private static func answer(_ write: (inout MessageWriter) -> Void) -> [UInt8] {
        var writer = MessageWriter()
        write(&writer)
        return writer.take()
    }

    private static let row = Self.answer {
        $0.rowDescription([])
        $0.dataRow(text: ["1"])
        $0.commandComplete("SELECT 1")
        $0.readyForQuery(.idle)
    }

    /// What comes of the chunks in turn.
    private func verdicts(_ chunks: [[UInt8]], skipping: Int = 0) -> [CheckAnswer.Verdict] {
        var answer = CheckAnswer(skipping: skipping)
        return chunks.map { answer.take($0.span) }
    }

    @Test func howeverItIsCutTheAnswerIsKept() {
        for chunks in splits(of: Self.row) {
            let verdicts = self.verdicts(chunks)
            let complete = verdicts.firstIndex { $0 != .incomplete }
            #expect(complete.map { verdicts[$0] } == .answer(Self.row))
        }
    }

    @Test func whatComesBehindItIsNotPartOfIt() {
        let next = Self.answer { $0.commandComplete("SET") }
        #expect(self.verdicts([Self.row + next]) == [.answer(Self.row)])
        #expect(self.verdicts([Self.row + [1, 2]]) == [.answer(Self.row)])
    }

    @Test func answersToTheGatewaysOwnQueriesAreLeftOut() {
        let own = Self.answer {
            $0.parameterStatus(name: "TimeZone", value: "UTC")
            $0.commandComplete("SELECT 1")
            $0.readyForQuery(.idle)
            $0.commandComplete("BEGIN")
            $0.readyForQuery(.inTransaction)
        }
        for chunks in splits(of: own + Self.row, randomCount: 10) {
            #expect(self.verdicts(chunks, skipping: 2).contains(.answer(Self.row)))
        }
        #expect(self.verdicts([own + Self.row]) == [.unfit])
    }

    @Test func anEmptyQueryHasAnAnswer() {
        let answer = Self.answer {
            $0.emptyQueryResponse()
            $0.readyForQuery(.idle)
        }
        #expect(self.verdicts([answer]) == [.answer(answer)])
    }

    @Test(arguments: ["E", "N", "S", "A", "H", "G", "W", "d", "1", "2", "3", "t", "n", "s", "V"] as [Character])
    func whatIsTrueOnlyOnceIsNotKept(kind: Character) {
        let answer = frame(kind, [0]) + Self.row
        #expect(self.verdicts([answer]) == [.unfit])
        for chunks in splits(of: answer, randomCount: 5) {
            let verdicts = self.verdicts(chunks)
            #expect(verdicts.last == .unfit)
            #expect(!verdicts.contains { if case .answer = $0 { true } else { false } })
        }
    }

    @Test(arguments: [TransactionStatus.inTransaction, .failed])
    func anOpenTransactionIsNotKept(status: TransactionStatus) {
        let answer = Self.answer {
            $0.commandComplete("BEGIN")
            $0.readyForQuery(status)
        }
        #expect(self.verdicts([answer]) == [.unfit])
    }

    @Test func nothingButReadyForQueryIsNoAnswer() {
        #expect(self.verdicts([Self.answer { $0.readyForQuery(.idle) }]) == [.unfit])
        #expect(self.verdicts([frame("Z", [])]) == [.unfit])
        #expect(self.verdicts([frame("Z", [0x49, 0x49])]) == [.unfit])
        #expect(self.verdicts([header("C", length: 3)]) == [.unfit])
    }

    @Test func longAnswersAreNotKept() {
        let fill = CheckAnswer.bytesMax - Self.row.count - 5
        let fits = frame("D", Array(repeating: 0, count: fill)) + Self.row
        #expect(fits.count == CheckAnswer.bytesMax)
        #expect(self.verdicts([fits]) == [.answer(fits)])
        let long = frame("D", Array(repeating: 0, count: fill + 1)) + Self.row
        #expect(self.verdicts([long]) == [.unfit])
        #expect(self.verdicts([Array(long[..<9]), Array(long[9...])]) == [.incomplete, .unfit])
        #expect(self.verdicts([long, Self.row]) == [.unfit, .unfit])
    }

    @Test func mutatedAnswersNeverTrap() {
        for mutation in mutations(of: Self.row) { _ = self.verdicts([mutation, mutation], skipping: 1) }
    }

    // MARK: Memory

    @Test func answersAreKeptByQueryAndParameters() throws {
        let (one, two) = (CheckQuery("select 1"), CheckQuery("select 2"))
        let none = SessionParameters.none
        let zone = try SessionParameters.parse([("TimeZone", "UTC")])
        let named = try SessionParameters.parse([("TimeZone", "UTC"), ("application_name", "psql")])
        var answers = CheckAnswers()
        #expect(answers.answer(to: one, for: none) == nil)
        answers.remember([1], to: one, for: none)
        answers.remember([2], to: one, for: zone)
        #expect(answers.answer(to: one, for: none) == [1])
        #expect(answers.answer(to: one, for: named) == [2])
        #expect(answers.answer(to: two, for: none) == nil)
        answers.remember([3], to: two, for: none)
        #expect(answers.answer(to: two, for: none) == [3])
        #expect(answers.answer(to: two, for: zone) == nil)
        #expect(answers.answer(to: one, for: none) == nil)
    }

    /// The value may stand in an answer, and names another schema.
    @Test func answersAreKeptByTheBytesOfParameters() throws {
        let query = CheckQuery("select 1")
        var answers = CheckAnswers()
        answers.remember([1], to: query, for: try SessionParameters.parse([("search_path", "caf\u{e9}")]))
        let decomposed = try SessionParameters.parse([("search_path", "cafe\u{301}")])
        #expect(answers.answer(to: query, for: decomposed) == nil)
    }

    @Test func memoryHasABound() throws {
        var answers = CheckAnswers()
        let query = CheckQuery("select 1")
        let parameters = try (0..<100).map { try SessionParameters.parse([("work_mem", "\($0)")]) }
        for one in parameters { answers.remember([7], to: query, for: one) }
        #expect(parameters.filter { answers.answer(to: query, for: $0) != nil }.count <= 16)
        #expect(answers.answer(to: query, for: try #require(parameters.last)) == [7])
    }
}
