import PGWire

/// The simple query protocol.
extension ConsoleSession {
    mutating func receivedQuery(_ body: [UInt8]) -> ConsoleStep {
        // A Query message replaces the unnamed statement and portal.
        self.statements[""] = nil
        self.portals[""] = nil
        let statements: [[ConsoleToken]]
        do throws(ConsoleError) {
            statements = try self.statements(inQuery: body)
        } catch {
            self.fail(error.fields)
            return self.finishQuery()
        }
        guard !statements.isEmpty else {
            self.output.emptyQueryResponse()
            return self.finishQuery()
        }
        return self.run(statements[...])
    }

    mutating func completedQuery(
        _ command: ConsoleCommand,
        text: String,
        rest: ArraySlice<[ConsoleToken]>,
        _ outcome: ConsoleOutcome
    ) -> ConsoleStep {
        if let answer = self.answer(to: command, outcome) {
            self.note(text)
            self.send(answer)
            return self.run(rest)
        }
        self.note(text, outcome.sqlState)
        if outcome.endsConnection { return self.step(.close) }
        return self.finishQuery()
    }

    /// Ends a Query or FunctionCall message.
    mutating func finishQuery() -> ConsoleStep {
        if self.status == .idle { self.portals.removeAll() }
        self.output.readyForQuery(self.status)
        return self.step(.receive)
    }

    private mutating func statements(inQuery body: [UInt8]) throws(ConsoleError) -> [[ConsoleToken]] {
        let text: String
        do throws(WireError) {
            var reader = ByteReader(body)
            text = try reader.cString()
            try reader.expectEnd()
        } catch {
            throw .broken(error)
        }
        do throws(ConsoleError) {
            let statements = try ConsoleLexer.statements(of: text)
            guard statements.count <= ConsoleLimits.statementsPerQuery else {
                throw .limit("more than \(ConsoleLimits.statementsPerQuery) statements in one query")
            }
            return statements
        } catch {
            self.note(ConsoleNote.refusedText(ofQuery: text), error.sqlState)
            throw error
        }
    }

    /// Executes statements up to the first that fails or that the gateway must answer.
    private mutating func run(_ statements: ArraySlice<[ConsoleToken]>) -> ConsoleStep {
        var rest = statements
        do throws(ConsoleError) {
            while let tokens = rest.popFirst() {
                switch try self.execute(tokens) {
                case .answered(let answer):
                    self.send(answer)
                case .requested(let request, let command):
                    self.pending = .query(command, text: ConsoleNote.text(tokens), rest: rest)
                    return self.step(.perform(request))
                }
            }
        } catch {
            self.fail(error.fields)
        }
        return self.finishQuery()
    }

    /// What only the gateway can answer is noted when it has.
    private mutating func execute(_ tokens: [ConsoleToken]) throws(ConsoleError) -> ConsoleExecution {
        var text = ConsoleNote.refusedText(tokens)
        do throws(ConsoleError) {
            let statement = try self.parser.parse(tokens)
            text = ConsoleNote.text(tokens)
            let execution = try self.execute(statement)
            if case .answered = execution { self.note(text) }
            return execution
        } catch {
            self.note(text, error.sqlState)
            throw error
        }
    }

    private mutating func send(_ answer: ConsoleAnswer) {
        if let table = answer.table {
            self.output.rowDescription(table.columns, formats: [])
            for row in table.rows { self.output.dataRow(row, formats: []) }
        }
        self.output.commandComplete(answer.tag)
    }
}

extension ConsoleOutcome {
    /// Of an outcome that is no answer to its command.
    var sqlState: SQLState {
        guard case .failure(let fields) = self else { return .internalError }
        return fields.sqlState ?? .internalError
    }

    /// True for a failure after which the connection is closed.
    var endsConnection: Bool {
        guard case .failure(let fields) = self else { return false }
        return fields.severity?.endsConnection ?? false
    }
}
