import PGWire
import Reactor
import Sessions

/// The way of a client's messages where prepared statements are shared: as `relay`, but through a `BatchPass`.
extension ClientConnection {
    /// The client's statements; made when it first has a server.
    private var ownStatements: ClientStatements {
        if let statements = self.statements { return statements }
        let made = ClientStatements(planner: self.parameters.planner)
        self.statements = made
        return made
    }

    func relayShared(_ bytes: Span<UInt8>, through server: ServerConnection, _ shared: ServerStatements) -> Int {
        let own = self.ownStatements
        let taken = self.relayBatch(bytes, through: server, own, shared)
        // However it stopped: a mark that outlives its message would keep back the next one.
        self.expect(own.collected?.missing ?? self.scanner.bytesToCome)
        return taken
    }

    private func relayBatch(
        _ bytes: Span<UInt8>,
        through server: ServerConnection,
        _ own: ClientStatements,
        _ shared: ServerStatements
    ) -> Int {
        if server.isSettled { self.requestBegins(server) }
        if own.collected != nil { return self.collect(bytes, own) }
        var offset = self.takeSkipped(bytes.count, server)
        while true {
            let scan = self.pass(bytes, from: offset, server, own, shared)
            offset += scan.taken
            switch scan.stop {
            case .direct:
                // More than what the client sent: the server may have to take that first.
                if scan.direct.isEmpty, self.pauseIfServerLags(server) { return offset }
            case .answer:
                self.sendInjected(shared, past: server)
                if self.pauseIfAnswersPileUp() { return offset }
            case .hold:
                // What is held may wait for answers that are the gateway's own.
                if self.sendInjected(shared, past: server) {
                    if self.pauseIfAnswersPileUp() { return offset }
                    continue
                }
                self.pause(for: .heldMessage)
                return offset
            case .skip:
                offset += self.takeSkipped(bytes.count - offset, server)
                if !self.scanner.isAtBoundary { return offset }
            case .collect:
                self.beginCollecting(bytes, at: offset, own)
                return bytes.count
            case .none:
                self.batchPassed(server)
                return offset
            case .terminate, .invalidLength, .invalidKind, .nameTooLong:
                self.stopped(scan)
                return bytes.count
            }
        }
    }

    /// Bytes of the client's that nobody gets.
    private func takeSkipped(_ available: Int, _ server: ServerConnection) -> Int {
        let taken = self.scanner.takeSkipped(available: available)
        server.fromClient &+= UInt64(taken)
        return taken
    }

    /// One pass: what it collected and what it lets through goes out.
    private func pass(
        _ bytes: Span<UInt8>,
        from offset: Int,
        _ server: ServerConnection,
        _ own: ClientStatements,
        _ shared: ServerStatements
    ) -> FrontendScanner.BatchScan {
        var out = self.home.takeScratch()
        let (scan, marks) = self.scanner.scan(
            bytes,
            from: offset,
            client: own,
            server: shared,
            source: server.pool.statements,
            out: &out,
            ledger: &server.ledger
        )
        server.fromClient &+= UInt64(scan.taken)
        if server.fromClient > ServerConnection.unbookedMax { self.accountBytes(server) }
        if !marks.isEmpty { server.scanner.residue.note(marks) }
        if !out.isEmpty {
            server.turn.sentBytes &+= UInt64(out.count)
            server.send(out)
        }
        self.home.giveBack(scratch: &out)
        if !scan.direct.isEmpty {
            server.turn.sentBytes &+= UInt64(scan.direct.count)
            server.send(bytes.extracting(scan.direct))
        }
        return scan
    }

    private func batchPassed(_ server: ServerConnection) {
        self.pauseIfServerLags(server)
        if self.scanner.isAtBoundary { self.serverSettled() }
    }

    private func stopped(_ scan: FrontendScanner.BatchScan) {
        switch scan.stop {
        case .terminate:
            self.isTerminating = true
            self.terminateIfSettled()
        case .invalidLength: self.refuseMessage("invalid message length")
        case .nameTooLong: self.refuseMessage("name of a portal or prepared statement is too long")
        default: self.refuseMessage("invalid frontend message type \(scan.kind)")
        }
    }

    /// Sends the gateway's own answers if they are next. In the middle of a message from the server they are not: then
    /// they go out behind it, when the rest of it has come.
    @discardableResult
    private func sendInjected(_ shared: ServerStatements, past server: ServerConnection) -> Bool {
        guard shared.isInjectionNext, server.scanner.isAtBoundary else { return false }
        var out = self.home.takeScratch()
        shared.takeInjected(into: &out)
        server.toClient &+= UInt64(out.count)
        self.send(out)
        self.home.giveBack(scratch: &out)
        return true
    }

    /// Answers have come: what was held may go on.
    func answersCame() {
        guard self.pauses.contains(.heldMessage) else { return }
        if let own = self.statements, let whole = own.collected, whole.missing == 0 {
            // To look at it costs as much as it is long: not for each piece of an answer.
            if let shared = self.server?.statements, !shared.isInjectionNext, shared.answered == whole.heldAt { return }
            self.pauses.remove(.heldMessage)
            // A statement that was collected stands before everything that is still to be read.
            self.passCollected(own)
            if self.pauses.contains(.heldMessage) { return }
            if !self.cancellersAhead.isEmpty { self.requestMayHaveGoneOut(leaving: self.unreadCount) }
        }
        self.pauses.remove(.heldMessage)
        self.resumeReading()
    }

    /// A COPY has failed, and PostgreSQL may or may not answer what it was sent behind it.
    func refuseUncountable() {
        let text = "a COPY has failed, and which of the messages behind it will be answered cannot be told"
        self.leave(saying: .protocolViolation, text)
    }

    // MARK: Statements longer than what is read at once

    /// The rest of a long Parse is still to come, or it is whole and held.
    var isCollecting: Bool { self.statements?.collected != nil }

    /// Bytes reserved at once, whatever length the client claims.
    private static let collectedAtFirst = 512 * 1024

    private func beginCollecting(_ bytes: Span<UInt8>, at offset: Int, _ own: ClientStatements) {
        guard let header = MessageHeader.read(bytes, at: offset) else { return }
        var parse = CollectedParse(length: header.wireLength, roomAtFirst: Self.collectedAtFirst)
        parse.append(bytes.extracting(offset..<bytes.count))
        own.collected = parse
    }

    private func collect(_ bytes: Span<UInt8>, _ own: ClientStatements) -> Int {
        let taken = min(own.collected?.missing ?? 0, bytes.count)
        own.collected?.append(bytes.extracting(0..<taken))
        guard own.collected?.missing == 0 else { return taken }
        self.passCollected(own)
        guard own.collected == nil, self.phase == .active, !self.isTerminating else { return taken }
        return taken == bytes.count ? taken : taken + self.relay(bytes.extracting(taken..<bytes.count))
    }

    private func passCollected(_ own: ClientStatements) {
        guard let server = self.server, let shared = server.statements, let message = own.collected?.bytes
        else { return }
        let scan = self.pass(message.span, from: 0, server, own, shared)
        if case .hold = scan.stop {
            if self.sendInjected(shared, past: server) { return self.passCollected(own) }
            own.collected?.heldAt = shared.answered ?? -1
            self.pause(for: .heldMessage)
            return
        }
        // What is dropped after an error is this message; the scanner must not look for it in what follows.
        if case .skip = scan.stop { _ = self.takeSkipped(message.count, server) }
        own.collected = nil
        self.batchPassed(server)
    }
}
