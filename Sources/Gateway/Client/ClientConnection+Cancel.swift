import PGWire
import Reactor
import Sessions

/// A client as the one whose request is to be cancelled, and as the one that asks for that.
extension ClientConnection {
    /// A cancel request with this client's key came in.
    func cancelRequested(by canceller: ClientConnection) {
        if self.isPreparing, self.phase == .waiting || self.phase == .active {
            return self.cancellersAhead.append(canceller)
        }
        guard let server = self.server else { return canceller.cancelIsThrough() }
        server.cancel(for: canceller)
    }

    /// The request that cancel requests are waiting for may have gone out: the client prepares nothing any more, and
    /// they are passed on.
    ///
    /// - Parameter unread: bytes of the client's that were not passed on.
    func requestMayHaveGoneOut(leaving unread: Int) {
        if self.awaitsParameters { return }
        self.isPreparing = false
        guard let server = self.server, server.client === self else { return }
        guard !server.ledger.isSettled else {
            // It was a lone Flush, which asks for nothing: what the client sends next is not what they were meant for.
            let isHeld = self.pauses.contains(.heldMessage) || self.isCollecting
            if unread == 0, !isHeld, self.scanner.isAtBoundary { self.letCancellersGo() }
            return
        }
        let waiting = self.cancellersAhead
        self.cancellersAhead = []
        for canceller in waiting { server.cancel(for: canceller) }
    }

    /// What stands in front of the client's request keeps nobody waiting any more: the request has been answered in the
    /// server's place, or the client leaves.
    func letCancellersGo() {
        for canceller in self.cancellersAhead { canceller.cancelIsThrough() }
        self.cancellersAhead = []
    }

    /// What this cancel request could bring about has happened: only now may whoever sent it go on, and find its next
    /// statement untouched. PostgreSQL, too, closes after it has signalled. Any thread.
    func cancelIsThrough() {
        self.home.worker.execute { self.finish() }
    }
}
