import PGWire

/// Simple queries: text that ends or makes prepared statements by SQL is dealt with here, everything else goes on.
extension BatchPass {
    /// Fails on every server, whatever its state.
    private static var probeQuery: [UInt8] { Array("DEALLOCATE \"pggateway_refused\"\0".utf8) }

    /// - Parameter body: the part of the body that is there; `isWhole` says whether that is all of it.
    mutating func query(
        _ bytes: borrowing Span<UInt8>,
        body: Range<Int>,
        isWhole: Bool,
        ledger: inout AnswerLedger
    ) -> Step {
        // Executed or skipped? That is known when everything before it was answered.
        if self.server.script.hasOpenTokens { return .hold }
        guard isWhole else {
            self.server.mustSettle = true
            self.mark(.unseen)
            return self.pass(ledger: &ledger)
        }
        let end = body.isEmpty || bytes[body.upperBound - 1] != 0 ? body.upperBound : body.upperBound - 1
        if SQLScan.isPlain(bytes, body.lowerBound..<end) { return self.pass(ledger: &ledger) }
        let scan = SQLScan(bytes, body.lowerBound..<end)
        let traits = scan.traits.union(SQLScan.hidden(bytes, body.lowerBound..<end))
        self.mark(traits)
        // What becomes of a message behind a COPY is known when the COPY has begun or is over.
        if traits.contains(.copy) { self.server.mustSettle = true }
        if traits.contains(.reset) { self.server.isResetting = true }
        if scan.traits.isDisjoint(with: [.prepare, .execute, .deallocate, .deallocateAll, .discardAll]) {
            return self.pass(ledger: &ledger)
        }
        // From here on the transaction status counts.
        if !self.server.script.isEmpty { return .hold }
        if !scan.traits.isDisjoint(with: [.prepare, .execute]) {
            return self.refuseQuery(StatementError.sqlPrepare, ledger: &ledger)
        }
        if scan.traits.contains(.unreadableName) {
            return self.refuseQuery(StatementError.unicodeName, ledger: &ledger)
        }
        if self.isFailed, !ledger.isUnsynced, scan.statementCount == 1 { return self.pass(ledger: &ledger) }
        return self.deallocate(bytes, body: body, scan, ledger: &ledger)
    }

    private mutating func deallocate(
        _ bytes: borrowing Span<UInt8>,
        body: Range<Int>,
        _ scan: SQLScan,
        ledger: inout AnswerLedger
    ) -> Step {
        if scan.deallocated.contains(where: { $0.starts(with: PreparedStatement.namePrefix) }) {
            return self.refuseQuery(StatementError.reservedName, ledger: &ledger)
        }
        // Behind extended messages without a Sync the status at the end is PostgreSQL's to tell. Within a transaction
        // there may be an unnamed portal, which a query takes away.
        if scan.statementCount == 1, !ledger.isUnsynced, ledger.isOutsideTransaction {
            if scan.traits.contains(.deallocateAll) {
                self.client.names.removeAll()
                return self.answerQuery("DEALLOCATE ALL", ledger: &ledger)
            }
            // PostgreSQL has a notice about names that are longer.
            if let name = scan.deallocated.first, name.count < StatementNames.significantBytes {
                guard self.client.names.find(name) != nil else { return self.pass(ledger: &ledger) }
                self.client.names.set(name, to: nil)
                return self.answerQuery("DEALLOCATE", ledger: &ledger)
            }
        }
        self.server.mustSettle = true
        if scan.deallocated.isEmpty { return self.pass(ledger: &ledger) }
        let hasCopy = scan.traits.contains(.copy)
        return self.lendNames(bytes, body: body, scan.deallocated, hasCopy: hasCopy, ledger: &ledger)
    }

    /// For the time of one query the server gets statements of the client's own names, for PostgreSQL to deallocate.
    private mutating func lendNames(
        _ bytes: borrowing Span<UInt8>,
        body: Range<Int>,
        _ names: [[UInt8]],
        hasCopy: Bool,
        ledger: inout AnswerLedger
    ) -> Step {
        let known = Set(names).filter { self.client.names.find($0) != nil }
        // Parse fails in a failed transaction, and what follows it is skipped. Elsewhere a Sync would end too much.
        if self.isFailed { self.sync(ledger: &ledger) }
        for name in known { self.lend(name) }
        // An error in what the server is lent (a name that its encoding does not have) would take the query with it.
        if !known.isEmpty, !ledger.isUnsynced { self.sync(ledger: &ledger) }
        self.server.deallocating = names
        _ = self.pass(ledger: &ledger)
        self.appendHeader(Frontend.query, bodyLength: body.count)
        self.append(bytes, body)
        if hasCopy {
            // Nothing but data may follow. What is not deallocated goes when the turn ends.
            self.server.lentCount += known.count
            return .done
        }
        for name in known {
            self.server.script.push(.close, edit: .hide)
            self.appendClose(name)
        }
        self.sync(ledger: &ledger)
        return .done
    }

    /// A Sync of the gateway's own.
    private mutating func sync(ledger: inout AnswerLedger) {
        ledger.extendedSent()
        ledger.syncSent()
        self.server.script.pushTerminator(.sync, edit: .swallow)
        self.append(kind: Frontend.sync, body: [])
    }

    /// PostgreSQL drops the unnamed statement and portal before it looks at the text.
    private mutating func pass(ledger: inout AnswerLedger) -> Step {
        self.dropUnnamed()
        ledger.batchAnswered()
        ledger.querySent()
        self.server.script.pushTerminator(.query)
        return .forward
    }

    private mutating func dropUnnamed() {
        if self.server.changes.isEmpty {
            self.client.unnamed = nil
            self.server.unnamed = .none
        } else {
            self.server.note(.unnamed, before: .statement(self.client.unnamed))
            self.client.unnamed = nil
            self.server.note(.serverUnnamed, before: .server(self.server.unnamed))
            self.server.unnamed = .none
        }
        if !self.client.portals.isEmpty { self.client.portals[[]] = nil }
    }

    private mutating func refuseQuery(_ error: ServerMessageFields, ledger: inout AnswerLedger) -> Step {
        self.dropUnnamed()
        ledger.batchAnswered()
        ledger.querySent()
        self.append(kind: Frontend.query, body: Self.probeQuery)
        self.server.script.pushRefused(.query, error: StatementError.encoded(error))
        return .done
    }

    /// Answers a query here: nothing is under way, and there is no transaction.
    private mutating func answerQuery(_ tag: String, ledger: inout AnswerLedger) -> Step {
        ledger.queryAnsweredHere()
        self.client.unnamed = nil
        var writer = MessageWriter()
        writer.commandComplete(tag)
        writer.readyForQuery(ledger.status)
        self.server.script.pushInjected(writer.bytes)
        return .answer
    }
}
