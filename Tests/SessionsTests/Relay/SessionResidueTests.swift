import PGWire
import Sessions
import Testing

@Suite struct SessionResidueTests {
    /// Residue after commands with these tags, as a server reports them.
    private func residue(_ tags: [String]) -> SessionResidue {
        var feed = BackendFeed()
        for tag in tags { feed.read(frame("C", bytes(tag) + [0])) }
        return feed.scanner.residue
    }

    @Test(arguments: [
        "SELECT 1", "INSERT 0 1", "BEGIN", "COMMIT", "ROLLBACK", "RESET", "COPY 3", "DEALLOCATE", "UNLISTEN",
        "DISCARD ALL", "DO", "SET CONSTRAINTS", "PREPARE TRANSACTION", "CLOSE CURSOR", "SETTING", "LISTENER", "",
    ])
    func mostTagsLeaveNothing(tag: String) {
        #expect(self.residue([tag]).isEmpty)
        #expect(self.residue([tag]).cleanup.isEmpty)
    }

    @Test func tagsArm() {
        #expect(self.residue(["SET"]).hasSettings)
        #expect(self.residue(["DECLARE CURSOR"]).hasCursors)
        #expect(self.residue(["PREPARE"]).hasStatements)
        #expect(self.residue(["LISTEN"]).hasListens)
        #expect(!self.residue(["SET"]).isEmpty)
    }

    @Test func tagsDisarm() {
        #expect(self.residue(["DECLARE CURSOR", "CLOSE CURSOR ALL"]).isEmpty)
        #expect(self.residue(["PREPARE", "DEALLOCATE ALL"]).isEmpty)
        #expect(self.residue(["SET", "LISTEN", "PREPARE", "DECLARE CURSOR", "DISCARD ALL"]).isEmpty)
        #expect(self.residue(["DISCARD ALL", "SET"]).hasSettings)
    }

    @Test func whatMayBePartialDisarmsNothing() {
        #expect(self.residue(["SET", "RESET"]).hasSettings)
        #expect(self.residue(["PREPARE", "DEALLOCATE"]).hasStatements)
        #expect(self.residue(["LISTEN", "UNLISTEN"]).hasListens)
        #expect(self.residue(["DECLARE CURSOR", "CLOSE CURSOR"]).hasCursors)
        #expect(self.residue(["SET", "CLOSE CURSOR ALL", "DEALLOCATE ALL"]).hasSettings)
    }

    @Test func cleanupDoesTheLeastThatIsNeeded() {
        #expect(self.residue(["SET"]).cleanup == ["RESET SESSION AUTHORIZATION;RESET ROLE;RESET ALL;"])
        #expect(self.residue(["DECLARE CURSOR"]).cleanup == ["CLOSE ALL;"])
        #expect(self.residue(["PREPARE", "LISTEN"]).cleanup == ["DEALLOCATE ALL;UNLISTEN *;"])
    }

    /// An error does not take back what a block did before it.
    @Test(arguments: [true, false])
    func aBlockInATextThatNobodyReadIsKnownByItsEnd(fails: Bool) {
        var feed = BackendFeed()
        feed.scanner.residue.note(StatementTraits.unread)
        feed.read(frame("C", bytes("INSERT 0 1") + [0]))
        #expect(feed.scanner.residue.isEmpty)
        feed.read(fails ? frame("E", bytes("SERROR") + [0, 0]) : frame("C", bytes("DO") + [0]))
        #expect(feed.scanner.residue.cleanup == ["CLOSE ALL;DEALLOCATE ALL;UNLISTEN *;"])
    }

    /// `DEALLOCATE ALL` may stand in front of the block, in the same text.
    @Test func noTagTellsThatWhatABlockLeftIsGone() {
        var residue = SessionResidue()
        residue.note(StatementTraits.hiddenStatements)
        residue.note(CommandTag.deallocateAll)
        residue.note(CommandTag.closeCursorAll)
        #expect(residue.cleanup == ["CLOSE ALL;DEALLOCATE ALL;"])
        residue.note(CommandTag.discardAll)
        #expect(residue.isEmpty)
    }

    /// The tag of SET LOCAL is that of SET.
    @Test func onlyTextsTellThatASetIsLocal() {
        var residue = SessionResidue()
        residue.hasOnlyLocalSets = true
        residue.note(CommandTag.set)
        #expect(residue.isEmpty)
        residue.note(StatementTraits.set)
        residue.note(CommandTag.set)
        #expect(residue.hasSettings)
    }

    @Test func replicationLeavesASessionThatNobodyKnows() {
        var feed = BackendFeed()
        feed.read(frame("W", [0, 0, 0]))
        #expect(feed.scanner.residue.isUnknowable)
        #expect(!feed.scanner.residue.isEmpty)
    }

    @Test func discardAllCannotCleanWhatIsUnknowable() {
        var residue = SessionResidue()
        residue.isUnknowable = true
        residue.note(CommandTag.discardAll)
        #expect(residue.isUnknowable)
    }
}
