import PGWire
import Sessions
import Testing

/// The ledger against a reference server: random messages, random failures, random order of delivery.
@Suite struct AnswerLedgerModelTests {
    struct Outcome {
        var falsehood: String?
        var trace: [String] = []
        var steps = 0
        var releasable = 0
        var ambiguous = 0
    }

    /// One random conversation.
    private func converse(seed: UInt64, isWild: Bool, keepsTrace: Bool) -> Outcome {
        var random = SeededRandom(seed: seed)
        var source = AskSource(random: SeededRandom(seed: seed ^ 0xC0FFEE))
        let haste = [20, 50, 80][Int(seed % 3)]
        let politeness = [0, 30, 100][Int(seed / 3 % 3)]
        var model = LedgerModel(seed: seed, copyFailure: [0, 15, 50][Int(seed / 9 % 3)], keepsTrace: keepsTrace)
        var outcome = Outcome()
        var pending: ArraySlice<Ask> = []
        var requests = 0
        while requests < 12 || !pending.isEmpty || !model.isQuiet {
            outcome.steps += 1
            if pending.isEmpty, requests < 12 {
                if random.chance(politeness) { while !model.isQuiet, self.step(&model, &outcome) {} }
                if outcome.falsehood != nil { break }
                pending += isWild ? source.wild() : source.civil()
                requests += 1
            }
            if !pending.isEmpty, random.chance(haste) || model.isQuiet, let ask = pending.popFirst() {
                model.pass(ask)
                // Drivers flush to wait for the answers, unless more of the batch follows.
                if !isWild, ask == .flush, Self.isEnd(pending) {
                    while !model.isQuiet, self.step(&model, &outcome) {}
                    if outcome.falsehood != nil { break }
                }
            } else if random.chance(50) {
                _ = model.serve()
            } else {
                _ = model.deliver()
            }
            outcome.falsehood = model.falsehood()
            if outcome.falsehood != nil || model.server.isDead { break }
            if model.ledger.isReleasable { outcome.releasable += 1 }
            if model.ledger.isAmbiguous { outcome.ambiguous += 1 }
        }
        outcome.trace = model.trace
        return outcome
    }

    /// No extended message is next.
    private static func isEnd(_ pending: ArraySlice<Ask>) -> Bool {
        switch pending.first {
        case .prepare?, .execute?: false
        default: true
        }
    }

    private func step(_ model: inout LedgerModel, _ outcome: inout Outcome) -> Bool {
        if !model.serve(), !model.deliver() { return false }
        outcome.falsehood = model.falsehood()
        return outcome.falsehood == nil
    }

    private func check(_ seeds: Range<UInt64>, isWild: Bool) -> (releasable: Int, ambiguous: Int, steps: Int) {
        var sum = (releasable: 0, ambiguous: 0, steps: 0)
        var shortest: Outcome?
        for seed in seeds {
            let outcome = self.converse(seed: seed, isWild: isWild, keepsTrace: false)
            sum.releasable += outcome.releasable
            sum.ambiguous += outcome.ambiguous
            sum.steps += outcome.steps
            guard outcome.falsehood != nil, outcome.steps < shortest?.steps ?? .max else { continue }
            shortest = self.converse(seed: seed, isWild: isWild, keepsTrace: true)
        }
        if let shortest {
            Issue.record("\(shortest.falsehood ?? "")\n\(shortest.trace.joined(separator: "\n"))")
        }
        return sum
    }

    @Test func civilConversationsAreCountedRightly() {
        let sum = self.check(0..<5_000, isWild: false)
        // The test says something only while most of the time the ledger commits itself.
        #expect(sum.ambiguous * 4 < sum.steps)
        #expect(sum.releasable * 50 > sum.steps)
    }

    @Test func wildConversationsAreCountedRightly() {
        let sum = self.check(0..<5_000, isWild: true)
        #expect(sum.releasable > 0)
        #expect(sum.ambiguous > 0)
    }
}
