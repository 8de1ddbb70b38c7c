import Foundation
import PGWire
@testable import Sessions
import Testing

/// COPY FROM STDIN with everything behind it that a client may send, without waiting for anything: by Query and by
/// Execute, with a Sync behind that and without, in a transaction block and outside; the COPY fails at once, when it
/// has read so much (a Sync counts), at its end, or not at all. Each client sees what PostgreSQL says without a
/// gateway.
///
/// `COPY_MODEL_LENGTH` (default 2) says how many messages follow.
@Suite struct CopyTalkTests {
    private static let length =
        ProcessInfo.processInfo.environment["COPY_MODEL_LENGTH"].flatMap { Int($0) } ?? 2
    private static let paces = 0..<4 as Range<UInt64>
    private static let texts = ["t", "late", "trapped 0", "trapped 1", "trapped 2"].map { "copy \($0) from stdin" }
    private static let alphabet: [Talk] = [
        .sync, .flush, .copyData("bad"), .copyDone, .copyFail, .query("select 2"), .query("select 1/0"),
        .parse("a", "select 1"), .close(.statement, "a"), .execute(""), .call,
    ]

    private static func copies(_ text: String) -> [[Talk]] {
        let execute: [Talk] = [.parse("", text), .bind("", ""), .execute("")]
        return [[.query(text)], execute, execute + [.sync]]
    }

    /// The first difference, and everything that is due has come.
    private static func difference(_ talks: [Talk], pace: UInt64) -> String? {
        let model = MachineModel(MachineModel.Shape())
        // A statement that the server has: the next Parse of it is answered by the gateway.
        model.run(ModelStep(client: 0, talks: [.parse("b", "select 1"), .sync], pace: pace))
        model.move(.max)
        model.run(ModelStep(client: 0, talks: talks, pace: pace))
        model.move(.max)
        if model.falsehood == nil, let client = model.clients[0] {
            if client.compared < client.direct.flushed { return "answers are missing: \(model.missing(client))" }
            if client.server?.ledger.isLost == true { return "the ledger has lost the count" }
        }
        model.finish()
        return model.falsehood
    }

    private static func check(_ talks: [Talk]) -> Bool {
        for pace in self.paces {
            guard let difference = self.difference(talks, pace: pace) else { continue }
            Issue.record("\(difference), pace \(pace):\n\(talks.map { "    \($0)" }.joined(separator: "\n"))")
            return false
        }
        return true
    }

    /// All sequences of so many messages.
    private static func tails(_ length: Int) -> [[Talk]] {
        var tails: [[Talk]] = [[]]
        for _ in 0..<length { tails = tails.flatMap { tail in self.alphabet.map { tail + [$0] } } }
        return tails
    }

    @Test func clientsSeeNoDifference() {
        for length in 0...Self.length {
            for tail in Self.tails(length) {
                for copy in Self.texts.flatMap(Self.copies) {
                    guard Self.check(copy + tail + [.sync]) else { return }
                }
            }
        }
    }

    @Test func norInATransactionBlock() {
        for tail in Self.tails(1) {
            for copy in Self.texts.flatMap(Self.copies) {
                let rollback: [Talk] = [.sync, .query("rollback"), .parse("c", "select 1"), .sync]
                guard Self.check([.query("begin")] + copy + tail + rollback) else { return }
            }
        }
    }

    /// Found by random programs against PostgreSQL.
    @Test func whatDriversPipeline() {
        let text = "copy trapped 0 from stdin"
        let copy: [Talk] = [.parse("", text), .bind("", ""), .execute(""), .sync]
        let select: [Talk] = [.close(.statement, "a"), .parse("a", "select 1"), .bind("", "a"), .execute(""), .sync]
        for end in [Talk.copyFail, .copyDone] {
            #expect(Self.check(copy + [end, .sync] + select + copy + [.copyData("1"), end, .sync] + select))
            #expect(Self.check(copy + [.copyData("1"), end, .query(""), .sync] + select))
        }
    }
}
