import PGWire

/// The simple query protocol.
extension ConsoleSession {
    mutating func receivedQuery(_ body: [UInt8]) -> ConsoleStep {
        // A Query message replaces the unnamed statement and portal.
        self.statements[""] = nil
        self.portals[""] = nil
        let statements: [[ConsoleToken]]
        do throws(ConsoleError) {
            statements = try Self.statements(inQuery: body)
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
        rest: ArraySlice<[ConsoleToken]>,
        _ outcome: ConsoleOutcome
    ) -> ConsoleStep {
        if let answer = self.answer(to: command, outcome) {
            self.send(answer)
            return self.run(rest)
        }
        if outcome.endsConnection { return self.step(.close) }
        return self.finishQuery()
    }

    /// Ends a Query or FunctionCall message.
    mutating func finishQuery() -> ConsoleStep {
        if self.status == .idle { self.portals.removeAll() }
        self.output.readyForQuery(self.status)
        return self.step(.receive)
    }

    private static func statements(inQuery body: [UInt8]) throws(ConsoleError) -> [[ConsoleToken]] {
        let text: String
        do throws(WireError) {
            var reader = ByteReader(body)
            text = try reader.cString()
            try reader.expectEnd()
        } catch {
            throw .broken(error)
        }
        let statements = try ConsoleLexer.statements(of: text)
        guard statements.count <= ConsoleLimits.statementsPerQuery else {
            throw .limit("more than \(ConsoleLimits.statementsPerQuery) statements in one query")
        }
        return statements
    }

    /// Executes statements up to the first that fails or that the gateway must answer.
    private mutating func run(_ statements: ArraySlice<[ConsoleToken]>) -> ConsoleStep {
        var rest = statements
        do throws(ConsoleError) {
            while let tokens = rest.popFirst() {
                switch try self.execute(try self.parser.parse(tokens)) {
                case .answered(let answer):
                    self.send(answer)
                case .requested(let request, let command):
                    self.pending = .query(command, rest: rest)
                    return self.step(.perform(request))
                }
            }
        } catch {
            self.fail(error.fields)
        }
        return self.finishQuery()
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
    /// True for a failure after which the connection is closed.
    var endsConnection: Bool {
        guard case .failure(let fields) = self else { return false }
        return fields.severity?.endsConnection ?? false
    }
}
