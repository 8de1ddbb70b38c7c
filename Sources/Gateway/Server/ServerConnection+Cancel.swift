import PGWire
import Reactor
import Sessions

/// Cancel requests for what runs on a server: one at a time, and each meets the request that it was meant for or none.
extension ServerConnection {
    /// Cancels what runs for the present client, if anything does.
    func cancel(for canceller: ClientConnection) {
        guard !self.ledger.isSettled, let address = self.address, !self.secret.isEmpty else {
            canceller.cancelIsThrough()
            return
        }
        let answers = self.answersOfTurn
        defer { self.answersBeforeCancel = answers }
        if self.prelude.owed > 0, !self.prelude.isAnsweringReplay {
            // It is meant for the client's request, not for what the gateway has put in front of that: see
            // `sendLaterCancels`. Parameters and BEGIN wait for nothing; statements that follow a client may wait for
            // locks, and may be cancelled.
            self.laterCancellers.append(canceller)
            return
        }
        guard self.isCancelInFlight else {
            self.cancellers.append(canceller)
            CancelConnection.start(for: self, address: address)
            return
        }
        // One is enough: a second signal to a backend that has not answered the first changes nothing. Where it has
        // answered, the first is spent although PostgreSQL has not closed its connection yet, and what runs now needs
        // one of its own. Not before that end: the two could overtake each other.
        if self.laterCancellers.isEmpty, self.answersBeforeCancel == answers {
            self.cancellers.append(canceller)
        } else {
            self.laterCancellers.append(canceller)
        }
    }

    /// What stood in front of the client's request has been answered: cancel requests that came meanwhile go out.
    func sendLaterCancels() {
        // The end of one that is in flight brings the next.
        guard !self.isCancelInFlight else { return }
        let wanted = self.takeLaterCancellers()
        self.letCancellersGo()
        for canceller in wanted { self.cancel(for: canceller) }
    }

    /// Those for whom another cancel request has to go out. None when what they meant has been answered meanwhile:
    /// the next request of the client must not be hit by it.
    private func takeLaterCancellers() -> [ClientConnection] {
        guard self.phase == .active || self.phase == .finishing, self.answersBeforeCancel == self.answersOfTurn
        else { return [] }
        let wanted = self.laterCancellers
        self.laterCancellers = []
        return wanted
    }

    /// The request is through, or the client that it was meant for has no statement here any more that it could hit.
    func letCancellersGo() {
        for canceller in self.cancellers + self.laterCancellers { canceller.cancelIsThrough() }
        self.cancellers = []
        self.laterCancellers = []
    }

    /// A cancel request for this server was sent and is through, or was given up.
    func cancelEnded(isCertain: Bool) {
        self.isCancelInFlight = false
        if !isCertain { self.isSpent = true }
        let wanted = self.takeLaterCancellers()
        self.letCancellersGo()
        for canceller in wanted { self.cancel(for: canceller) }
        if self.statements == nil, !self.isCancelInFlight { self.client?.goOnBehindReset() }
        guard self.phase == .parked, !self.isCancelInFlight else { return }
        self.clearDeadline()
        if self.isSpent {
            self.end("a cancel request may still be under way")
        } else if !self.isAtBoundary {
            self.end("the server is in the middle of a message")
        } else {
            self.goHome()
        }
    }
}
