import PGWire
@testable import Sessions
import Testing

/// Conversations that have gone wrong once, or nearly.
@Suite struct StatementTalkTests {
    /// The first difference between the gateway and PostgreSQL, each step sent in one go, in many orders of events.
    static func difference(
        _ steps: [(client: Int, talks: [Talk])],
        _ shape: MachineModel.Shape = MachineModel.Shape()
    ) -> String? {
        for pace in 0..<40 as Range<UInt64> {
            let model = MachineModel(shape)
            for (index, step) in steps.enumerated() {
                model.run(ModelStep(client: step.client, talks: step.talks, pace: pace &* 100 &+ UInt64(index)))
            }
            model.finish()
            if let falsehood = model.falsehood { return falsehood }
        }
        return nil
    }

    private func same(_ talks: [Talk], _ shape: MachineModel.Shape = MachineModel.Shape()) -> Bool {
        let difference = Self.difference([(0, talks)], shape)
        if let difference { Issue.record("\(difference)") }
        return difference == nil
    }

    /// The statement is another one by then: what was bound before must not be lost to an eviction.
    @Test func aStatementWithABindUnderWayIsEvictedBehindIt() {
        let shape = MachineModel.Shape(serverMax: 1)
        let both: [Talk] = [.parse("a", "select 1"), .parse("b", "select 2"), .sync]
        let uses: [Talk] = [.bind("", "a"), .bind("p", "b"), .execute(""), .bind("", "a"), .execute("p"), .execute("")]
        #expect(self.same(both + uses + [.sync] + uses + [.flush, .sync], shape))
    }

    @Test func anEvictionIsSkippedWithItsBatch() {
        let shape = MachineModel.Shape(serverMax: 1)
        let talks: [Talk] = [
            .parse("a", "select 1"), .sync, .bind("", "nobody"), .parse("b", "select 2"), .sync, .bind("", "a"),
            .execute(""), .parse("b", "select 3"), .bind("", "b"), .execute(""), .sync,
        ]
        #expect(self.same(talks, shape))
    }

    @Test func aNameIsPreparedAgainBehindItsClose() {
        let again: [Talk] = [.close(.statement, "a"), .parse("a", "select 2"), .bind("", "a"), .execute("")]
        #expect(self.same([.parse("a", "select 1")] + again + [.sync] + again + [.flush] + again + [.sync]))
    }

    @Test func aPreparedNameIsRefusedAndStays() {
        let talks: [Talk] = [
            .parse("a", "select 1"), .sync, .parse("a", "select 2"), .bind("", "a"), .sync, .bind("", "a"),
            .execute(""), .sync, .parse("a", "selekt"), .sync, .parse("", "select 3"), .parse("a", "select 2"), .sync,
            .bind("", ""), .sync,
        ]
        #expect(self.same(talks))
    }

    @Test func aFailedParseTakesTheUnnamedStatementAway() {
        for text in ["selekt", "select * from missing", "select 1; select 2"] {
            #expect(self.same([.parse("", "select 1"), .sync, .parse("", text), .sync, .bind("", ""), .sync]))
        }
    }

    @Test func aStatementIsPreparedBeforeItsTransactionFails() {
        let fail: [Talk] = [.query("begin"), .query("select 1/0")]
        let talks: [Talk] = [
            .parse("a", "select 1"), .sync, .query("select 1/0"), .bind("", "a"), .execute(""), .sync, .bind("", "b"),
            .sync,
        ]
        #expect(self.same(fail + talks + [.query("rollback")] + talks))
    }

    /// Whether a hit may be answered here depends on a transaction that nobody has told about yet.
    @Test func aHitInAFailedTransactionIsRefused() {
        let talks: [Talk] = [
            .parse("a", "select 1"), .sync, .query("begin"), .query("select 1/0"), .parse("b", "select 1"), .sync,
            .query("rollback"), .parse("b", "select 1"), .bind("", "b"), .execute(""), .sync,
        ]
        #expect(self.same(talks))
    }

    @Test func deallocationIsAnsweredInItsPlace() {
        let prepare: [Talk] = [.parse("a", "select 1"), .parse("b", "select 2"), .sync]
        let texts = [
            "deallocate a", "deallocate all", "select 1; deallocate a", "deallocate a; select 1/0", "discard all",
        ]
        for text in texts {
            let use: [Talk] = [.bind("", "a"), .sync, .bind("", "b"), .sync, .parse("a", "select 3"), .sync]
            #expect(self.same(prepare + [.query(text)] + use))
            let byPortal: [Talk] = [.parse("", text), .bind("", ""), .execute(""), .sync]
            if !text.contains(";") { #expect(self.same(prepare + byPortal + use)) }
        }
    }

    /// PostgreSQL tells the status behind messages that no Sync has ended.
    @Test func aDeallocationBehindTheEndOfATransactionHasTheRightStatus() {
        for end in ["commit", "rollback", "begin"] {
            let portal: [Talk] = [.parse("", end), .bind("", ""), .execute("")]
            let run = portal + [.query("deallocate a"), .bind("", "a"), .sync]
            #expect(self.same([.parse("a", "select 1"), .sync, .query("begin")] + run))
            #expect(self.same([.parse("a", "select 1"), .sync] + run))
        }
    }

    @Test func aPortalOfADeallocationEndsWithItsTransaction() {
        let bind: [Talk] = [.parse("a", "select 1"), .parse("d", "deallocate all"), .sync, .bind("", "d"), .sync]
        #expect(self.same(bind + [.execute(""), .sync, .bind("", "a"), .sync]))
        #expect(self.same([.query("begin")] + bind + [.execute(""), .execute(""), .sync, .execute(""), .sync]))
    }

    @Test func aHeldMessageIsFlushedFor() {
        #expect(self.same([.parse("a", "select 1"), .query("select 2"), .parse("b", "select 1"), .call]))
    }

    /// Each finds what it has prepared, whichever server it gets and whoever has prepared the same.
    @Test func clientsShareStatementsAndNotNames() {
        let shape = MachineModel.Shape(servers: 2, serverMax: 2, hashes: 1)
        var steps: [(client: Int, talks: [Talk])] = []
        for client in [0, 1, 2, 3] {
            let text = ["select 1", "select 2", "select * from place", "select * from place"][client]
            steps.append((client, [.parse("a", text), .sync]))
        }
        for round in 0..<3 {
            for client in 0..<4 {
                let use: [Talk] = [.describe(.statement, "a"), .bind("", "a"), .execute(""), .sync]
                steps.append((client, round == 1 ? [.query("begin")] + use + [.query("commit")] : use))
            }
        }
        let difference = Self.difference(steps, shape)
        #expect(difference == nil)
    }
}
