import PGWire
import Reactor
import Sessions

/// A session-mode client keeps its server beyond a RESET or DISCARD ALL. With PostgreSQL these lead back to the values
/// of the startup packet; on a server that somebody else has opened they lead to that server's own.
extension ServerConnection {
    /// The names under which the query runs: one without a name would take the client's own away.
    private static let restoring = "pggateway_restore"

    /// In front of the client's next request the parameters of its startup packet are applied again. In the other modes
    /// its next turn does that.
    ///
    /// - Returns: true when the request has to wait until that is answered: what is refused must not be missing in it.
    ///   A cancel request that came too late for the reset must not hit it, either: it begins behind the end of that.
    func restoreParameters(of client: ClientConnection) -> Bool {
        guard self.scanner.lostParameters || self.scanner.hasReset else { return false }
        guard self.pool.isSessionMode, self.pool.plan.syncsParameters, self.prelude.owed == 0, self.isAtBoundary,
            self.ledger.isReleasable, let query = client.parameters.queryAfterReset
        else { return false }
        if self.isCancelInFlight { return true }
        var writer = MessageWriter()
        writer.parse(name: Self.restoring, query: query, parameterTypes: [])
        writer.bind(portal: Self.restoring, statement: Self.restoring)
        writer.execute(portal: Self.restoring)
        writer.close(kind: .statement, name: Self.restoring)
        writer.sync()
        self.prelude.isRestoring = true
        self.sendPrelude(writer.bytes, isExtended: true)
        return true
    }
}

/// What a client sends in one go with a RESET or DISCARD ALL waits for the answer to that, so that the parameters of
/// its startup packet can be applied in between. Connection pools of drivers (Npgsql) put the reset in front of the
/// first command of their next user.
///
/// Looked for in simple queries that are short; see `FrontendScanner`.
extension ClientConnection {
    /// True when what follows has to wait. Not where the server waits for the client (COPY), or nobody can tell how
    /// many answers are due.
    func holdBehindReset(_ server: ServerConnection) -> Bool {
        self.isBehindReset = server.pool.plan.syncsParameters && server.ledger.awaitsReady
        if self.isBehindReset { self.pause(for: .heldMessage) }
        return self.isBehindReset
    }

    /// Answers have come, to the reset or to what precedes a request, or a cancel request is through.
    func goOnBehindReset() {
        guard self.pauses.contains(.heldMessage), let server = self.server, server.prelude.owed == 0,
            !server.ledger.awaitsReady
        else { return }
        self.resume(after: .heldMessage)
    }

    /// Its next request waits for its parameters, or for the end of a cancel request that could hit what applies them.
    var awaitsParameters: Bool {
        guard let server = self.server, server.statements == nil else { return false }
        return self.pauses.contains(.heldMessage) && server.ledger.isSettled
    }
}
