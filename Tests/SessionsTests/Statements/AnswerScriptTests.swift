@testable import Sessions
import Testing

/// The queue of pending answers by itself.
@Suite struct AnswerScriptTests {
    /// What waits to be told is bounded by its bytes, too: a name may be as long as a message.
    @Test func textsThatWaitAreBounded() {
        var script = AnswerScript()
        script.push(.parse)
        script.pushRefused(.parse, error: Array(repeating: 0x78, count: AnswerScript.textsMax - 1))
        #expect(!script.isFull)
        script.pushRefused(.parse, error: [0x78])
        #expect(script.isFull)
        script.reset()
        #expect(!script.isFull)
    }

    /// Also those that were told and forgotten while others were still due.
    @Test func textsThatWereToldDoNotCount() {
        var script = AnswerScript()
        script.pushRefused(.parse, error: Array(repeating: 0x78, count: AnswerScript.textsMax))
        for _ in 0...5_000 { script.pushTerminator(.sync) }
        #expect(script.isFull)
        _ = script.errorReceived()
        for _ in 0...5_000 { _ = script.received(0x5A) }
        #expect(script.isEmpty && !script.isFull)
        script.push(.parse)
        #expect(!script.isFull)
    }

    private typealias Kind = AnswerScript.Kind

    /// Takes answers one after the other and tells those that the client does not get.
    private func dropped(_ script: inout AnswerScript, _ kinds: String) -> String {
        String(kinds.filter { kind in script.received(kind.asciiValue ?? 0) })
    }

    private func injected(_ script: inout AnswerScript) -> [UInt8] {
        var out: [UInt8] = []
        script.takeInjected(into: &out)
        return out
    }

    @Test func eachMessageHasOneLastAnswer() {
        var script = AnswerScript()
        for kind in [Kind.parse, .bind, .describeStatement, .describePortal, .execute, .close] { script.push(kind) }
        script.pushTerminator(.sync)
        #expect(script.awaitsReady)
        // A ParameterDescription, rows and notices end nothing.
        for (answer, left) in zip("12ttTnDDNCS3Z", [6, 5, 5, 5, 4, 3, 3, 3, 3, 2, 2, 1, 0]) {
            #expect(self.dropped(&script, String(answer)).isEmpty)
            #expect(script.tokens.count - script.head == left, "\(answer)")
        }
        #expect(script.isEmpty)
        #expect(!script.awaitsReady)
    }

    @Test func anExecuteEndsInThreeWays() {
        for end in ["C", "I", "s"] {
            var script = AnswerScript()
            script.push(.execute)
            script.push(.close)
            _ = self.dropped(&script, "DD" + end)
            #expect(script.tokens[script.head].kind == .close)
        }
    }

    /// The CommandComplete messages of a simple query are not its end.
    @Test func aQueryEndsWithReadyForQuery() {
        for kind in [Kind.query, .functionCall] {
            var script = AnswerScript()
            script.pushTerminator(kind)
            _ = self.dropped(&script, "TDCTDCVI")
            #expect(!script.isEmpty)
            _ = self.dropped(&script, "Z")
            #expect(script.isEmpty)
        }
    }

    @Test func whatTheClientDidNotAskForIsSwallowed() {
        var script = AnswerScript()
        script.push(.close, edit: .swallow)
        #expect(script.isEditing)
        script.push(.parse, edit: .swallow)
        script.push(.parse)
        script.push(.bind)
        script.pushTerminator(.sync, edit: .swallow)
        #expect(self.dropped(&script, "3112Z") == "31Z")
        #expect(script.isEmpty)
        #expect(!script.isEditing)
    }

    @Test func theGatewaysAnswersComeInTheirPlaces() {
        var script = AnswerScript()
        script.push(.inject, payload: AnswerScript.parseComplete)
        script.push(.bind)
        script.pushInjected([1, 2, 3])
        script.push(.inject, payload: AnswerScript.closeComplete)
        script.push(.execute)
        #expect(script.isInjectionNext)
        #expect(!script.isAllInjected)
        #expect(self.injected(&script) == [0x31, 0, 0, 0, 4])
        #expect(self.injected(&script).isEmpty)
        #expect(!script.isEditing)
        _ = self.dropped(&script, "2")
        #expect(script.isInjectionNext)
        #expect(self.injected(&script) == [1, 2, 3, 0x33, 0, 0, 0, 4])
        _ = self.dropped(&script, "C")
        #expect(script.isEmpty)
        script.pushInjected([9])
        #expect(script.isAllInjected)
        #expect(self.injected(&script) == [9])
    }

