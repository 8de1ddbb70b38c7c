/// A change to what a client or a server has prepared, made when the message that causes it was sent, and taken back
/// when the server skips that message.
///
/// Only a skipped message changes nothing; one that was carried out stands, whatever fails after it: prepared
/// statements are not transactional (PREPARE, "Description").
struct StatementChange: Sendable {
    enum Subject: Hashable, Sendable {
        /// A name of the client, cut to the bytes that count.
        case name([UInt8])
        case unnamed
        /// A statement on the server.
        case prepared(StatementID)
        /// A statement on the server that nobody wants any more.
        case unwanted(StatementID)
        case serverUnnamed
        /// The client was told that the result of a statement has changed.
        case told(StatementID)
        /// A portal of the client's that deallocates was run.
        case portalRun([UInt8])
    }

    enum Before: Sendable {
        case statement(PreparedStatement?)
        case isPrepared(Bool)
        case server(ServerStatements.Unnamed)
    }

    let sequence: Int
    let batch: Int
    let subject: Subject
    var before: Before
}

extension ServerStatements {
    /// Changes that are kept at most. Those of messages under way are fewer (`AnswerScript.tokensMax`, two for each); a
    /// batch of any length goes on, because what was answered in it is not kept.
    static let changesMax = 4 * AnswerScript.tokensMax

    /// A change of `subject` by a batch before the open one may still be taken back: nobody can tell what holds.
    func isUnsettled(_ subject: StatementChange.Subject) -> Bool {
        self.hasEarlierChanges && self.changes.batches(of: subject, open: self.script.batch).areEarlier
    }

    /// The subject's latest change belongs to an earlier batch; one of the open batch hides it.
    func isLatestUnsettled(_ subject: StatementChange.Subject) -> Bool {
        guard self.hasEarlierChanges else { return false }
        let batches = self.changes.batches(of: subject, open: self.script.batch)
        return batches.areEarlier && !batches.isOpen
    }

    /// An earlier batch has prepared or closed the statement on the server, which may still skip that.
    func isUnsettled(statement id: StatementID) -> Bool {
        self.isLatestUnsettled(.prepared(id)) || self.isLatestUnsettled(.unwanted(id))
    }

    /// The open batch has changed the subject.
    func isChanged(_ subject: StatementChange.Subject) -> Bool {
        self.changes.batches(of: subject, open: self.script.batch).isOpen
    }

    /// Batches before the open one have changes that may be taken back. In a single batch, however long, none do.
    private var hasEarlierChanges: Bool {
        guard let first = self.changes.firstBatch else { return false }
        return first < self.script.batch
    }

    /// Notes a change made by the message that is pushed next.
    func note(_ subject: StatementChange.Subject, before: StatementChange.Before) {
        // A message that was answered cannot be taken back, though its batch is still open.
        if self.changes.count >= Self.changesMax {
            self.changes.removeAll(beforeSequence: self.script.answeredSequence)
        }
        self.changes.append(
            StatementChange(
                sequence: self.script.nextSequence,
                batch: self.script.batch,
                subject: subject,
                before: before
            )
        )
    }

    /// Everything of the batches answered by now stands.
    func settleChanges() {
        if self.changes.isEmpty { return }
        // Also where a Sync that a COPY was to ignore has ended the batch, and nobody had counted on it.
        if self.script.isEmpty { return self.changes.removeAll() }
        self.changes.removeAll(before: self.script.answeredBatch)
    }

    /// The message `sequence` failed, and what came behind it in its batch is skipped.
    func takeBack(from sequence: Int, batch: Int, client: ClientStatements?) {
        let skipped = self.changes.range(of: batch, from: sequence)
        var later: [StatementChange.Subject: Int] = [:]
        for index in skipped.reversed() {
            let change = self.changes[index]
            // A Parse of the unnamed statement drops the old one before it can fail.
            let failed = change.sequence == sequence
            let value: StatementChange.Before
            switch change.subject {
            case .unnamed: value = failed ? .statement(nil) : change.before
            case .serverUnnamed: value = failed ? .server(.none) : change.before
            // The error that told it is the failure.
            case .told where failed: continue
            case .name, .prepared, .unwanted, .portalRun, .told: value = change.before
            }
            // Unless a later batch has changed it once more: then that is what its change goes back to.
            let next =
                later[change.subject]
                ?? self.changes.first(of: change.subject, from: skipped.upperBound, behind: batch)
            guard let next else {
                self.undo(change.subject, to: value, client)
                continue
            }
            later[change.subject] = next
            self.changes.setBefore(value, at: next)
        }
        self.changes.remove(skipped)
    }

    /// What was before a change holds again.
    private func undo(
        _ subject: StatementChange.Subject,
        to value: StatementChange.Before,
        _ client: ClientStatements?
    ) {
        switch (subject, value) {
        case (.name(let name), .statement(let statement)): client?.names.set(name, to: statement)
        case (.unnamed, .statement(let statement)): client?.unnamed = statement
        case (.prepared(let id), .isPrepared(let was)):
            if was { self.prepared.restore(id) } else { self.prepared.remove(id) }
        case (.unwanted(let id), .isPrepared): self.unwanted.append(id)
        case (.serverUnnamed, .server(let unnamed)): self.unnamed = unnamed
        case (.told(let id), .isPrepared): client?.forgetChange(id)
        case (.portalRun(let name), .isPrepared): client?.portals[name]?.isDone = false
        default: return
        }
    }
}
