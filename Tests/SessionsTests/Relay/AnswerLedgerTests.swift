import PGWire
import Sessions
import Testing

/// The ledger's rules, one by one, as sequences of what passes: `Q` Query, `P` any extended message, `S` Sync,
/// `c` CopyDone or CopyFail towards the server; `Z` `T` `F` ReadyForQuery (idle, in a transaction, failed),
/// `G` CopyInResponse, `C` CommandComplete, `E` ErrorResponse, `1` another answer from the server.
@Suite struct AnswerLedgerTests {
    private func ledger(_ script: String) -> AnswerLedger {
        var ledger = AnswerLedger()
        self.play(script, &ledger)
        return ledger
    }

    private func play(_ script: String, _ ledger: inout AnswerLedger) {
        for step in script where step != " " {
            switch step {
            case "Q": ledger.querySent()
            case "P": ledger.extendedSent()
            case "S": ledger.syncSent()
            case "c": ledger.copyEndSent()
            case "Z": ledger.readyReceived(.idle)
            case "T": ledger.readyReceived(.inTransaction)
            case "F": ledger.readyReceived(.failed)
            case "G": ledger.copyInReceived()
            case "C": ledger.completionReceived()
            case "E": ledger.errorReceived()
            case "1": if ledger.isDoubtful { ledger.answerReceived() }
            default: Issue.record("unknown step \(step)")
            }
        }
    }

    /// Releasable after the whole script, and at no earlier moment after the first step.
    private func releasesOnlyAtTheEnd(_ script: String) -> Bool {
        var ledger = AnswerLedger()
        let steps = script.filter { $0 != " " }
        for (index, step) in steps.enumerated() {
            if index > 0, ledger.isReleasable { return false }
            self.play(String(step), &ledger)
        }
        return ledger.isReleasable
    }

    @Test func aNewLedgerOwesNothing() {
        #expect(AnswerLedger().isReleasable)
        #expect(AnswerLedger().owedCount == 0)
    }

    @Test(arguments: [
        "QZ", "SZ", "PPPSZ", "QQQ ZZZ", "PPS PPS PPS ZZZ", "SSSS ZZZZ", "Q PPS Q ZZZ", "PPS Q ZZ", "PPP PPP SZ",
        "Q E Z", "PPP E SZ", "PPS E Z", "PPS PPS E Z E Z",
    ])
    func queryAndSyncBringOneReadyForQueryEach(script: String) {
        #expect(self.releasesOnlyAtTheEnd(script))
    }

    @Test func aBatchWithoutSyncIsNotSettled() {
        #expect(!self.ledger("PPP").isSettled)
        #expect(!self.ledger("QZ PPP").isSettled)
        #expect(!self.ledger("PPP 11C").isSettled)
        #expect(self.ledger("PPP").isUnsynced)
        #expect(!self.ledger("PPP").isAmbiguous)
    }

    @Test func aTransactionIsSettledButNotReleasable() {
        #expect(self.ledger("Q CT").isSettled)
        #expect(!self.ledger("Q CT").isReleasable)
        #expect(!self.ledger("Q CT Q EF").isReleasable)
        #expect(self.ledger("Q CT Q EF Q CZ").isReleasable)
        #expect(self.ledger("Q CT Q EF").status == .failed)
    }

    @Test(arguments: [
        "PPQ CZ", "PP 11 Q CZ", "PPQ EZ", "PP 11 Q G c C Z", "PP 11 Q G E Z", "QZ PPQ CZ", "PPP G c C Q C Z",
        "PPPS G c C Q C Z",
    ])
    func aQueryBehindAnUnsyncedBatchSettlesIt(script: String) {
        let steps = script.filter { $0 != " " }
        let before = self.ledger(String(steps.dropLast()))
        #expect(before.isAmbiguous)
        #expect(!before.isLost)
        #expect(!before.awaitsReady)
        var ledger = self.ledger(script)
        #expect(ledger.isReleasable)
        #expect(!ledger.isAmbiguous)
        #expect(ledger.owedCount == 0)
        for next in ["SZ", "PPSZ", "QZ", "PPQ CZ"] {
            self.play(next, &ledger)
            #expect(ledger.isReleasable)
        }
    }

    @Test func aQueryBehindAnUnsyncedBatchLeavesItsTransactionOpen() {
        #expect(self.ledger("PPQ CT").isSettled)
        #expect(!self.ledger("PPQ CT").isReleasable)
        #expect(self.ledger("PPQ CT PPQ CZ").isReleasable)
    }

    /// One of the batch may have failed, and the Query with it: then ReadyForQuery is the next Sync's.
    @Test func aQueryWithinAnUnsyncedBatchIsAmbiguous() {
        for script in [
            "PPQ S", "PPQ E S", "PPQ P", "PPQ Q", "PPQ c", "Q PPQ", "PPS PPQ", "PPPc Q", "PPP G Q", "PPPS G c Q",
        ] {
            #expect(self.ledger(script).isLost, "\(script)")
            #expect(!self.ledger(script + "Z Q CZ SZ").isReleasable, "\(script)")
        }
        #expect(!self.ledger("PPS Q").isAmbiguous)
    }