    @Test func nothingIsFlushedUntilItIs() {
        var script = AnswerScript()
        script.push(.inject, payload: AnswerScript.parseComplete)
        #expect(!script.isUnflushed)
        script.push(.bind)
        #expect(script.isUnflushed)
        script.flushed()
        #expect(!script.isUnflushed)
        script.push(.execute)
        script.pushTerminator(.sync)
        #expect(!script.isUnflushed)
    }

    // MARK: Errors

    @Test func anErrorAnswersEverythingUpToSync() {
        var script = AnswerScript()
        script.push(.parse)
        script.push(.bind, payload: 7)
        script.push(.inject, payload: AnswerScript.closeComplete)
        script.push(.execute)
        script.pushTerminator(.sync)
        script.push(.bind, payload: 8)
        _ = self.dropped(&script, "1")
        let failure = script.errorReceived()
        #expect(failure.sequence == 1)
        #expect(failure.batch == 0)
        #expect(failure.statement == 7)
        #expect(failure.substitute == nil)
        // Its CloseComplete is among what the server skips.
        #expect(!script.isInjectionNext)
        #expect(!script.isSkipping)
        _ = self.dropped(&script, "Z")
        #expect(script.errorReceived().statement == 8)
        #expect(script.isEmpty)
        #expect(script.isSkipping)
        // The Sync of the failed batch is still to come.
        script.pushTerminator(.sync)
        #expect(!script.isSkipping)
        _ = self.dropped(&script, "Z")
        #expect(script.isEmpty)
    }

    @Test func aRefusalReplacesTheServersError() {
        var script = AnswerScript()
        script.pushRefused(.describeStatement, error: [4, 5])
        script.push(.parse)
        script.pushTerminator(.sync)
        script.pushRefused(.query, error: [6])
        let first = script.errorReceived()
        #expect(first.substitute == [4, 5])
        #expect(first.statement == nil)
        _ = self.dropped(&script, "Z")
        let second = script.errorReceived()
        #expect(second.substitute == [6])
        // Its ReadyForQuery is still to come.
        #expect(second.sequence == nil)
        #expect(!script.isEmpty)
        _ = self.dropped(&script, "Z")
        #expect(script.isEmpty)
    }

    /// A swallowed message that fails is told all the same: the failure is the client's.
    @Test func aSwallowedMessageMayFail() {
        var script = AnswerScript()
        script.push(.parse, edit: .swallow)
        script.push(.bind)
        #expect(script.errorReceived().sequence == 0)
        #expect(script.isSkipping)
    }

    @Test func errorsWithoutAQuestionMeanNothing() {
        var script = AnswerScript()
        #expect(script.errorReceived().sequence == nil)
        #expect(self.dropped(&script, "123CZ").isEmpty)
        #expect(script.isEmpty)
        #expect(!script.isSkipping)
    }

    @Test func batchesAreNumbered() {
        var script = AnswerScript()
        for _ in 0..<3 {
            script.push(.parse)
            script.pushTerminator(.sync)
        }
        #expect(script.batch == 3)
        for batch in 0..<3 {
            #expect(script.errorReceived().batch == batch)
            _ = self.dropped(&script, "Z")
            #expect(script.answeredBatch == batch + 1)
        }
        #expect(!script.awaitsReady)
    }

    // MARK: COPY

    @Test func syncsWithinCopyAreVoid() {
        var script = AnswerScript()
        script.push(.execute)
        script.pushTerminator(.sync)
        script.pushTerminator(.sync)
        script.copyInReceived()
        #expect(!script.awaitsReady)
        #expect(script.hasOpenTokens)
        // The Sync behind the data.
        script.pushTerminator(.sync)
        _ = self.dropped(&script, "C")
        #expect(script.awaitsReady)
        _ = self.dropped(&script, "Z")
        #expect(script.isEmpty)
        #expect(!script.awaitsReady)
    }

    @Test func aCopyThatFailsHasOneSync() {
        var script = AnswerScript()
        script.push(.execute)
        script.pushTerminator(.sync)
        script.copyInReceived()
        #expect(script.errorReceived().sequence == 0)
        #expect(script.isSkipping)
        script.pushTerminator(.sync)
        _ = self.dropped(&script, "Z")
        #expect(script.isEmpty)
        #expect(!script.awaitsReady)
    }

