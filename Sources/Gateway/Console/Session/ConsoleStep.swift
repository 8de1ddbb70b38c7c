package import PGWire

/// What the caller does after one step of a console session: send `bytes` (may be empty), then what `next` says.
/// Immutable.
package struct ConsoleStep: Equatable, Sendable {
    package enum Next: Equatable, Sendable {
        /// Pass the next message.
        case receive
        /// Do this, then call `complete(_:)`. Until then no message is passed.
        case perform(ConsoleRequest)
        /// Close the connection.
        case close
    }

    package let bytes: [UInt8]
    package let next: Next
}

/// How a request ended. Immutable.
package enum ConsoleOutcome: Sendable {
    /// The rows that a command with columns returns.
    case table(ConsoleTable)
    /// Success of a command without columns.
    case done
    /// Refused or failed. The severity should be ERROR; after FATAL the connection is closed.
    case failure(ServerMessageFields)

    package static func rows<Row: ConsoleRow>(_ rows: [Row]) -> Self {
        .table(ConsoleTable(rows))
    }
}

/// What a console client may use up.
package enum ConsoleLimits {
    /// Largest message body, in bytes: for the message assembler of the connection.
    package static let messageBytes = 65_536
    /// Prepared statements of one session, the unnamed one included.
    package static let preparedStatements = 64
    /// Portals of one session, the unnamed one included.
    package static let portals = 64
    /// Savepoints of one transaction; several of one name in a row count as one.
    package static let savepoints = 64
    /// Statements in one Query message.
    package static let statementsPerQuery = 64
}
