import PGWire
import Reactor
import Sessions

/// The way of a server's answers where prepared statements are shared: as `relay`, with the answers that the client is
/// not to see taken out and those of the gateway put in.
extension ServerConnection {
    /// What of the present chunk goes to the client: bytes as they are from `start` on, behind those in `out`.
    private struct Passage {
        var start: Int
        var out: [UInt8]

        mutating func keep(_ bytes: borrowing Span<UInt8>, to end: Int) {
            if self.start < end {
                let part = bytes.extracting(self.start..<end)
                unsafe part.withUnsafeBufferPointer { unsafe self.out.append(contentsOf: $0) }
            }
            self.start = end
        }
    }

    func relayScripted(
        _ bytes: Span<UInt8>,
        from start: Int,
        to client: ClientConnection,
        _ statements: ServerStatements
    ) -> Int {
        var passage = Passage(start: start, out: self.home.takeScratch())
        var offset = start
        var isInvalid = false
        scan: while true {
            let scan = self.scanner.scan(
                bytes,
                from: offset,
                stopsAtReady: self.pool.isStatementMode,
                ledger: &self.ledger,
                statements: statements,
                client: client.statements
            )
            let kept = offset + scan.kept
            offset += scan.taken
            switch scan.stop {
            case .none: break scan
            case .invalid:
                isInvalid = true
                break scan
            case .parameterStatus:
                if client.withholdsReport(bytes, body: scan.body, behind: offset, of: self) {
                    passage.keep(bytes, to: scan.body.lowerBound - MessageHeader.size)
                    passage.start = offset
                } else {
                    client.noteReport(bytes, body: scan.body)
                }
            case .injected:
                passage.keep(bytes, to: kept)
                statements.takeInjected(into: &passage.out)
            case .dropped:
                passage.keep(bytes, to: kept)
                passage.start = offset
            case .error:
                let isCountable = self.takeError(bytes, scan.body, from: kept, to: offset, &passage, client, statements)
                guard isCountable else { return bytes.count }
            case .ready:
                if self.ledger.isOutsideTransaction { continue scan }
                self.turn.receivedBytes &+= UInt64(offset - start)
                self.refuseBlock(bytes, at: offset, &passage, client)
                return bytes.count
            }
        }
        if statements.isInjectionNext, self.scanner.isAtBoundary {
            passage.keep(bytes, to: offset)
            statements.takeInjected(into: &passage.out)
        }
        self.turn.receivedBytes &+= UInt64(offset - start)
        self.pass(bytes, &passage, to: offset, client)
        self.expect(self.scanner.bytesToCome)
        if isInvalid {
            self.brokenStream()
        } else {
            if self.noteEndOfChunk(at: offset, of: bytes) { client.serverSettled() }
            client.answersCame()
            if client.isTerminating { client.terminateIfSettled() }
        }
        return offset
    }

    /// The client gets the error at `start..<end`, or what stands for it, or nothing. False when that was the last it
    /// hears.
    private func takeError(
        _ bytes: Span<UInt8>,
        _ body: Range<Int>,
        from start: Int,
        to end: Int,
        _ passage: inout Passage,
        _ client: ClientConnection,
        _ statements: ServerStatements
    ) -> Bool {
        if self.withholdFarewell(bytes, body: body) {
            passage.keep(bytes, to: start)
            passage.start = end
            return true
        }
        let verdict = self.judge(bytes, body: body, client, statements)
        if let substitute = verdict.substitute {
            passage.keep(bytes, to: start)
            passage.out += substitute
            passage.start = end
        }
        if !verdict.isUncountable { return true }
        passage.keep(bytes, to: end)
        client.send(passage.out)
        self.home.giveBack(scratch: &passage.out)
        client.refuseUncountable()
        return false
    }

    /// A transaction block was opened: the client gets an error in place of the ReadyForQuery that ends at `end`.
    private func refuseBlock(_ bytes: Span<UInt8>, at end: Int, _ passage: inout Passage, _ client: ClientConnection) {
        passage.keep(bytes, to: end - Self.readyForQueryLength)
        self.toClient &+= UInt64(passage.out.count)
        client.send(passage.out)
        self.home.giveBack(scratch: &passage.out)
        client.refuseTransactionBlock()
    }

    private func pass(_ bytes: Span<UInt8>, _ passage: inout Passage, to end: Int, _ client: ClientConnection) {
        if passage.out.isEmpty {
            guard passage.start < end else { return self.home.giveBack(scratch: &passage.out) }
            self.toClient &+= UInt64(end - passage.start)
            client.send(bytes.extracting(passage.start..<end))
        } else {
            passage.keep(bytes, to: end)
            self.toClient &+= UInt64(passage.out.count)
            client.send(passage.out)
        }
        self.home.giveBack(scratch: &passage.out)
        self.chunkPassed(to: client)
    }

    /// PostgreSQL ends the session when nothing is asked of it and no transaction is open. That does not concern the
    /// client, which goes on with another server: it would take these words, which came together with its last
    /// answer, for the answer to its next request.
    ///
    /// - Returns: false when the error is another one, which the client gets.
    private func withholdFarewell(_ bytes: borrowing Span<UInt8>, body: Range<Int>) -> Bool {
        guard self.isSettled, self.ledger.isReleasable,
            let fields = try? ServerMessageFields.decode(body: bytes.extracting(body)),
            fields.endsConnection
        else { return false }
        self.lastError = fields
        self.isSpent = true
        self.scanner.withheldError()
        return true
    }

    /// A COPY has failed while Syncs were under way, and nobody can tell whether these are still to be answered. The
    /// client's next request would show it; a client that sends none must not keep its server from others.
    func settleDoubt() {
        guard self.ledger.awaitsOnlyDoubtful, self.ledger.isOutsideTransaction, self.prelude.owed == 0,
            !self.hasGotTerminate, let statements = self.statements
        else { return }
        self.send(statements.probe(ledger: &self.ledger))
    }

    /// The client gets to see its own names.
    private func renamed(
        _ bytes: borrowing Span<UInt8>,
        _ body: Range<Int>,
        _ names: (server: [UInt8], client: [UInt8])
    ) -> [UInt8]? {
        if body.isEmpty { return nil }
        let message = bytes.extracting((body.lowerBound - MessageHeader.size)..<body.upperBound)
        return unsafe message.withUnsafeBufferPointer {
            unsafe StatementError.renamed(Array($0), from: names.server, to: names.client)
        }
    }

    /// Notes an error, and what it says about a prepared statement; says what the client gets in its place.
    private func judge(
        _ bytes: borrowing Span<UInt8>,
        body: Range<Int>,
        _ client: ClientConnection,
        _ statements: ServerStatements
    ) -> ServerStatements.Verdict {
        let fields = self.noteError(bytes, body: body)
        var verdict = statements.errorReceived(fields, client: client.statements)
        if let id = verdict.staleStatement { self.pool.statements.expire(id) }
        // Somebody has dropped statements behind the gateway's back: start anew with the next client.
        if verdict.isMissingStatement { self.scanner.residue.hasStatements = true }
        if let names = verdict.names {
            verdict.substitute = self.renamed(bytes, body, names)
        } else if fields?.endsConnection == true {
            // The end of the session is no answer to what is to be refused.
            verdict.substitute = nil
        }
        return verdict
    }
}
