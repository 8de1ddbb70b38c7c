import AuthProviders
import Logging
import PGWire
import Reactor
import Sessions
import Synchronization

/// The ways a client goes.
extension ClientConnection {
    enum Departure {
        /// The client left of its own will.
        case goodbye
        /// Its connection is gone.
        case gone(String)
        /// The gateway or its server ended it.
        case ended(String)

        /// For the log and the audit stream.
        var text: String {
            switch self {
            case .goodbye: "client left"
            case .gone(let text), .ended(let text): text
            }
        }

        var isByClient: Bool {
            if case .ended = self { false } else { true }
        }
    }

    /// How long last words may take.
    static let farewellTimeout: MonotonicMicroseconds = 5_000_000
    /// When the process stops, and looks whether they have come.
    private static let farewellGlance: MonotonicMicroseconds = 200_000

    /// The same words for the client and for the log.
    func leave(saying state: SQLState, _ text: String) { self.leave(with: .fatal(state, text), logging: text) }

    /// Tells the client why, then closes once that is sent.
    ///
    /// - Parameter reason: for the log; nil where that has a line of its own.
    func leave(with fields: ServerMessageFields, logging reason: String?) {
        guard self.phase != .closing else { return }
        let departure = Departure.ended(reason ?? fields.message)
        self.auditDeparture(departure)
        if let reason {
            self.log.info("client refused or ended", metadata: self.logMetadata(["reason": .string(reason)]))
        }
        if self.handshake != nil {
            // Words could not be sealed yet, and in clear text they would be a broken record to a client that awaits
            // TLS. PostgreSQL, too, goes without a word.
            self.finish(departure)
            return
        }
        if let server = self.server, !server.scanner.isAtBoundary {
            // The client is in the middle of a message of its server: an error would be taken for a part of it.
            self.finish(departure)
            return
        }
        var writer = MessageWriter()
        writer.errorResponse(fields)
        self.countOwnError(bytes: writer.bytes.count)
        self.letGo()
        self.send(writer.bytes)
        self.sayGoodbye()
    }

    /// Closes once what is queued has been sent.
    ///
    /// - Parameter lingers: whether it waits for the client to close, `farewellTimeout` at most, even if nothing of the
    ///   client's is known to be unread.
    func sayGoodbye(lingering lingers: Bool = false) {
        self.phase = .closing
        self.pushOut()
        // Closing while the client's bytes are still unread would reset the connection, and the reset could overtake
        // the error: read on (and drop) until the client has closed.
        self.lingers = lingers || self.hasUnreadInput
        if self.unsentCount == 0, !self.lingers {
            self.finish()
        } else {
            if self.unsentCount == 0 { self.shutdownSending() }
            self.awaitFarewell(hurrying: self.gateway.stopping.load(ordering: .relaxed))
            self.resumeReading()
        }
    }

    /// A client that does not close must not keep a process that stops. What it has sent, and nobody has read, is then
    /// no danger to the last words any more: they are there before the reset.
    private func awaitFarewell(hurrying hurries: Bool) {
        self.hurries = hurries
        self.setDeadline(self.home.worker.now + (hurries ? Self.farewellGlance : Self.farewellTimeout))
    }

    /// The time for last words is over, or it is time to look whether they have come.
    func farewellDue() {
        if self.hurries, !self.isAllDelivered { self.awaitFarewell(hurrying: false) } else { self.finish() }
    }

    /// The client has said goodbye: what it is still to get is sent, then the connection is closed.
    func goQuietly() {
        guard self.phase != .closing else { return }
        let departure = Departure.goodbye
        self.auditDeparture(departure)
        self.letGo()
        if self.home.snapshot.logsDisconnections { self.logDeparture(departure) }
        self.sayGoodbye()
    }

    /// The client is gone.
    func vanished(_ reason: String) { self.finish(.gone(reason)) }

    /// Closes now.
    func finish(_ departure: Departure = .goodbye) {
        guard self.isOpen else { return }
        self.auditDeparture(departure)
        if self.phase != .closing, self.home.snapshot.logsDisconnections, !self.user.isEmpty, self.login == nil {
            self.logDeparture(departure)
        }
        self.letGo()
        self.handshakeAbandoned()
        self.phase = .closing
        self.gateway.cancelKeys.remove(self)
        self.home.remove(self)
        self.gateway.takeBackPlace(of: self)
        self.noteVisit()
        self.gateway.noteDeparture(from: self.home)
        self.close()
        self.gateway.clientLeft()
    }

