import PGWire

/// The extended query protocol.
extension ConsoleSession {
    mutating func receivedSync() -> ConsoleStep {
        self.isSkippingToSync = false
        // Outside of a transaction block, Sync ends the implicit transaction and its portals with it.
        if self.status == .idle { self.portals.removeAll() }
        self.output.readyForQuery(self.status)
        return self.step(.receive)
    }

    mutating func receivedExtended(_ message: WireMessage) -> ConsoleStep {
        do throws(ConsoleError) {
            switch message.kind {
            case FrontendMessageKind.parse:
                try self.receivedParse(try ConsoleParseMessage(message.body))
            case FrontendMessageKind.bind:
                try self.receivedBind(try ConsoleBindMessage(message.body))
            case FrontendMessageKind.describe:
                try self.receivedDescribe(try ConsoleObjectMessage(message.body))
            case FrontendMessageKind.close:
                self.receivedClose(try ConsoleObjectMessage(message.body))
            default:
                if let request = try self.receivedExecute(try ConsoleExecuteMessage(message.body)) {
                    return self.step(.perform(request))
                }
            }
        } catch {
            self.failExtended(error.fields)
        }
        return self.step(.receive)
    }

    mutating func completedPortal(
        _ command: ConsoleCommand,
        name: String,
        maximumRows: Int,
        _ outcome: ConsoleOutcome
    ) -> ConsoleStep {
        let text = self.portals[name]?.text ?? command.name
        guard let answer = self.answer(to: command, outcome) else {
            self.note(text, outcome.sqlState)
            self.isSkippingToSync = true
            return self.step(outcome.endsConnection ? .close : .receive)
        }
        self.note(text)
        self.finish(name, answer, maximumRows: maximumRows)
        return self.step(.receive)
    }

    private mutating func failExtended(_ fields: ServerMessageFields) {
        self.fail(fields)
        self.isSkippingToSync = true
    }

    private mutating func receivedParse(_ message: ConsoleParseMessage) throws(ConsoleError) {
        do throws(ConsoleError) {
            try self.prepare(message)
        } catch {
            self.note(ConsoleNote.refusedText(ofQuery: message.query), error.sqlState)
            throw error
        }
    }

    private mutating func prepare(_ message: ConsoleParseMessage) throws(ConsoleError) {
        // The unnamed statement is replaced, even by one that fails.
        if message.name.isEmpty { self.statements[""] = nil }
        let texts = try ConsoleLexer.statements(of: message.query)
        guard texts.count <= 1 else {
            throw ConsoleError(.syntaxError, "cannot insert multiple commands into a prepared statement")
        }
        var statement: ConsoleStatement?
        if let tokens = texts.first {
            let parsed = try self.parser.parse(tokens)
            try self.checkAllowed(parsed)
            statement = parsed
        }
        guard self.statements[message.name] == nil else {
            throw ConsoleError(
                .duplicatePreparedStatement,
                "prepared statement \"\(message.name)\" already exists"
            )
        }
        guard self.statements.count < ConsoleLimits.preparedStatements else {
            throw .limit("more than \(ConsoleLimits.preparedStatements) prepared statements in one console session")
        }
        let text = texts.first.map { ConsoleNote.text($0) } ?? ""
        self.statements[message.name] = ConsolePrepared(statement: statement, text: text)
        self.output.parseComplete()
    }

    private mutating func receivedBind(_ message: ConsoleBindMessage) throws(ConsoleError) {
        guard let prepared = self.statements[message.statement] else { throw .noStatement(message.statement) }
        guard message.parameterFormatCount <= 1 || message.parameterFormatCount == message.parameterCount else {
            throw .protocolViolation(
                """
                bind message has \(message.parameterFormatCount) parameter formats \
                but \(message.parameterCount) parameters
                """
            )
        }
        guard message.parameterCount == 0 else {
            throw .protocolViolation(
                """
                bind message supplies \(message.parameterCount) parameters, \
                but prepared statement "\(message.statement)" requires 0
                """
            )
        }
        if let statement = prepared.statement { try self.checkAllowed(statement) }
        let portal = try ConsolePortal(prepared, requested: message.resultFormats)
        if message.portal.isEmpty { self.portals[""] = nil }
        guard self.portals[message.portal] == nil else {
            throw ConsoleError(.duplicateCursor, "portal \"\(message.portal)\" already exists")
        }
        guard self.portals.count < ConsoleLimits.portals else {
            throw .limit("more than \(ConsoleLimits.portals) portals in one console session")
        }
        self.portals[message.portal] = portal
        self.output.bindComplete()
    }

