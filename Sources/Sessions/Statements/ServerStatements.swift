import PGWire

/// What a server connection has prepared, as it will stand when everything sent to it was carried out, and the script
/// of its pending answers.
///
/// A class so that the two directions of the relay share it. Belongs to its server connection.
package final class ServerStatements: @unchecked Sendable {
    /// The server's own unnamed statement.
    enum Unnamed {
        case none
        case statement(PreparedStatement)
        /// There is one, of no use to anybody.
        case other

        func holds(_ statement: PreparedStatement) -> Bool {
            if case .statement(let held) = self { held === statement } else { false }
        }
    }

    var script = AnswerScript()
    var prepared: StatementLRU
    var unnamed = Unnamed.none
    /// What becomes undone when a message is skipped, batch by batch; empty as soon as everything was answered.
    var changes = ChangeLog()
    /// Statements that the server holds and nobody wants any more; closed in front of the next batch.
    var unwanted: [StatementID] = []
    /// A request was sent that may drop statements in ways the gateway sees only afterwards: nothing that depends on
    /// them goes out before it is answered.
    package internal(set) var mustSettle = false
    /// A RESET was sent that may not have been answered: behind its batch nothing goes out before it is.
    var isResetting = false
    /// The client's names that the query under way deallocates, in order.
    var deallocating: [[UInt8]] = []
    /// Statements of the client's own names that the server was given to deallocate, and has not yet.
    package internal(set) var lentCount = 0
    /// When the last error came, requests had been passed on into its COPY, or behind it.
    var isMixed = false
    /// Books since the last `takeCounts`.
    private(set) var hits: UInt64 = 0
    private(set) var misses: UInt64 = 0
    private(set) var evictions: UInt64 = 0

    package init(capacity: Int) {
        self.prepared = StatementLRU(capacity: capacity)
    }

    /// Nothing is owed to the client, by the server or in its place. (Other rooms ask for this, not for the script,
    /// which they would have to copy.)
    package var isSettled: Bool { self.script.isEmpty }
    /// How many messages have been answered, by which alone a message that is held may go on; nil where a COPY in doubt
    /// makes more of a difference.
    package var answered: Int? { self.script.inquiry.isOpen ? nil : self.script.answeredSequence }

    /// An answer of the gateway's own is next.
    package var isInjectionNext: Bool { self.script.isInjectionNext }

    package var preparedCount: Int { self.prepared.count }

    /// A client takes the server over.
    package func beginTurn() {
        if !self.script.isFresh { self.script.reset() }
        if !self.changes.isEmpty { self.changes.removeAll() }
        self.mustSettle = false
        self.isResetting = false
        self.lentCount = 0
        if !self.deallocating.isEmpty { self.deallocating.removeAll() }
    }

    /// A longer text is not kept for the chance that the next client asks for it.
    private static let unnamedKeptMax = 4096

    /// The client is done, and everything was answered.
    package func endTurn() {
        if case .statement(let held) = self.unnamed, held.text.count > Self.unnamedKeptMax { self.unnamed = .other }
    }

    /// A simple query of the gateway's own ran, and took the unnamed statement away.
    package func queryRan() { self.unnamed = .none }

    package func takeInjected(into out: inout [UInt8]) { self.script.takeInjected(into: &out) }

    /// What is to be sent to learn whether the Syncs in doubt are still to be answered; the client sees nothing of it.
    package func probe(ledger: inout AnswerLedger) -> [UInt8] {
        let maySkip = ledger.isUnsynced
        // An error of the gateway's own message may have made it skip.
        let isLed = maySkip || self.script.inquiry.challenge != 0
        if isLed { ledger.syncSent() }
        ledger.extendedSent()
        ledger.syncSent()
        self.script.pushProbe(isLed: isLed, maySkip: maySkip)
        return isLed ? Self.ledProbe : Self.plainProbe
    }

    /// The Close of a statement that no server has changes nothing, in whatever state the transaction is.
    private static let plainProbe: [UInt8] = {
        var writer = MessageWriter()
        writer.close(kind: .statement, name: "pggateway_refused")
        writer.sync()
        return writer.bytes
    }()

    /// A Sync behind a failure changes nothing either: no transaction is open that it could end.
    private static let ledProbe: [UInt8] = {
        var writer = MessageWriter()
        writer.sync()
        return writer.bytes + ServerStatements.plainProbe
    }()

    /// DEALLOCATE ALL or DISCARD ALL was carried out.
    package func droppedAll() {
        self.prepared.removeAll()
        self.unwanted.removeAll()
    }

    package func takeCounts() -> (hits: UInt64, misses: UInt64, evictions: UInt64) {
        let counts = (self.hits, self.misses, self.evictions)
        self.hits = 0
        self.misses = 0
        self.evictions = 0
        return counts
    }

    func noteHit() { self.hits &+= 1 }
    func noteMiss() { self.misses &+= 1 }
    func noteEviction() { self.evictions &+= 1 }
}
