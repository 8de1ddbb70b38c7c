@testable import Sessions
import PGWire
import Testing

/// What the random conversations have found.
@Suite struct FoundTalksTests {
    private func check(_ talks: [Talk]) {
        let difference = StatementTalkTests.difference([(0, talks)])
        #expect(difference == nil)
    }

    @Test func aRefusedQueryDropsTheUnnamedStatement() {
        let model = MachineModel(MachineModel.Shape())
        // The words of the refusal are the gateway's: only what follows is compared.
        model.run(ModelStep(client: 0, talks: [.parse("", "select 1"), .sync], pace: 3))
        model.move(.max)
        let client = model.client(0)
        client.wire = Talk.query("prepare x as select 1").bytes
        model.move(.max)
        #expect(client.statements.unnamed == nil)
    }

    @Test func rollbackAndDeallocateInOneQuery() {
        self.check([
            .parse("a", "select 1"), .sync, .query("begin"), .query("select 1/0"), .query("rollback; deallocate a"),
            .parse("a", "select 2"), .sync,
        ])
    }

    @Test func commitAndDeallocateAllInOneQuery() {
        self.check([
            .query("begin"), .query("select 1/0"), .query("commit; deallocate all"), .parse("a", "select 1"), .sync,
        ])
    }

    @Test func deallocateByPortalBehindTheEndOfAFailedTransaction() {
        self.check([
            .query("begin"), .query("select 1/0"), .parse("", "rollback"), .bind("", ""), .execute(""),
            .parse("A", "deallocate \"A\""), .bind("", "A"), .execute(""), .sync,
        ])
    }

    /// What was lent cannot be closed right behind the query, for PostgreSQL reads data there.
    @Test func deallocateAndCopyInOneQuery() {
        for text in ["deallocate a; copy t from stdin", "deallocate nobody; copy t from stdin"] {
            self.check([
                .parse("a", "select 1"), .sync, .query(text), .copyData("1"), .copyDone, .bind("", "a"), .execute(""),
                .sync, .parse("a", "select 2"), .sync, .query("deallocate a"), .bind("", "a"), .sync,
            ])
        }
    }

    @Test func aDeallocationTakesTheUnnamedPortal() {
        self.check([
            .parse("a", "values (1),(2),(3)"), .sync, .query("begin"), .bind("", "a"), .execute("", 1), .sync,
            .query("deallocate a"), .execute("", 1), .sync,
        ])
    }
}