    /// A query with two COPYs: the Sync was read within the first, or within the second.
    @Test func syncsWithinALaterCopyAreVoid() {
        var script = AnswerScript()
        script.pushTerminator(.query)
        for _ in 0..<2 {
            script.pushTerminator(.sync)
            let isAllVoid = script.copyInReceived()
            #expect(isAllVoid)
        }
        _ = self.dropped(&script, "CZ")
        #expect(script.isEmpty)
        #expect(!script.awaitsReady)
    }

    @Test func requestsBehindACopyAreTold() {
        var script = AnswerScript()
        script.push(.execute)
        script.pushTerminator(.sync)
        script.push(.bind)
        let isAllVoid = script.copyInReceived()
        #expect(!isAllVoid)
    }

    /// The client gets the answer to its own Sync, and nothing of the probe.
    @Test func whatComesBeforeTheAnswerToAProbeIsTheClients() {
        for (answers, dropped) in [("3Z", "3Z"), ("Z3Z", "3Z"), ("ZZ3Z", "3Z")] {
            var script = AnswerScript()
            script.pushProbe()
            script.push(.parse)
            script.pushTerminator(.sync)
            #expect(self.dropped(&script, answers) == dropped, "\(answers)")
            #expect(script.tokens[script.head].kind == .parse)
            #expect(self.dropped(&script, "1Z").isEmpty)
            #expect(script.isEmpty)
            #expect(!script.awaitsReady)
        }
    }

    /// A Sync went ahead of the probe: one ReadyForQuery is the gateway's own. Without another one the server has
    /// skipped up to that Sync, and the client has not sent it.
    @Test func behindASyncOfTheGatewaysOneReadyIsKeptBack() {
        for (answers, dropped, isSkipping) in [("Z3Z", "Z3Z", true), ("ZZ3Z", "Z3Z", false), ("ZZZ3Z", "Z3Z", false)] {
            var script = AnswerScript()
            script.pushProbe(isLed: true, maySkip: true)
            #expect(self.dropped(&script, answers) == dropped, "\(answers)")
            #expect(script.isEmpty)
            #expect(script.isSkipping == isSkipping, "\(answers)")
            #expect(!script.inquiry.isOpen)
        }
    }

    @Test func aQuestionIsForgottenWithItsTurn() {
        var script = AnswerScript()
        script.challengeSent(0x51)
        #expect(!script.isFresh)
        script.reset()
        #expect(script.isFresh)
    }

    // MARK: Bounds

    @Test func aClientWaitsWhenTooMuchIsUnderWay() {
        var script = AnswerScript()
        for _ in 0..<(AnswerScript.tokensMax - 1) { script.push(.parse) }
        #expect(!script.isFull)
        script.push(.parse)
        #expect(script.isFull)
        _ = self.dropped(&script, "1")
        #expect(!script.isFull)
    }

    /// However long a pipeline never runs dry, what was answered is let go, and sequence numbers stay right.
    @Test func answeredMessagesAreLetGo() {
        var script = AnswerScript()
        for number in 0..<50_000 {
            #expect(script.nextSequence == number)
            script.push(.parse)
            if number >= 10 { _ = self.dropped(&script, "1") }
        }
        #expect(script.tokens.count <= 4096 + 10)
        #expect(script.errorReceived().sequence == 49_990)
    }

    /// Nor do the texts of errors that were told, and the names in Binds that were answered.
    @Test func whatAnsweredMessagesNeededIsLetGo() {
        var script = AnswerScript()
        for number in 0..<20_000 {
            script.pushRefused(.describeStatement, error: Array("error \(number)".utf8))
            script.pushTerminator(.sync)
            let name = Array("name \(number)".utf8)
            script.pushBind(7, name: name.span)
            script.pushTerminator(.sync)
            guard number >= 10 else { continue }
            #expect(script.errorReceived().substitute == Array("error \(number - 10)".utf8))
            _ = self.dropped(&script, "Z")
            #expect(script.errorReceived().name == Array("name \(number - 10)".utf8))
            _ = self.dropped(&script, "Z")
        }
        #expect(script.texts.count <= 4096)
        #expect(script.names.count <= 64 * 1024)
    }

    @Test func aNewTurnBeginsWithNothing() {
        var script = AnswerScript()
        script.pushInjected([1])
        script.push(.parse, edit: .swallow)
        _ = script.errorReceived()
        script.push(.parse)
        let next = script.nextSequence
        script.reset()
        #expect(script.isEmpty)
        #expect(!script.isEditing)
        #expect(!script.isSkipping)
        #expect(!script.isUnflushed)
        #expect(!script.hasOpenTokens)
        #expect(script.nextSequence == next)
    }
}
