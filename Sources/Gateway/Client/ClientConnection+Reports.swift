import PGWire
import Reactor
import Sessions
import Synchronization

/// What a client has been told of its session's parameters (ParameterStatus). Drivers go by it: they decode by
/// `client_encoding` and quote by `standard_conforming_strings`.
///
/// Where a server goes back after each transaction, the best known of these parameters follow the client to its next
/// server (`followed`), as with PgBouncer and pg_doorman. Everything else that the client has SET goes with its
/// transaction, and the client is told that, too.
extension ClientConnection {
    /// Parameters remembered at once; PostgreSQL reports fewer.
    private static let reportedMax = 32

    /// In the spelling in which PostgreSQL reports them.
    private static let followed: Set<String> = [
        "application_name", "client_encoding", "DateStyle", "IntervalStyle", "TimeZone", "standard_conforming_strings",
    ]

    /// Not the session's own: what the server has reported of it stays true.
    private static let ofTheServer = "in_hot_standby"

    /// A server has reported a parameter, which the client gets to see.
    func noteReport(_ bytes: borrowing Span<UInt8>, body: Range<Int>) {
        guard let (name, value) = ParameterStatus.decode(bytes.extracting(body)), name != Self.ofTheServer,
            self.reported.count < Self.reportedMax || self.reported[name] != nil
        else { return }
        self.reported[name] = value
    }

    /// The same in session mode, where nothing follows the client: the console shows what the session calls itself.
    func noteName(_ bytes: borrowing Span<UInt8>, body: Range<Int>) {
        guard let (name, value) = ParameterStatus.decode(bytes.extracting(body)), name == "application_name" else {
            return
        }
        self.sessionName = value
    }

    /// A RESET or DISCARD ALL has led the server back to a value of its own, which it reports. With PostgreSQL it leads
    /// back to the value of the startup packet, of which there is nothing to report; so it does here, in front of the
    /// client's next request. Some drivers (pgjdbc) take a value that they have not asked for as the end.
    ///
    /// Only where the answer that ends behind `end` is the last one due and ends outside of a transaction: what comes
    /// before the value of the startup packet is back runs by the one reported. And not where the client has changed
    /// the parameter: then it is to be told that its own value is gone.
    func withholdsReport(
        _ bytes: borrowing Span<UInt8>,
        body: Range<Int>,
        behind end: Int,
        of server: ServerConnection
    ) -> Bool {
        let plan = server.pool.plan
        guard server.scanner.lostParameters || server.scanner.hasReset, plan.syncsParameters, self.scanner.isAtBoundary,
            server.ledger.awaitsReady, server.ledger.owedCount == 1, Self.endsOutside(bytes, from: end),
            let (name, value) = ParameterStatus.decode(bytes.extracting(body)),
            self.parameters.contain(name), self.reported[name] == nil, self.changes[name] == nil
        else { return false }
        let started = plan.parameters(of: self.requested)
        let (plain, welcome) = server.pool.state.withLock { state in
            (state.parameterSets.welcome(for: .none), state.parameterSets.welcome(for: started))
        }
        guard let own = welcome?.value(of: name, for: started, named: plan.applicationName),
            let reset = plain?.value(of: name, for: .none, named: plan.applicationName)
        else { return false }
        // Another value than the server's own is one that somebody has set.
        return reset.hasSameBytes(as: value) && !own.hasSameBytes(as: value)
    }

    /// From `offset` on stand reports, if anything, and then the end of an answer, outside of a transaction.
    private static func endsOutside(_ bytes: borrowing Span<UInt8>, from offset: Int) -> Bool {
        var position = offset
        while let header = MessageHeader.read(bytes, at: position), header.isValid,
            header.wireLength <= bytes.count - position
        {
            if header.kind == BackendMessageKind.readyForQuery {
                return header.bodyLength == 1 && bytes[position + MessageHeader.size] == TransactionStatus.idle.rawValue
            }
            guard header.kind == BackendMessageKind.parameterStatus else { return false }
            position += header.wireLength
        }
        return false
    }

    /// What a startup packet asked for, with what the client has SET since.
    func changed(_ requested: SessionParameters) -> SessionParameters {
        self.changes.reduce(requested) { $0.setting($1.key, to: $1.value) }
    }

    /// Whether the turn that ends leaves something to settle.
    func hasReports(of server: ServerConnection) -> Bool {
        !self.reported.isEmpty || (!self.changes.isEmpty && server.scanner.lostParameters)
    }

    /// The turn ends: what was reported last follows the client, or the client is told what holds from now on.
    func settleReports(of server: ServerConnection) {
        let plan = server.pool.plan
        let scanner = server.scanner
        // DISCARD ALL has ended what followed the client, also where the server's own value is the same and it was
        // silent about it. What its startup packet asked for holds again, as with PostgreSQL.
        let reported =
            scanner.lostParameters ? self.changes.merging(self.reported) { _, last in last } : self.reported
        self.reported = [:]
        let hasReset = scanner.lostParameters || scanner.hasReset
        let hasSet = scanner.residue.hasSettings
        let started = plan.syncsParameters ? plan.parameters(of: self.requested) : .none
        // Nil in a pool that a reload has made, as long as nobody has logged in there with these parameters.
        let welcome = server.pool.state.withLock { $0.parameterSets.welcome(for: started) }
        if plan.syncsParameters, hasReset || hasSet {
            for (name, value) in reported where Self.followed.contains(name) {
                let own = welcome?.value(of: name, for: started, named: plan.applicationName)
                // Which of them were reset and which were set in a turn that did both, nobody can tell. But what holds
                // in the end as it did before was not reset: a RESET went with its transaction.
                let stands = !scanner.lostParameters && self.changes[name]?.hasSameBytes(as: value) == true
                let follows = (!hasReset || stands) && !plan.manages(name) && own?.hasSameBytes(as: value) != true
                self.changes[name] = follows ? value : nil
            }
            self.parameters = server.pool.recall(self.changed(self.requested)).parameters
            // Where nothing is cleaned, the session has them from now on; the next client's are others.
            if hasSet, !hasReset, !plan.cleansSessions { server.applied = self.parameters }
        }
        // A change that nobody takes back, or one that was not the client's, holds.
        guard server.isSpent || hasReset || (hasSet && plan.cleansSessions) else { return }
        var writer = MessageWriter()
        for (name, last) in reported {
            let own = self.changes[name] ?? welcome?.value(of: name, for: started, named: plan.applicationName)
            if let own, !own.hasSameBytes(as: last) { writer.parameterStatus(name: name, value: own) }
        }
        if !writer.bytes.isEmpty { self.send(writer.bytes) }
    }
}
