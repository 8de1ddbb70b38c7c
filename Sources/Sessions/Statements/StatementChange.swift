/// A change to what a client or a server has prepared, made when the message that causes it was sent, and taken back
/// when the server skips that message.
///
/// Only a skipped message changes nothing; one that was carried out stands, whatever fails after it: prepared
/// statements are not transactional (PREPARE, "Description").
struct StatementChange: Sendable {
    enum Subject: Equatable, Sendable {
        /// A name of the client, cut to the bytes that count.
        case name([UInt8])
        /// All of the client's names.
        case allNames
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
        case names(StatementNames)
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
        let count = self.earlierCount
        if count == 0 { return false }
        return self.changes[..<count].contains { change in
            if change.subject == subject { return true }
            if case .name = subject { return change.subject == .allNames }
            if case .name = change.subject { return subject == .allNames }
            return false
        }
    }

    /// The subject's latest change belongs to an earlier batch; one of the open batch hides it.
    func isLatestUnsettled(_ subject: StatementChange.Subject) -> Bool {
        let count = self.earlierCount
        guard count > 0, self.changes[..<count].contains(where: { $0.subject == subject }) else { return false }
        return !self.changes[count...].contains { $0.subject == subject }
    }

    /// An earlier batch has prepared or closed the statement on the server, which may still skip that.
    func isUnsettled(statement id: StatementID) -> Bool {
        self.isLatestUnsettled(.prepared(id)) || self.isLatestUnsettled(.unwanted(id))
    }

    /// The open batch has changed the subject.
    func isChanged(_ subject: StatementChange.Subject) -> Bool {
        self.changes.contains { $0.subject == subject && $0.batch == self.script.batch }
    }

    /// Changes of batches before the open one. There are none in a single batch, however long it is.
    private var earlierCount: Int {
        guard let first = self.changes.first, first.batch != self.script.batch else { return 0 }
        return self.changeCount(before: self.script.batch)
    }

    /// Changes of batches before `batch`: the first ones, since batches follow each other. (Only a COPY takes numbers
    /// of batches back, and a server that has got more than COPY messages by then breaks the connection.)
    private func changeCount(before batch: Int) -> Int {
        var (low, high) = (0, self.changes.count)
        while low < high {
            let middle = (low &+ high) / 2
            if self.changes[middle].batch < batch { low = middle &+ 1 } else { high = middle }
        }
        return low
    }

    /// Notes a change made by the message that is pushed next.
    func note(_ subject: StatementChange.Subject, before: StatementChange.Before) {
        if self.changes.count >= Self.changesMax { self.forgetAnswered() }
        self.changes.append(
            StatementChange(
                sequence: self.script.nextSequence,
                batch: self.script.batch,
                subject: subject,
                before: before
            )
        )
    }

    /// A message that was answered cannot be taken back, though its batch is still open.
    private func forgetAnswered() {
        let answered = self.script.answeredSequence
        self.changes.removeAll { $0.sequence < answered }
    }

    /// Everything of the batches answered by now stands.
    func settleChanges() {
        if self.changes.isEmpty { return }
        // Also where a Sync that a COPY was to ignore has ended the batch, and nobody had counted on it.
        if self.script.isEmpty { return self.changes.removeAll(keepingCapacity: true) }
        let answered = self.script.answeredBatch
        self.changes.removeAll { $0.batch < answered }
    }

    /// The message `sequence` failed, and what came behind it in its batch is skipped.
    func takeBack(from sequence: Int, batch: Int, client: ClientStatements?) {
        let later = self.changeCount(before: batch &+ 1)
        for index in self.changes.indices.reversed() {
            let change = self.changes[index]
            guard change.batch == batch, change.sequence >= sequence else { continue }
            // A Parse of the unnamed statement drops the old one before it can fail.
            let failed = change.sequence == sequence
            switch change.subject {
            case .unnamed: self.undo(index, to: failed ? .statement(nil) : change.before, client, later)
            case .serverUnnamed: self.undo(index, to: failed ? .server(.none) : change.before, client, later)
            // The error that told it is the failure.
            case .told where failed: continue
            case .name, .allNames, .prepared, .unwanted, .portalRun, .told:
                self.undo(index, to: change.before, client, later)
            }
        }
        self.changes.removeAll { $0.batch == batch && $0.sequence >= sequence }
    }

    /// What was before a change holds again, unless a later batch has changed it once more.
    ///
    /// - Parameter later: where the changes of later batches begin.
    private func undo(_ index: Int, to value: StatementChange.Before, _ client: ClientStatements?, _ later: Int) {
        let subject = self.changes[index].subject
        let start = max(index &+ 1, later)
        if let later = self.changes[start...].firstIndex(where: { $0.subject == subject }) {
            self.changes[later].before = value
            return
        }
        switch (subject, value) {
        case (.name(let name), .statement(let statement)): client?.names.set(name, to: statement)
        case (.allNames, .names(let names)): client?.names = names
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
