package import PGWire

/// What a client left behind in a server's session, learnt from the tags of its commands, and the least that must be
/// run before another client may use that session.
///
/// The tags arm and disarm: `SET` arms, `DISCARD ALL` disarms everything but `isUnknowable`. `RESET` does not disarm:
/// its tag is the same for one parameter and for all. What hides inside functions (`set_config`) and blocks of code
/// leaves no tag.
package struct SessionResidue: Sendable, Equatable {
    package var hasSettings = false
    package var hasCursors = false
    package var hasStatements = false
    package var hasListens = false
    package var hasLocks = false
    package var hasTemporary = false
    /// The texts of the turn so far say that each SET among them is SET LOCAL or SET TRANSACTION; the tag is the same.
    package var hasOnlyLocalSets = false
    /// Something happened (replication) after which the session cannot be trusted to be clean.
    package var isUnknowable = false
    /// A block of code may have left statements and cursors, before or behind what the tags tell.
    private var hasHiddenStatements = false
    /// A text that nobody has looked into was sent: what a block in it may have done is told by the tag `DO`, or by the
    /// error that ended it.
    private var hasUnreadText = false

    package init() {}

    package var isEmpty: Bool {
        !(self.hasSettings || self.hasCursors || self.hasStatements || self.hasListens || self.hasLocks
            || self.hasTemporary || self.isUnknowable)
    }

    package mutating func note(_ tag: CommandTag) {
        switch tag {
        case .select, .other: return
        case .set: if !self.hasOnlyLocalSets { self.hasSettings = true }
        case .declareCursor: self.hasCursors = true
        case .closeCursorAll: self.hasCursors = self.hasHiddenStatements
        case .prepare: self.hasStatements = true
        case .deallocateAll: self.hasStatements = self.hasHiddenStatements
        case .listen: self.hasListens = true
        case .doBlock: if self.hasUnreadText { self.noteUnreadBlock() }
        case .discardAll:
            let isUnknowable = self.isUnknowable
            self = SessionResidue()
            self.isUnknowable = isUnknowable
        default: return
        }
    }

    /// What the text of a statement that was sent, or the number of a function that was called, says it may do. It
    /// leaves no tag of its own.
    package mutating func note(_ traits: StatementTraits) {
        if traits.contains(.setConfig) { self.hasSettings = true }
        if traits.contains(.set) { self.hasOnlyLocalSets = false }
        if traits.contains(.advisoryLock) { self.hasLocks = true }
        if traits.contains(.temporary) { self.hasTemporary = true }
        if traits.contains(.unread) { self.hasUnreadText = true }
        if traits.contains(.hiddenListen) { self.hasListens = true }
        if traits.contains(.hiddenStatements) { self.noteHiddenStatements() }
    }

    /// A block that fails takes back neither PREPARE nor DEALLOCATE.
    package mutating func noteError() {
        if self.hasUnreadText { self.noteUnreadBlock() }
    }

    private mutating func noteUnreadBlock() {
        self.noteHiddenStatements()
        self.hasListens = true
    }

    private mutating func noteHiddenStatements() {
        self.hasHiddenStatements = true
        self.hasStatements = true
        self.hasCursors = true
    }

    /// What cleans up, as simple queries of one or more statements; nothing when clean.
    package var cleanup: [String] {
        var statements: [String] = []
        var combined = ""
        if self.hasSettings { combined += "RESET SESSION AUTHORIZATION;RESET ROLE;RESET ALL;" }
        if self.hasCursors { combined += "CLOSE ALL;" }
        if self.hasStatements { combined += "DEALLOCATE ALL;" }
        if self.hasListens { combined += "UNLISTEN *;" }
        if self.hasTemporary { combined += "DISCARD TEMP;" }
        if self.hasLocks { combined += "SELECT pg_catalog.pg_advisory_unlock_all();" }
        if !combined.isEmpty { statements.append(combined) }
        return statements
    }
}
