import PGWire
import Sessions

/// A client, a gateway's ledger and a reference server with two pipes between them. Every step moves one message, in
/// any order that pipes allow; after each one the ledger's claims are compared with the truth.
struct LedgerModel {
    var ledger = AnswerLedger()
    private(set) var server: ReferenceServer
    /// Passed on by the gateway, not yet read by the server.
    private var asked: ArraySlice<Ask> = []
    /// Sent by the server, not yet seen by the gateway.
    private var answered: ArraySlice<Answer> = []
    private(set) var trace: [String] = []
    private let keepsTrace: Bool

    init(seed: UInt64, copyFailure: Int = 25, keepsTrace: Bool = true) {
        self.server = ReferenceServer(seed: seed, copyFailure: copyFailure)
        self.keepsTrace = keepsTrace
    }

    var isQuiet: Bool { self.asked.isEmpty && self.answered.isEmpty }

    mutating func pass(_ ask: Ask) {
        if self.keepsTrace { self.trace.append("-> \(ask)") }
        switch ask {
        case .query: self.ledger.querySent()
        case .prepare, .execute: self.ledger.extendedSent()
        case .sync: self.ledger.syncSent()
        case .copyDone, .copyFail: self.ledger.copyEndSent()
        case .flush, .copyData: break
        }
        self.asked.append(ask)
    }

    /// The server reads one message. False when there is none.
    mutating func serve() -> Bool {
        guard let ask = self.asked.popFirst() else { return false }
        let answers = self.server.receive(ask)
        if self.keepsTrace { self.trace.append("   server reads \(ask): \(answers)") }
        self.answered += answers
        return true
    }

    /// The gateway sees one answer. False when there is none.
    mutating func deliver() -> Bool {
        guard let answer = self.answered.popFirst() else { return false }
        if self.keepsTrace { self.trace.append("<- \(answer)") }
        switch answer {
        case .copyIn: self.ledger.copyInReceived()
        case .error: self.ledger.errorReceived()
        case .complete: self.ledger.completionReceived()
        case .prepared: if self.ledger.isDoubtful { self.ledger.answerReceived() }
        case .ready(let inBlock, let failed):
            self.ledger.readyReceived(failed ? .failed : inBlock ? .inTransaction : .idle)
        case .notice, .fatal: break
        }
        return true
    }

    mutating func drain() {
        while self.serve() {}
        while self.deliver() {}
    }

    /// What the ledger claims wrongly at this moment; nil when nothing.
    func falsehood() -> String? {
        if self.server.isDead || self.answered.contains(.fatal) { return nil }
        if self.ledger.isReleasable {
            var future = self
            while future.serve() {}
            if !future.answered.isEmpty { return "releasable although answers are due: \(future.answered)" }
            if !future.server.isIdle { return "releasable although the server is not idle" }
            if future.server.isInBlock { return "releasable within a transaction" }
        }
        if self.isQuiet, self.server.isIdle, !self.ledger.isAmbiguous {
            if !self.ledger.isSettled { return "not settled although everything is done" }
            if self.ledger.isReleasable == self.server.isInBlock { return "wrong transaction status" }
            if self.ledger.owedCount != 0 { return "owes \(self.ledger.owedCount)" }
        }
        return nil
    }
}

/// Sequences of client messages.
struct AskSource {
    var random: SeededRandom

    private mutating func command() -> Command {
        switch Int.random(in: 0..<20, using: &self.random) {
        case 0..<8: .plain
        case 8..<10: .failing
        case 10..<12: .begin
        case 12..<14: .commit
        default: .copyIn
        }
    }

    /// Any message at all.
    mutating func wild() -> [Ask] {
        switch Int.random(in: 0..<16, using: &self.random) {
        case 0..<2: [.query((0..<Int.random(in: 0...2, using: &self.random)).map { _ in self.command() })]
        case 2: [.prepare(fails: self.random.chance(20))]
        case 3..<6: [.execute(self.command())]
        case 6..<10: [.sync]
        case 10: [.flush]
        case 11: [.copyData]
        case 12..<15: [.copyDone]
        default: [.copyFail]
        }
    }

    /// What drivers send: requests in one piece, COPY data with an end, an occasional Sync or CopyDone too many.
    mutating func civil() -> [Ask] {
        switch Int.random(in: 0..<15, using: &self.random) {
        case 0: return [.query([])]
        case 1: return [.query([self.command(), self.command()])] + self.copyTail(20)
        case 2: return [.query([.copyIn])] + self.copyTail(90)
        case 3: return [.query([.copyIn, .copyIn])] + self.copyTail(90) + self.copyTail(90)
        case 4, 5: return self.batch(.copyIn) + self.maybeSync(70) + self.copyTail(90) + [.sync]
        case 6, 7: return self.batch(self.command()) + [.sync]
        case 8: return self.batch(self.command()) + [.flush] + self.batch(self.command()) + [.sync]
        case 9: return self.batch(self.command()) + self.copyTail(60) + self.maybeSync(80)
        case 10: return [.sync]
        case 11: return self.copyTail(70)
        case 12: return [.flush]
        case 13: return [.prepare(fails: false), .prepare(fails: false), .flush, .query([self.command()]), .flush]
        default: return [.query([self.command()])]
        }
    }

    private mutating func batch(_ command: Command) -> [Ask] {
        [.prepare(fails: self.random.chance(10)), .prepare(fails: false), .execute(command)]
    }

    private mutating func maybeSync(_ percent: Int) -> [Ask] { self.random.chance(percent) ? [.sync] : [] }

    private mutating func copyTail(_ percent: Int) -> [Ask] {
        guard self.random.chance(percent) else { return [] }
        let data = Array(repeating: Ask.copyData, count: Int.random(in: 0...2, using: &self.random))
        return data + [self.random.chance(80) ? .copyDone : .copyFail] + self.maybeSync(15)
    }
}
