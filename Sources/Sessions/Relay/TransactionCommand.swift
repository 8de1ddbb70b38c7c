package import PGWire

/// A simple query that does nothing but begin or end a transaction, in one of the plain forms that can be answered
/// without a server.
package enum TransactionCommand: Sendable, Equatable {
    /// `BEGIN`, `BEGIN TRANSACTION`, with a semicolon or without.
    case begin
    /// `START TRANSACTION`, with a semicolon or without.
    case startTransaction
    /// `COMMIT`, `END`, with a semicolon or without.
    case commit
    /// `ROLLBACK`, `ABORT`, with a semicolon or without.
    case rollback

    package var begins: Bool { self == .begin || self == .startTransaction }

    /// The whole Query message at `offset`, whose header is `header`; nil for any other query, and for one that is not
    /// whole. Letters of any case; blanks, comments and options make it another query.
    package init?(_ bytes: borrowing Span<UInt8>, at offset: Int, _ header: MessageHeader) {
        // The longest of the texts, its zero byte, and the shortest.
        guard header.bodyLength <= 19, header.bodyLength >= 4, header.wireLength <= bytes.count &- offset,
            bytes[offset &+ header.wireLength &- 1] == 0
        else { return nil }
        let text = SQLWord(start: offset &+ MessageHeader.size, count: header.bodyLength &- 1)
        switch text.count {
        case 5 where text.equals(bytes, "begin"), 6 where text.equals(bytes, "begin;"),
            17 where text.equals(bytes, "begin transaction"), 18 where text.equals(bytes, "begin transaction;"):
            self = .begin
        case 17 where text.equals(bytes, "start transaction"), 18 where text.equals(bytes, "start transaction;"):
            self = .startTransaction
        case 6 where text.equals(bytes, "commit"), 7 where text.equals(bytes, "commit;"),
            3 where text.equals(bytes, "end"), 4 where text.equals(bytes, "end;"):
            self = .commit
        case 8 where text.equals(bytes, "rollback"), 9 where text.equals(bytes, "rollback;"),
            5 where text.equals(bytes, "abort"), 6 where text.equals(bytes, "abort;"):
            self = .rollback
        default: return nil
        }
    }

    /// What PostgreSQL answers where the command has its plain meaning: the beginning outside of a transaction, the end
    /// in one that has not failed.
    package var answer: [UInt8] {
        switch self {
        case .begin: Self.begun
        case .startTransaction: Self.started
        case .commit: Self.committed
        case .rollback: Self.rolledBack
        }
    }

    /// The Query message that stands for the command.
    package var message: [UInt8] {
        switch self {
        case .begin: Self.beginMessage
        case .startTransaction: Self.startMessage
        case .commit: Self.commitMessage
        case .rollback: Self.rollbackMessage
        }
    }

    // Made once: nothing is allocated when a client sends one.
    private static let begun = Self.answer("BEGIN", .inTransaction)
    private static let started = Self.answer("START TRANSACTION", .inTransaction)
    private static let committed = Self.answer("COMMIT", .idle)
    private static let rolledBack = Self.answer("ROLLBACK", .idle)
    private static let beginMessage = Self.message("BEGIN")
    private static let startMessage = Self.message("START TRANSACTION")
    private static let commitMessage = Self.message("COMMIT")
    private static let rollbackMessage = Self.message("ROLLBACK")

    private static func answer(_ tag: String, _ status: TransactionStatus) -> [UInt8] {
        var writer = MessageWriter()
        writer.commandComplete(tag)
        writer.readyForQuery(status)
        return writer.bytes
    }

    private static func message(_ text: String) -> [UInt8] {
        var writer = MessageWriter()
        writer.query(text)
        return writer.bytes
    }
}
