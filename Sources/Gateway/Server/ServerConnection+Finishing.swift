import PGWire
import Reactor
import Synchronization

/// A server whose client has gone before it has answered everything.
extension ServerConnection {
    /// The client has gone after its Terminate, and not all of what it asked for before has been answered. PostgreSQL
    /// gets that, and Terminate behind it; its answers are read until it closes, for a reset could overtake what it
    /// has not read yet. The session is busy until then, `server_finish_timeout` at most, and ends with its socket if
    /// its host does. PostgreSQL goes on with what it has begun when the connection is closed under it. A graceful stop
    /// waits for it as for a client, and KILL USER ends it as it ends a client. Cancel requests that came before the
    /// goodbye still reach what they were meant for.
    func finishAlone(without client: ClientConnection) {
        self.client = nil
        self.phase = .finishing
        self.home.finishing[self.number] = FinishingServer(server: self, client: client)
        self.home.gateway.finishingServers.add(1, ordering: .relaxed)
        // Those who wait for what stands in front of its requests wait on. What waits for the end of another cancel
        // request could hit a later request than it was meant for: which one is answered is not looked at any more.
        if self.prelude.owed == 0 { self.letCancellersGo() }
        self.expect(0)
        self.checkCapture = nil
        self.sendTerminate()
        self.setDeadline(self.home.worker.now + self.home.gateway.snapshot.serverFinishTimeout)
        if self.isReadingPaused { self.resumeReading() }
    }

    /// It is closed.
    func finishedAlone() {
        self.home.finishing[self.number] = nil
        self.home.gateway.serverFinished()
    }

    /// Bytes of answers that are read for nobody. Behind them PostgreSQL gets what it gets when a client has closed: a
    /// reset, which ends a query that goes on writing.
    private static let unheardMax: UInt64 = 16 * 1024 * 1024

    func finishingReceived(_ bytes: Span<UInt8>) -> Int {
        let count = bytes.count
        self.turn.receivedBytes &+= UInt64(count)
        self.unheardBytes &+= UInt64(count)
        if self.unheardBytes > Self.unheardMax { self.end("its client has left and does not hear it") }
        // Where a cancel request waits for the answer to what stands in front of the client's request, that is read.
        if !self.laterCancellers.isEmpty, self.prelude.owed > 0 {
            let taken = self.takePreludeAnswers(bytes)
            if self.prelude.owed > 0 { return taken }
        }
        return count
    }
}

/// A server that finishes alone, and the client that has left it: whose session it is.
struct FinishingServer {
    let server: ServerConnection
    let client: ClientConnection
}
