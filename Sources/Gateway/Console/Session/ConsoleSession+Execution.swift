import PGWire

/// The answer to one statement that succeeded. Immutable.
struct ConsoleAnswer: Sendable {
    /// nil when the statement has no columns.
    let table: ConsoleTable?
    let tag: String
}

/// What comes of executing a statement.
enum ConsoleExecution: Sendable {
    case answered(ConsoleAnswer)
    /// Only the gateway can tell.
    case requested(ConsoleRequest, ConsoleCommand)
}

/// The meaning of statements, the same for both query protocols.
extension ConsoleSession {
    mutating func execute(_ statement: ConsoleStatement) throws(ConsoleError) -> ConsoleExecution {
        try self.checkAllowed(statement)
        switch statement {
        case .command(let command):
            return self.execute(command)
        case .transaction(let transaction, let tag):
            return .answered(ConsoleAnswer(table: nil, tag: try self.apply(transaction, tag: tag)))
        case .accepted(let tag):
            return .answered(ConsoleAnswer(table: nil, tag: tag))
        case .forget(let forgotten, let tag):
            try self.forget(forgotten, tag: tag)
            return .answered(ConsoleAnswer(table: nil, tag: tag))
        case .constant(let table, let tag):
            return .answered(ConsoleAnswer(table: table, tag: tag))
        }
    }

    /// - Throws: 25P02 for anything but the end of a failed transaction.
    func checkAllowed(_ statement: ConsoleStatement) throws(ConsoleError) {
        guard self.status != .failed || statement.endsTransaction else { throw .failedTransaction }
    }

    /// The answer that an outcome stands for; nil with an error reported.
    mutating func answer(to command: ConsoleCommand, _ outcome: ConsoleOutcome) -> ConsoleAnswer? {
        switch outcome {
        case .table(let table) where table.columns == command.columns:
            return ConsoleAnswer(table: command.rowLimit.map { table.prefix($0) } ?? table, tag: command.tag)
        case .done where command.columns.isEmpty:
            return ConsoleAnswer(table: nil, tag: command.tag)
        case .table, .done:
            self.fail(ConsoleError(.internalError, "the answer to \(command.name) does not have its columns").fields)
        case .failure(var fields):
            if fields.severity == nil { fields.severity = .error }
            self.fail(fields)
        }
        return nil
    }

    private func execute(_ command: ConsoleCommand) -> ConsoleExecution {
        switch command.answer {
        case .help:
            .answered(ConsoleAnswer(table: ConsoleTable(HelpRow.rows), tag: command.tag))
        case .version:
            .answered(
                ConsoleAnswer(
                    table: ConsoleTable([VersionRow(version: self.parser.facts.product)]),
                    tag: command.tag
                )
            )
        case .request(let request):
            .requested(request, command)
        }
    }

    /// Changes the status as PostgreSQL does and returns the tag, which differs when a failed transaction is committed.
    private mutating func apply(_ transaction: ConsoleTransaction, tag: String) throws(ConsoleError) -> String {
        switch transaction {
        case .begin:
            if self.status == .inTransaction {
                self.warn(.activeTransaction, "there is already a transaction in progress")
            }
            self.status = .inTransaction
            return tag
        case .commit(let chains), .rollback(let chains):
            return try self.endTransaction(chains: chains, tag: tag)
        case .savepoint(let name):
            guard self.status != .idle else { throw .outsideTransaction("SAVEPOINT") }
            try self.savepoints.set(name)
            return tag
        case .release(let name):
            guard self.status != .idle else { throw .outsideTransaction("RELEASE SAVEPOINT") }
            try self.savepoints.release(name)
            return tag
        case .rollbackTo(let name):
            guard self.status != .idle else { throw .outsideTransaction("ROLLBACK TO SAVEPOINT") }
            try self.savepoints.rollBack(to: name)
            self.status = .inTransaction
            return tag
        }
    }

    private mutating func endTransaction(chains: Bool, tag: String) throws(ConsoleError) -> String {
        let before = self.status
        if before == .idle {
            if chains { throw .outsideTransaction("\(tag) AND CHAIN") }
            self.warn(.noActiveTransaction, "there is no transaction in progress")
        }
        self.status = chains ? .inTransaction : .idle
        self.portals.removeAll()
        self.savepoints.removeAll()
        return before == .failed ? "ROLLBACK" : tag
    }

    private mutating func forget(_ forgotten: ConsoleStatement.Forgotten, tag: String) throws(ConsoleError) {
        switch forgotten {
        case .everything:
            guard self.status == .idle else { throw .insideTransaction(tag) }
            self.statements.removeAll()
        case .allStatements:
            self.statements.removeAll()
        case .statement(let name):
            guard self.statements.removeValue(forKey: name) != nil else { throw .noStatement(name) }
        }
    }

    private mutating func warn(_ sqlState: SQLState, _ message: String) {
        self.output.noticeResponse(ServerMessageFields(severity: .warning, sqlState: sqlState, message: message))
    }
}