    @Test(arguments: [
        // Simple: the end sent after CopyInResponse, before it, for two COPYs in one Query.
        "Q G c C Z", "Q c G C Z", "Q G c C G c C Z", "Q cc G C G C Z", "Q c G C G c C Z",
        // A Sync that the server ignores.
        "Q S G c C Z", "Q S c G C Z", "Q G S c C Z",
        // Extended: with and without Sync before CopyInResponse.
        "PPP G c C S Z", "PPPS G c S C Z", "PPPS c S G C Z", "PPP c S G C Z", "PPP c G S C Z", "PPP G S c S C Z",
        "PPPSS G SS c C S Z",
        // Requests behind it.
        "Q G c Q C Z C Z", "Q c Q G C Z C Z", "PPPS c S PPPS G C Z C Z", "Q c Q c G C Z G C Z",
        "PPPS PPPS c S C Z G C Z",
    ])
    func copyInIsAnsweredOnce(script: String) {
        #expect(self.releasesOnlyAtTheEnd(script))
    }

    @Test(arguments: [
        "Q G E Z", "Q G c E Z", "Q c G E Z", "Q E c Z", "Q G E c Z", "Q c E Z", "Q G c S E Z Z",
        "PPP G E S Z", "PPP G E c S Z", "PPP G c S E Z", "PPP c S E Z", "PPP c E S Z", "PPPS c S E Z Z",
    ])
    func aCopyThatFailsOrNeverBegins(script: String) {
        #expect(self.releasesOnlyAtTheEnd(script))
    }

    @Test func copyDataIsExpectedUntilItsEnd() {
        #expect(self.ledger("QG").isCopyIn)
        #expect(!self.ledger("QG").isSettled)
        #expect(!self.ledger("QGc").isCopyIn)
        #expect(!self.ledger("QcG").isCopyIn)
        #expect(!self.ledger("QGE").isCopyIn)
    }

    @Test func aStrayCopyEndCountsForNothing() {
        #expect(self.ledger("c").isReleasable)
        #expect(self.ledger("QZ ccc").isReleasable)
        #expect(self.ledger("Qcc Z").isReleasable)
        #expect(self.ledger("Qc").owedCount == 1)
        // The second one would be taken for the end of the COPY that follows if it stayed in the list.
        #expect(self.ledger("Qcc G C Z Q G").isCopyIn)
        #expect(self.ledger("PPPS cc PPPS c S G C G C Z").isReleasable)
    }

    @Test func aCopyEndOfTheNextBatchSurvivesTheAnswerToAQuery() {
        #expect(self.releasesOnlyAtTheEnd("Q PPPcS C Z G C Z"))
        #expect(self.releasesOnlyAtTheEnd("Q PPPc C Z G C S Z"))
    }

    @Test func requestsWithinCopyDataAreAmbiguous() {
        #expect(self.ledger("Q G Q").isAmbiguous)
        #expect(self.ledger("Q G P").isAmbiguous)
        #expect(self.ledger("Q Q G").isAmbiguous)
    }

    @Test func aCopyEndInTheMiddleOfABatchIsAmbiguous() {
        #expect(self.ledger("PPPc P").isAmbiguous)
        #expect(!self.ledger("PPPc S PPP").isAmbiguous)
    }

    // MARK: Doubt

    /// Bind, Execute, Sync; CopyDone, Sync; the COPY fails. Whether the first Sync is answered is not known.
    @Test func aCopyThatFailsWithASyncUnderWayLeavesDoubt() {
        for script in ["PPPS G c S E", "PPPS G c S E Z", "PPPS c S G E Z", "PPP G S E", "Q S G E Z", "PPPS G E c S Z"] {
            let ledger = self.ledger(script)
            #expect(ledger.isDoubtful, "\(script)")
            #expect(!ledger.isSettled, "\(script)")
        }
    }

    @Test(arguments: [
        // Both Syncs are answered.
        "PPPS G c S E Z Z", "PPPS G E Z c S Z", "Q S G E Z Z",
        // Only the second one is; the next request's answer shows it.
        "PPPS G c S E Z PPPS 1 C Z", "PPPS G c S E Z Q C Z", "PPPS G c S E Z PPS 1 1 Z",
        "PPPS G c S E Z PPS E Z", "PPPS G c S E Z Q E Z",
        // The answer to the first one overtakes the next request on its way.
        "PPPS G c S E Z PPPS Z 1 C Z", "PPPS G c S E PPPS Z Z 1 C Z", "PPPS G c S E PPPS Z 1 C Z",
        // The next request is a COPY itself.
        "PPPS G c S E Z Q G c C Z",
    ])
    func doubtEnds(script: String) {
        var ledger = AnswerLedger()
        let steps = script.filter { $0 != " " }
        for step in steps.dropLast() { self.play(String(step), &ledger) }
        #expect(!ledger.isReleasable)
        self.play(String(steps.suffix(1)), &ledger)
        #expect(ledger.isReleasable)
        #expect(!ledger.isAmbiguous)
        #expect(ledger.owedCount == 0)
    }