    private func noteVisit() {
        let now = self.home.worker.now
        self.home.briefVisits.noteDeparture(after: now - self.connectedAt, isSecured: self.isSecured, at: now)
    }

    private func logDeparture(_ departure: Departure) {
        self.log.info("client disconnected", metadata: self.logMetadata(["reason": .string(departure.text)]))
    }

    /// Gives up whatever the client holds or waits for: its server, its place in a queue, its login.
    private func letGo() {
        self.giveUpWait(in: self.pool ?? self.login?.pool)
        if let server = self.server {
            self.server = nil
            self.account(server)
            self.abandon(server)
        }
        self.letCancellersGo()
        self.abandonLogin()
        self.leavePool()
        self.console = nil
    }

    func leavePool() {
        self.pool?.unpin()
        self.pool = nil
    }

    /// It has hung up while its server takes no more of its requests. Behind those there may be more, and a goodbye: as
    /// PostgreSQL reads to the end what a client has sent that closes, they are passed on as the server takes them,
    /// each time for as long as a server may finish alone. Where its deadline counts the life of a token, it goes
    /// at once.
    func hungUpBehindRequests() {
        guard self.expiry == nil, !self.hasPeerBrokenOff() else {
            return self.vanished("client closed the connection")
        }
        self.setDeadline(self.home.worker.now + self.home.snapshot.serverFinishTimeout)
    }

    /// It has said goodbye before it closed: what it asked for until then is carried out, though nobody hears of it.
    func leaveServerToFinish() {
        guard self.phase == .active, let server = self.server else { return }
        self.server = nil
        self.account(server)
        server.finishAlone(without: self)
    }

    /// A client that leaves in the middle of a request, of COPY or of a message leaves a server that nobody can use.
    private func abandon(_ server: ServerConnection) {
        if server.isSettled, server.isAtBoundary, self.scanner.isAtBoundary, server.prelude.owed == 0,
            server.unsentCount == 0
        {
            server.endTurn()
        } else {
            server.end("client left in the middle of a request")
        }
    }

    /// The server is gone: the client gets PostgreSQL's own reason if there was one, and is told otherwise.
    func serverLost(_ loss: ServerLoss) {
        let isExpected = self.server?.hasGotTerminate ?? false
        if let server = self.server { self.account(server) }
        self.server = nil
        let failure = loss.lastError.map { CheckoutFailure.server($0) } ?? .connect(loss.reason)
        if self.phase == .login {
            self.login?.deliverWelcome(.serverLost(failure))
            return
        }
        if isExpected { return self.goQuietly() }
        self.log.info(
            "server connection lost",
            metadata: self.logMetadata(["reason": .string(loss.lastError?.message ?? loss.reason)])
        )
        if loss.isMidMessage {
            self.finish(.ended(loss.reason))
        } else if loss.wasPassedOn, loss.lastError != nil {
            // PostgreSQL's FATAL error has already been passed on: that was the last word.
            self.auditDeparture(.ended(loss.reason))
            self.letGo()
            self.sayGoodbye()
        } else {
            // PostgreSQL's last words may have been kept from the client (`withholdFarewell`): they concern it now.
            self.leave(with: failure.fields, logging: nil)
        }
    }

    // MARK: Shutdown

    /// The process stops, or the token has expired: between transactions the client is told at once, in one it is let
    /// finish.
    func askToLeave() {
        self.mustLeave = true
        switch self.phase {
        case .startup, .login:
            // A login that fails has a line of its own in the log.
            self.leave(with: AuthFailure.shuttingDown().fields, logging: self.login == nil ? "shutdown" : nil)
        case .idle where self.deferredBegin != nil, .waiting where self.deferredBegin != nil:
            // It believes itself in a transaction.
            return
        case .idle, .console, .waiting:
            self.leaveAsTold()
        case .active:
            self.leaveIfBetweenTransactions()
        case .closing:
            if self.gateway.stopping.load(ordering: .relaxed) { self.awaitFarewell(hurrying: true) }
        }
    }

    /// The process waits no longer: whatever the client is doing, it is told as far as that goes, and closed now.
    func cutOff() {
        self.leave(with: CheckoutFailure.shuttingDown.fields, logging: "shutdown")
        self.finish()
    }

    func leaveIfBetweenTransactions() {
        guard let server = self.server, server.isSettled, server.ledger.isReleasable, server.isAtBoundary,
            self.scanner.isAtBoundary, !self.isCollecting
        else { return }
        self.leaveAsTold()
    }
}
