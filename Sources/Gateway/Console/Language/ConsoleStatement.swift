/// One statement that the console understands. Immutable.
enum ConsoleStatement: Sendable {
    /// An entry of the command table.
    case command(ConsoleCommand)
    /// A transaction command. There is nothing to commit: only the status that ReadyForQuery reports changes.
    case transaction(ConsoleTransaction, tag: String)
    /// A client setting and the like: answered with the tag, without effect.
    case accepted(tag: String)
    /// Forgets prepared statements.
    case forget(Forgotten, tag: String)
    /// A question with a fixed answer.
    case constant(ConsoleTable, tag: String)

    enum Forgotten: Hashable, Sendable {
        /// `DISCARD ALL`, which PostgreSQL refuses inside a transaction block.
        case everything
        case allStatements
        case statement(String)
    }

    /// The columns of the answer, known before it is executed; empty when it has no rows.
    var columns: [ConsoleColumn] {
        switch self {
        case .command(let command): command.columns
        case .constant(let table, tag: _): table.columns
        case .transaction, .accepted, .forget: []
        }
    }

    /// What CommandComplete says.
    var tag: String {
        switch self {
        case .command(let command): command.tag
        case .transaction(_, let tag), .accepted(let tag), .forget(_, let tag), .constant(_, let tag): tag
        }
    }

    /// True for what PostgreSQL allows in a failed transaction.
    var endsTransaction: Bool {
        switch self {
        case .transaction(.commit(_), tag: _), .transaction(.rollback(_), tag: _), .transaction(.rollbackTo(_), tag: _):
            true
        case .transaction, .command, .accepted, .forget, .constant: false
        }
    }
}

/// What a transaction command does. Immutable.
enum ConsoleTransaction: Hashable, Sendable {
    case begin
    /// `chains`: the next transaction begins at once.
    case commit(chains: Bool)
    case rollback(chains: Bool)
    case savepoint(String)
    case release(String)
    case rollbackTo(String)
}
