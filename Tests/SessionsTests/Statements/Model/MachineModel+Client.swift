import PGWire
@testable import Sessions

/// From clients to servers.
extension MachineModel {
    /// Deals with what the client has sent as far as that is possible.
    func pump(_ client: ModelClient) {
        while !client.isGone, !client.isHeld, !client.isTerminating, !client.unread.isEmpty, self.falsehood == nil {
            let taken: Int
            if let server = client.server {
                taken = self.relay(client, server)
                if taken == 0, client.server != nil { return }
            } else {
                taken = self.open(client)
                if taken == 0 { return }
            }
            client.unread.removeFirst(min(taken, client.unread.count))
        }
    }

    /// Without a server: what was taken, nothing when a server or more bytes are needed.
    private func open(_ client: ModelClient) -> Int {
        var offset = client.scanner.takeSkipped(available: client.unread.count)
        while true {
            switch client.scanner.opening(client.unread.span, at: offset) {
            case .incomplete: return offset
            case .terminate:
                self.remove(client)
                return offset
            case .strayCopy:
                if let header = MessageHeader.read(client.unread.span, at: offset) {
                    client.scanner.skipMessage(header)
                }
                offset += client.scanner.takeSkipped(available: client.unread.count - offset)
            case .invalidLength, .invalidKind:
                self.note(client, "refused")
                return offset
            case .request:
                client.isWaiting = true
                return offset
            }
        }
    }

    func grant(_ client: ModelClient, _ server: ModelServer) {
        client.isWaiting = false
        client.server = server
        server.client = client
        server.ledger.reset()
        server.statements.beginTurn()
        self.tally.turns += 1
        if server.backend.path != client.path {
            server.backend.path = client.path
            server.run(";")
        }
        self.pump(client)
    }

    private func relay(_ client: ModelClient, _ server: ModelServer) -> Int {
        let bytes = client.unread
        var offset = client.scanner.takeSkipped(available: bytes.count)
        while self.falsehood == nil {
            let scan = self.pass(bytes, from: offset, client, server)
            offset += scan.taken
            switch scan.stop {
            case .direct: continue
            case .answer: if server.scanner.isAtBoundary { self.inject(client, server) }
            case .hold:
                // Not into the middle of a message of the server: behind it the other direction does it.
                if server.statements.script.isInjectionNext, server.scanner.isAtBoundary {
                    self.inject(client, server)
                    continue
                }
                self.tally.holds += 1
                client.isHeld = true
                return offset
            case .skip:
                offset += client.scanner.takeSkipped(available: bytes.count - offset)
                if !client.scanner.isAtBoundary { return offset }
            case .none:
                if client.scanner.isAtBoundary { self.settled(client) }
                return offset
            case .terminate:
                client.isTerminating = true
                self.terminateIfSettled(client)
                return bytes.count
            case .collect, .invalidLength, .invalidKind, .nameTooLong:
                self.note(client, "stopped by \(scan.stop)")
                return bytes.count
            }
        }
        return offset
    }

    private func pass(
        _ bytes: [UInt8],
        from offset: Int,
        _ client: ModelClient,
        _ server: ModelServer
    ) -> FrontendScanner.BatchScan {
        var pass = BatchPass(
            client: client.statements,
            server: server.statements,
            source: self.pool,
            status: server.ledger.status,
            out: []
        )
        let scan = client.scanner.scan(bytes.span, from: offset, pass: &pass, ledger: &server.ledger)
        server.wire += pass.takeOut()
        server.wire += bytes[scan.direct]
        return scan
    }

    private func inject(_ client: ModelClient, _ server: ModelServer) {
        var out: [UInt8] = []
        server.statements.takeInjected(into: &out)
        self.tally.injected += 1
        self.send(out[...], to: client)
    }

    // MARK: The end of a turn

    /// Everything may have been answered: is the server free?
    func settled(_ client: ModelClient) {
        guard let server = client.server, client.scanner.isAtBoundary else { return }
        guard server.isSettled else {
            if server.ledger.awaitsOnlyDoubtful, server.ledger.isOutsideTransaction {
                server.wire += server.statements.probe(ledger: &server.ledger)
            }
            return
        }
        self.checkBelief(server)
        if server.ledger.isReleasable {
            self.release(client, server)
            if client.isHeld {
                client.isHeld = false
                self.pump(client)
            }
        }
        if client.isTerminating { self.terminateIfSettled(client) }
    }

    private func release(_ client: ModelClient, _ server: ModelServer) {
        client.server = nil
        server.client = nil
        client.statements.endTurn()
        self.clean(server)
        let counts = server.statements.takeCounts()
        self.tally.hits += counts.hits
        self.tally.misses += counts.misses
        self.tally.evictions += counts.evictions
        if !client.statements.portals.isEmpty { self.note(client, "portals are left") }
    }

    /// What was lent to the server and not deallocated goes.
    private func clean(_ server: ModelServer) {
        if server.statements.lentCount == 0 { return }
        server.run("deallocate all")
        server.statements.droppedAll()
    }

    func terminateIfSettled(_ client: ModelClient) {
        // As the gateway does: PostgreSQL gets the message where it waits for more.
        if let server = client.server, !server.ledger.isAmbiguous, !server.ledger.owesOnlyUnsynced,
            !server.ledger.isCopyIn
        {
            guard server.isSettled, server.scanner.isAtBoundary else { return }
        }
        self.remove(client)
    }

    /// The client's connection breaks.
    func vanish(_ client: ModelClient) {
        if client.isGone { return }
        self.remove(client)
    }

    private func remove(_ client: ModelClient) {
        client.isGone = true
        self.clients[client.number] = nil
        guard let server = client.server else { return }
        client.server = nil
        server.client = nil
        if server.isSettled, server.scanner.isAtBoundary, client.scanner.isAtBoundary, server.wire.isEmpty {
            if !server.ledger.isOutsideTransaction { server.run("rollback") }
            self.clean(server)
            self.checkBelief(server)
        } else {
            // Nobody can use it any more.
            self.servers.removeAll { $0 === server }
            self.servers.append(ModelServer(capacity: self.shape.serverMax))
        }
    }
}
