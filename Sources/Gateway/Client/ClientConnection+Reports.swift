import PGWire
import Reactor
import Sessions
import Synchronization

/// What a client has been told of its session's parameters (ParameterStatus). Drivers go by it: they decode by
/// `client_encoding` and quote by `standard_conforming_strings`. Where a server goes back after each transaction, what
/// the client has changed goes with it, and the next one runs with what its startup packet asked for: the client is
/// told that, too.
extension ClientConnection {
    /// Parameters remembered at once; PostgreSQL reports fewer.
    private static let reportedMax = 32

    /// Not the session's own: what the server has reported of it stays true.
    private static let ofTheServer = "in_hot_standby"

    /// A server has reported a parameter, which the client gets to see.
    func noteReport(_ bytes: borrowing Span<UInt8>, body: Range<Int>) {
        var copy: [UInt8] = []
        copy.reserveCapacity(body.count)
        for index in body { copy.append(bytes[index]) }
        var reader = ByteReader(copy)
        guard let name = try? reader.cString(), let value = try? reader.cString(), name != Self.ofTheServer,
            self.reported.count < Self.reportedMax || self.reported[name] != nil
        else { return }
        self.reported[name] = value
    }

    /// The turn ends: tells what holds from now on, where that is not what was reported last.
    func correctReports(of server: ServerConnection) {
        let reported = self.reported
        self.reported = [:]
        let pool = server.pool
        let scanner = server.scanner
        let own = pool.plan.syncsParameters ? self.parameters : .none
        // A change that nobody takes back, or one that was not the client's, holds.
        let isUndone =
            server.isSpent || scanner.lostParameters || scanner.hasReset
            || (scanner.residue.hasSettings && pool.plan.cleansSessions)
        guard isUndone, let welcome = pool.state.withLock({ $0.parameterSets.welcome(for: own) }) else { return }
        var writer = MessageWriter()
        for report in welcome.reports {
            guard let last = reported[report.name] else { continue }
            var value = report.value
            if report.name == Welcome.applicationName {
                value = Welcome.reported(own.applicationName ?? pool.plan.applicationName)
            }
            if !last.hasSameBytes(as: value) { writer.parameterStatus(name: report.name, value: value) }
        }
        if !writer.bytes.isEmpty { self.send(writer.bytes) }
    }
}
