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
    func restoreParameters(of client: ClientConnection) -> Bool {
        guard self.scanner.lostParameters || self.scanner.hasReset else { return false }
        guard self.pool.isSessionMode, self.pool.plan.syncsParameters, self.prelude.owed == 0, self.isAtBoundary,
            self.ledger.isReleasable, let query = client.parameters.queryAfterReset
        else { return false }
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
