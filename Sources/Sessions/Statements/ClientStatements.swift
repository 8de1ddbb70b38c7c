/// The prepared statements of one client, under its own names, as they will stand when everything it has sent was
/// carried out.
///
/// A class so that the two directions of the relay share it, made when a client first uses the extended protocol.
/// Belongs to its client connection.
package final class ClientStatements: @unchecked Sendable {
    var names = StatementNames()
    var unnamed: PreparedStatement?
    /// Unnamed statements used lately, the last one first.
    private var recent: ContiguousArray<PreparedStatement> = []
    /// Portals bound to a statement that the gateway carries out itself, or after which it has to look again
    /// (`DEALLOCATE`, `DISCARD ALL`, `RESET`, `COPY`).
    var portals: [[UInt8]: OwnPortal] = [:]
    /// Stale statements of which the client has been told: their next use prepares them afresh.
    private var toldStale: Set<StatementID> = []
    private(set) var planner: PlannerSettings?
    /// The long Parse that is still to come in part, or is whole and held.
    package var collected: CollectedParse?

    struct OwnPortal {
        let statement: PreparedStatement
        /// The number of the batch that made it (`AnswerScript.batch`).
        let batch: Int
        /// Carried out already: it cannot be run again.
        var isDone = false
    }

    /// Portals of that kind a client may have in one transaction.
    static let portalsMax = 256
    /// More are forgotten: a client is told of them once more.
    private static let toldMax = 64
    /// More are not compared one by one.
    private static let recentMax = 32
    /// Bytes of a text and its parameter types that are remembered. Longer ones would keep the texts of others out
    /// (`query_interner_max_size`), and to compare them takes as long as to look them up.
    private static let rememberedMax = 4096

    package init(planner: PlannerSettings?) {
        self.planner = planner
    }

    package var namedCount: Int { self.names.count }

    /// Other parameters of the client count than before: it has SET one that follows it, or a reload has changed which
    /// of them the operator settles. What it has prepared is read anew under these, and shared with those who have the
    /// same. Between transactions.
    package func adopt(_ planner: PlannerSettings?) { self.planner = planner }

    /// The transaction is over, and with it every portal.
    package func endTurn() {
        if !self.portals.isEmpty { self.portals.removeAll() }
    }

    /// A simple query was answered in PostgreSQL's place, which would have dropped the unnamed statement for it.
    package func queryAnswered() { self.unnamed = nil }

    /// The transaction of all batches up to `batch` is over.
    func endPortals(before batch: Int) {
        if self.portals.isEmpty { return }
        self.portals = self.portals.filter { $0.value.batch >= batch }
    }

    /// An unnamed statement that this client used lately: no lock, no hashing.
    func recall(tail: borrowing Span<UInt8>) -> PreparedStatement? {
        for index in self.recent.indices where self.recent[index].isSame(tail: tail, planner: self.planner) {
            let statement = self.recent[index]
            if index > 0 {
                self.recent.remove(at: index)
                self.recent.insert(statement, at: 0)
            }
            return statement
        }
        return nil
    }

    func remember(_ statement: PreparedStatement, limit: Int) {
        let size = statement.text.count + statement.parameterTypes.count
        guard limit > 0, size <= Self.rememberedMax else { return }
        while self.recent.count >= min(limit, Self.recentMax) { self.recent.removeLast() }
        self.recent.insert(statement, at: 0)
    }

    /// Gives up what it holds for its convenience alone.
    func forgetRecent() { self.recent.removeAll() }

    /// The statement with this id is of no more use to anybody, as the client is told.
    func expire(_ id: StatementID) {
        if let unnamed = self.unnamed, unnamed.id == id {
            unnamed.markStale()
            self.learnOfChange(unnamed)
        }
        for statement in self.names.statements where statement.id == id {
            statement.markStale()
            self.learnOfChange(statement)
        }
    }

    /// The server could not read the statement with this id again; whoever prepares its text now gets another one.
    func outdate(_ id: StatementID) {
        if let unnamed = self.unnamed, unnamed.id == id { return unnamed.outdate() }
        self.names.first(withID: id)?.outdate()
    }

    /// Whether the client has been told that the statement, which it has, is stale.
    func knowsOfChange(_ stale: PreparedStatement) -> Bool { self.toldStale.contains(stale.id) }

    func learnOfChange(_ stale: PreparedStatement) {
        if self.toldStale.count >= Self.toldMax { self.toldStale.removeAll() }
        self.toldStale.insert(stale.id)
    }

    /// What was to tell it was skipped.
    func forgetChange(_ id: StatementID) { self.toldStale.remove(id) }

    /// Puts a fresh statement in the place of `stale`, which the client has under `name` (the unnamed one for an empty
    /// name). Other names of it find the fresh one when they are used, and their client knows of the change by then: to
    /// look for them takes as long as there are names.
    func replace(_ stale: PreparedStatement, named name: [UInt8], by fresh: PreparedStatement) {
        if name.isEmpty { self.unnamed = fresh } else { self.names.set(name, to: fresh) }
        self.recent.removeAll { $0 === stale }
    }
}
