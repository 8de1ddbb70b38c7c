import PGWire
@testable import Sessions

/// From servers to clients.
extension MachineModel {
    func deliver(_ server: ModelServer) {
        guard let client = server.client else {
            self.falsehood = self.falsehood ?? "a server without a client answers"
            return
        }
        let taken = self.relay(server, client)
        server.unread.removeFirst(taken)
        if server.backend.isDead, server.fetched == server.backend.output.count {
            self.lost(client)
            return
        }
        if server.scanner.isAtBoundary { self.settled(client) }
        if client.isHeld {
            client.isHeld = false
            self.pump(client)
        }
    }

    /// The server has ended the session, and so the client's.
    private func lost(_ client: ModelClient) {
        if !client.direct.isDead { self.note(client, "lost its server") }
        if client.compared < client.direct.output.count {
            self.note(client, "answers are missing: \(self.missing(client))")
        }
        self.vanish(client)
    }

    private func relay(_ server: ModelServer, _ client: ModelClient) -> Int {
        let bytes = server.unread
        var (offset, start) = (0, 0)
        func keep(to end: Int) {
            if start < end { self.send(bytes[start..<end], to: client) }
            start = end
        }
        scan: while self.falsehood == nil {
            let scan = server.scanner.scan(
                bytes.span,
                from: offset,
                stopsAtReady: false,
                ledger: &server.ledger,
                statements: server.statements,
                client: client.statements
            )
            let kept = offset + scan.kept
            offset += scan.taken
            switch scan.stop {
            case .none: break scan
            case .ready, .parameterStatus: continue
            case .invalid: self.note(client, "the server broke the protocol")
            case .injected:
                keep(to: kept)
                self.injectBehind(server, client)
            case .dropped:
                keep(to: kept)
                start = offset
                self.tally.dropped += 1
            case .error:
                if let substitute = self.judge(bytes, scan.body, server, client) {
                    keep(to: kept)
                    self.send(substitute[...], to: client)
                    start = offset
                }
            }
        }
        if server.statements.script.isInjectionNext, server.scanner.isAtBoundary {
            keep(to: offset)
            self.injectBehind(server, client)
        }
        keep(to: offset)
        return offset
    }

    private func injectBehind(_ server: ModelServer, _ client: ModelClient) {
        var out: [UInt8] = []
        server.statements.takeInjected(into: &out)
        self.tally.injected += 1
        self.send(out[...], to: client)
    }

    private func judge(
        _ bytes: [UInt8],
        _ body: Range<Int>,
        _ server: ModelServer,
        _ client: ModelClient
    ) -> [UInt8]? {
        self.tally.errors += 1
        let fields = try? ServerMessageFields.decode(body: Array(bytes[body]))
        let verdict = server.statements.errorReceived(fields, client: client.statements)
        if verdict.isUncountable { self.note(client, "the count is lost") }
        // Nobody meddles with the servers, and nobody changes a table.
        if verdict.isMissingStatement { self.note(client, "the server lacks a statement: \(fields?.message ?? "")") }
        if verdict.staleStatement != nil { self.note(client, "a statement has become stale") }
        if verdict.substitute != nil { self.tally.substituted += 1 }
        if let names = verdict.names {
            let message = Array(bytes[(body.lowerBound - MessageHeader.size)..<body.upperBound])
            return StatementError.renamed(message, from: names.server, to: names.client)
        }
        return verdict.substitute
    }

    // MARK: Checks

    /// Compares what the client gets, message by message.
    func send(_ bytes: ArraySlice<UInt8>, to client: ModelClient) {
        client.received += bytes
        while let answer = ToldAnswer(takenFrom: &client.received) {
            var expected = client.direct.output[client.compared...]
            let before = expected.count
            let wanted = ToldAnswer(takenFrom: &expected)
            guard answer == wanted else {
                self.note(client, "got \(answer), not \(wanted.map(\.description) ?? "anything")")
                return
            }
            client.compared += before - expected.count
        }
    }

    func missing(_ client: ModelClient) -> String {
        var rest = client.direct.output[client.compared...]
        var answers: [String] = []
        while let answer = ToldAnswer(takenFrom: &rest) { answers.append(answer.description) }
        return answers.joined(separator: " ") + (client.received.isEmpty ? "" : ", half a message")
    }

    func checkBelief(_ server: ModelServer) {
        guard server.wire.isEmpty, server.backend.isAtBoundary, server.fetched == server.backend.output.count else {
            return
        }
        if let falsehood = server.falsehood(self.pool) { self.falsehood = self.falsehood ?? falsehood }
    }

    /// All was answered: the client's names stand for what they stand for without a gateway.
    func compareStatements(_ client: ModelClient) {
        let names = client.direct.statements.filter { !$0.key.isEmpty }
        if client.statements.namedCount != names.count {
            self.note(client, "\(client.statements.namedCount) names, not \(names.count)")
        }
        for (name, statement) in names where client.statements.names.find(name)?.text != statement.text {
            self.note(client, "\(FakeBackend.string(name)) stands for something else")
        }
        if client.statements.unnamed?.text != client.direct.statements[[]]?.text {
            self.note(client, "another unnamed statement")
        }
    }
}