    /// A Close and a Sync of the gateway's own settle it, whether the Syncs before them are answered or not.
    @Test(arguments: ["PPPS G c S E Z", "Q S G E Z", "PPPS c S G E Z"], ["1Z", "Z1Z"])
    func doubtIsSettledByAProbe(script: String, answers: String) {
        var ledger = self.ledger(script)
        #expect(ledger.awaitsOnlyDoubtful)
        self.play("PS", &ledger)
        #expect(!ledger.awaitsOnlyDoubtful)
        #expect(!ledger.isReleasable)
        self.play(answers, &ledger)
        #expect(ledger.isReleasable)
        #expect(!ledger.isAmbiguous)
    }

    /// There the client has more to send, or an answer to wait for.
    @Test(arguments: ["", "Q", "QG", "PPPS G c S E", "PPP G S E", "PPPS G E", "PPPS G c S E Z PPP", "PPPS G c S Q E Z"])
    func onlyIdleDoubtIsProbed(script: String) {
        #expect(!self.ledger(script).awaitsOnlyDoubtful)
    }

    @Test func completionOfTheCopyLeavesNoDoubt() {
        #expect(self.releasesOnlyAtTheEnd("PPPS G c S C E Z"))
    }

    @Test func requestsPipelinedBehindAFailedCopyAreAmbiguousForGood() {
        for script in ["PPPS G c S PPPS E", "PPPS G c S Q E", "PPPS PPPS G E", "PPPS G E P", "Q PPS G E"] {
            let ledger = self.ledger(script)
            #expect(ledger.isAmbiguous, "\(script)")
            #expect(!self.ledger(script + "ZZZ Q C Z").isReleasable, "\(script)")
        }
    }

    @Test func noAnswerEndsDoubtBeforeANewRequest() {
        #expect(self.ledger("PPPS G c S E Z 1").isDoubtful)
    }

    // MARK: Books

    @Test func takeCountsCountsSinceTheLastCall() {
        var ledger = self.ledger("Q C T Q C T Q C Z S Z")
        let counts = ledger.takeCounts()
        #expect(counts.queries == 4)
        #expect(counts.transactions == 2)
        let none = ledger.takeCounts()
        #expect(none.queries == 0)
        #expect(none.transactions == 0)
    }

    @Test func takeCountsCountsInDoubtToo() {
        var ledger = self.ledger("PPPS G c S E Z")
        #expect(ledger.takeCounts().queries == 1)
    }

    @Test func longPipelinesAreCompactedWithoutLosingCount() {
        for length in [1, 2, 1023, 1024, 1025, 3000] {
            var ledger = AnswerLedger()
            for _ in 0..<length { ledger.syncSent() }
            for answered in 0..<length {
                if answered % 128 == 0 { #expect(ledger.owedCount == length - answered) }
                ledger.readyReceived(.idle)
                if answered % 3 == 0 {
                    ledger.querySent()
                    ledger.syncSent()
                    ledger.readyReceived(.idle)
                    ledger.readyReceived(.idle)
                }
            }
            #expect(ledger.isReleasable)
        }
    }

    /// A client that never lets the list run empty.
    @Test func aPipelineThatNeverRunsEmptyIsCountedRightly() {
        var ledger = self.ledger("SSS")
        for _ in 0..<5000 { self.play("QcZ S Z", &ledger) }
        #expect(ledger.owedCount == 3)
        self.play("ZZZ", &ledger)
        #expect(ledger.isReleasable)
    }

    @Test func copyInBehindACompactedPipeline() {
        var ledger = AnswerLedger()
        for _ in 0..<2000 { ledger.syncSent() }
        self.play("PPPS c S", &ledger)
        for _ in 0..<2000 { ledger.readyReceived(.idle) }
        self.play("G C", &ledger)
        #expect(ledger.owedCount == 1)
        self.play("Z", &ledger)
        #expect(ledger.isReleasable)
    }

    @Test func unexpectedAnswersDoNoHarm() {
        #expect(self.ledger("ZZZ").isReleasable)
        #expect(self.ledger("E").isReleasable)
        #expect(self.ledger("C1").isReleasable)
        #expect(!self.ledger("G").isSettled)
    }

    @Test(arguments: ["PPQ", "Q G", "PPPS G c S E", "Q T", "QQQ", "PPPc P", "PPP", "PPPS G c S E Z P"])
    func resetForgetsEverything(script: String) {
        var ledger = self.ledger(script)
        ledger.reset()
        #expect(ledger.isReleasable)
        #expect(ledger.owedCount == 0)
        for step in "PPPS G c S C" where step != " " {
            self.play(String(step), &ledger)
            #expect(!ledger.isSettled)
        }
        self.play("Z", &ledger)
        #expect(ledger.isReleasable)
        #expect(!ledger.isAmbiguous)
    }
}
