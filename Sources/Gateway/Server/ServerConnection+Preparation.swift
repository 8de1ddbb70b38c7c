import PGWire
import Reactor
import Sessions
import Synchronization

/// A server gets the parameters of the client that it is lent to. Most of that goes out in one piece with the client's
/// request (`beginTurn`). PostgreSQL carries out what stands behind a simple query that it has refused, so what it
/// could refuse is answered first, and for the first time on a connection all of it: a request must not run as somebody
/// else, or by another client's parameters.
extension ServerConnection {
    /// Whether the client's request has to wait for its parameters.
    func mustPrepare(for client: ClientConnection) -> Bool {
        guard self.appliedIdentity != client.parametersIdentity, self.pool.plan.syncsParameters else { return false }
        return !self.hasTaken(client.parameters) || !client.parameters.isSteady(replacing: self.applied)
    }

    /// What one server has taken, another may refuse (a time zone that it does not have), and a name may lead to
    /// another one at any time: each connection is asked once.
    private func hasTaken(_ parameters: SessionParameters) -> Bool {
        parameters.steadyMark == 0 || self.takenMarks.contains(parameters.steadyMark)
    }

    /// The server has answered the query that applies them.
    func noteTaken(_ parameters: SessionParameters) {
        if self.hasTaken(parameters) { return }
        if self.takenMarks.count >= Self.takenMarksMax { self.takenMarks.removeAll(keepingCapacity: true) }
        self.takenMarks.append(parameters.steadyMark)
    }

    /// Who asks for more different ones than these waits for some of them again.
    private static let takenMarksMax = 64

    /// The client is granted the server again when its parameters are in force.
    ///
    /// In two queries: what another client had applied (a short timeout, serializable transactions that wait for their
    /// turn) is gone when the second one runs.
    func prepare(for client: ClientConnection) {
        let parameters = client.parameters
        let queries = [
            SessionParameters.none.query(replacing: self.applied), parameters.query(replacing: .none),
        ]
        let end = self.pool.waitDeadline(since: client.waitingSince)
        let errand = Errand(
            purpose: .prepare(client, parameters),
            statements: queries.compactMap { $0 },
            deadline: max(end, self.home.worker.now + Self.preparingTimeMin)
        )
        self.run(errand)
    }

    /// A server has this long at least, however long its client has waited for it: one that is well must not be closed
    /// because it came at the last moment.
    private static let preparingTimeMin: MonotonicMicroseconds = 1_000_000

    func prepared(for client: ClientConnection, _ parameters: SessionParameters, by errand: Errand) {
        guard let error = errand.error else {
            self.scanner.residue = SessionResidue()
            self.applied = parameters
            self.noteTaken(parameters)
            return client.granted(self)
        }
        client.isPreparing = false
        let isRefusal = errand.failed == errand.statements.count - 1 && !parameters.entries.isEmpty
        self.end("what was to precede the client's requests was refused: \(error.message)")
        // Nothing of the client's has been sent: another server may take what this one was kept from.
        guard isRefusal, !error.isInterruption else { return client.retryCheckout() }
        self.pool.state.withLock { $0.parameterSets.forget(parameters) }
        client.checkoutFailed(.server(error))
    }
}

extension ClientConnection {
    /// The server may refuse this client's parameters: it applies them first, and is granted again then.
    ///
    /// - Returns: false when there is nothing to wait for.
    func beginPreparing(on server: ServerConnection) -> Bool {
        guard server.mustPrepare(for: self) else { return false }
        self.phase = .waiting
        self.waiter = nil
        self.pauseReading()
        self.isPreparing = true
        server.prepare(for: self)
        return true
    }
}

extension ServerMessageFields {
    /// Somebody or something has cut the statement off: of classes 57 (operator intervention), 53 (resources) and 40
    /// (rolled back).
    var isInterruption: Bool {
        guard let code = self.sqlState?.text.utf8.prefix(2) else { return false }
        return ["57", "53", "40"].contains { code.elementsEqual($0.utf8) }
    }
}