    private mutating func receivedDescribe(_ message: ConsoleObjectMessage) throws(ConsoleError) {
        switch message.object {
        case .statement:
            guard let prepared = self.statements[message.name] else { throw .noStatement(message.name) }
            if let statement = prepared.statement, !statement.columns.isEmpty { try self.checkAllowed(statement) }
            self.output.parameterDescription([])
            self.output.description(of: prepared.statement, formats: [])
        case .portal:
            guard let portal = self.portals[message.name] else { throw .noPortal(message.name) }
            self.output.description(of: portal.statement, formats: portal.formats)
        }
    }

    /// Closing what does not exist is no error.
    private mutating func receivedClose(_ message: ConsoleObjectMessage) {
        switch message.object {
        case .statement: self.statements.removeValue(forKey: message.name)
        case .portal: self.portals.removeValue(forKey: message.name)
        }
        self.output.closeComplete()
    }

    /// Returns the request that the gateway must answer first, if there is one.
    private mutating func receivedExecute(_ message: ConsoleExecuteMessage) throws(ConsoleError) -> ConsoleRequest? {
        guard let portal = self.portals[message.portal] else { throw .noPortal(message.portal) }
        guard let statement = portal.statement else {
            self.output.emptyQueryResponse()
            return nil
        }
        switch portal.progress {
        case .finished:
            throw ConsoleError(.objectNotInPrerequisiteState, "portal \"\(message.portal)\" cannot be run")
        case .rows(let table, let next):
            self.sendRows(of: message.portal, table, from: next, maximumRows: message.maximumRows, statement.tag)
        case .fresh:
            switch try self.executeNoting(statement, text: portal.text) {
            case .answered(let answer):
                self.finish(message.portal, answer, maximumRows: message.maximumRows)
            case .requested(let request, let command):
                self.pending = .portal(command, name: message.portal, maximumRows: message.maximumRows)
                return request
            }
        }
        return nil
    }

    /// What only the gateway can answer is noted when it has.
    private mutating func executeNoting(
        _ statement: ConsoleStatement,
        text: String
    ) throws(ConsoleError) -> ConsoleExecution {
        do throws(ConsoleError) {
            let execution = try self.execute(statement)
            if case .answered = execution { self.note(text) }
            return execution
        } catch {
            self.note(text, error.sqlState)
            throw error
        }
    }

    /// Sends the first rows of an answer, or just its tag.
    private mutating func finish(_ name: String, _ answer: ConsoleAnswer, maximumRows: Int) {
        guard let table = answer.table else {
            // The portal is gone when the statement ended a transaction.
            self.portals[name]?.progress = .finished
            return self.output.commandComplete(answer.tag)
        }
        self.sendRows(of: name, table, from: 0, maximumRows: maximumRows, answer.tag)
    }

    /// Suspends when the limit is reached, even if no row is left, as PostgreSQL does.
    private mutating func sendRows(
        of name: String,
        _ table: ConsoleTable,
        from start: Int,
        maximumRows: Int,
        _ tag: String
    ) {
        let left = table.rows.dropFirst(start)
        let batch = maximumRows > 0 ? left.prefix(maximumRows) : left
        let formats = self.portals[name]?.formats ?? []
        for row in batch { self.output.dataRow(row, formats: formats) }
        self.portals[name]?.progress = .rows(table, next: start + batch.count)
        if maximumRows > 0, batch.count == maximumRows {
            self.output.portalSuspended()
        } else {
            self.output.commandComplete(tag)
        }
    }
}
