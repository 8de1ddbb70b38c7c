/// What one worker did for one pool since the process started. Times are microseconds.
///
/// Written by its worker only, read by any thread through `CounterTotals`. The fields are neither consistent with each
/// other at a given moment nor ever reset.
@usableFromInline
package final class PoolCounters: Sendable {
    /// Finished transactions; in session mode each transaction of the session.
    @usableFromInline package let transactions = Counter()
    /// Finished queries: simple queries, and what stands before each Sync of the extended protocol.
    @usableFromInline package let queries = Counter()
    /// From clients.
    @usableFromInline package let receivedBytes = Counter()
    /// To clients.
    @usableFromInline package let sentBytes = Counter()
    /// From checkout to check-in, summed.
    @usableFromInline package let transactionTime = Counter()
    /// From query to its end, summed.
    @usableFromInline package let queryTime = Counter()
    /// Times a client got a server.
    @usableFromInline package let checkouts = Counter()
    /// From a client's wish for a server to its checkout, its deadline, its leaving or the failure to open one, summed.
    @usableFromInline package let waitTime = Counter()
    /// ErrorResponses sent to clients.
    @usableFromInline package let errors = Counter()
    /// Connections to servers that became ready.
    @usableFromInline package let serverLogins = Counter()
    /// Connections to servers that failed before they became ready.
    @usableFromInline package let serverLoginFailures = Counter()
    /// Server connections closed, for whatever reason.
    @usableFromInline package let serverCloses = Counter()
    /// Waits for a server that ended without one: at the deadline, with the client, or because none could be opened.
    @usableFromInline package let waitTimeouts = Counter()
    /// Times a prepared statement was on the server that needed it, or had to be parsed there.
    @usableFromInline package let statementHits = Counter()
    @usableFromInline package let statementMisses = Counter()
    /// Prepared statements closed on a server to make room for others.
    @usableFromInline package let statementEvictions = Counter()

    package init() {}
}
