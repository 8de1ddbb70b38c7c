/// What the text of a Query or Parse contains that concerns session state. Found by `SQLScan`.
///
/// The traits say too much rather than too little: a text that PostgreSQL refuses may have any of them.
package struct StatementTraits: OptionSet, Hashable, Sendable {
    package let rawValue: UInt32

    package init(rawValue: UInt32) {
        self.rawValue = rawValue
    }

    /// `DEALLOCATE [PREPARE] name`; the names are in `SQLScan.deallocated`.
    package static let deallocate = StatementTraits(rawValue: 1 << 0)
    /// `DEALLOCATE [PREPARE] ALL`.
    package static let deallocateAll = StatementTraits(rawValue: 1 << 1)
    package static let discardAll = StatementTraits(rawValue: 1 << 2)
    /// `PREPARE name ... AS ...`, not `PREPARE TRANSACTION`.
    package static let prepare = StatementTraits(rawValue: 1 << 3)
    /// `EXECUTE name`, also behind `EXPLAIN` and `CREATE TABLE ... AS`.
    package static let execute = StatementTraits(rawValue: 1 << 4)
    /// The whole text is one `BEGIN [WORK|TRANSACTION]` or `START TRANSACTION` without options.
    package static let begin = StatementTraits(rawValue: 1 << 5)
    /// Names a function that takes an advisory lock for the session.
    package static let advisoryLock = StatementTraits(rawValue: 1 << 6)
    /// Names `set_config`.
    package static let setConfig = StatementTraits(rawValue: 1 << 7)
    /// Creates a temporary object, or names the schema `pg_temp`.
    package static let temporary = StatementTraits(rawValue: 1 << 8)
    package static let copy = StatementTraits(rawValue: 1 << 9)
    /// More than one statement; empty ones do not count.
    package static let multiple = StatementTraits(rawValue: 1 << 10)
    /// The text ends inside of a quote or a comment: PostgreSQL refuses all of it.
    package static let unfinished = StatementTraits(rawValue: 1 << 11)
    /// A `DEALLOCATE` names its statement by `U&"..."`, which is not decoded here.
    package static let unreadableName = StatementTraits(rawValue: 1 << 12)
    /// `SET`, but not `SET LOCAL` and `SET TRANSACTION`, which end with the transaction. Also where that cannot be told
    /// (`SQLScan.hidden`).
    package static let set = StatementTraits(rawValue: 1 << 13)
    /// `FETCH`: its columns are those of a cursor of that name, in the transaction in which it is prepared.
    package static let fetch = StatementTraits(rawValue: 1 << 14)
    /// A block of code that may make or end prepared statements, or leave cursors (`SQLScan.leftByBlock`).
    package static let hiddenStatements = StatementTraits(rawValue: 1 << 15)
    /// `RESET` of whatever; also where that cannot be told (`SQLScan.hidden`).
    package static let reset = StatementTraits(rawValue: 1 << 16)

    /// The text has not been looked into: a block in it is known by its tag alone.
    package static let unread = StatementTraits(rawValue: 1 << 17)

    /// A block of code that may listen.
    package static let hiddenListen = StatementTraits(rawValue: 1 << 18)

    /// What a text may do that nobody has looked into, as far as no tag tells of it.
    static let unseen: StatementTraits = [.set, .setConfig, .advisoryLock, .temporary, .unread]
    /// What a block of code may do that cannot be known by its words.
    static let leftByBlocks: StatementTraits = [
        .setConfig, .advisoryLock, .temporary, .hiddenStatements, .hiddenListen,
    ]
}
