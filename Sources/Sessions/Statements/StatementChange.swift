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
        case prepared(Int32)
        case serverUnnamed
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
    /// A change of `subject` by a batch before the open one may still be taken back: nobody can tell what holds.
    func isUnsettled(_ subject: StatementChange.Subject) -> Bool {
        if self.changes.isEmpty { return false }
        let open = self.script.batch
        return self.changes.contains { change in
            if change.batch == open { return false }
            if change.subject == subject { return true }
            if case .name = subject { return change.subject == .allNames }
            if case .name = change.subject { return subject == .allNames }
            return false
        }
    }

    /// The subject's latest change belongs to an earlier batch; one of the open batch hides it.
    func isLatestUnsettled(_ subject: StatementChange.Subject) -> Bool {
        guard let latest = self.changes.last(where: { $0.subject == subject }) else { return false }
        return latest.batch != self.script.batch
    }

    /// Notes a change made by the message that is pushed next.
    func note(_ subject: StatementChange.Subject, before: StatementChange.Before) {
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
        let answered = self.script.answeredBatch
        self.changes.removeAll { $0.batch < answered }
    }

    /// The message `sequence` failed, and what came behind it in its batch is skipped.
    func takeBack(from sequence: Int, batch: Int, client: ClientStatements?) {
        for index in self.changes.indices.reversed() {
            let change = self.changes[index]
            guard change.batch == batch, change.sequence >= sequence else { continue }
            // A Parse of the unnamed statement drops the old one before it can fail.
            let failed = change.sequence == sequence
            switch change.subject {
            case .unnamed: self.undo(index, to: failed ? .statement(nil) : change.before, client: client)
            case .serverUnnamed: self.undo(index, to: failed ? .server(.none) : change.before, client: client)
            case .name, .allNames, .prepared: self.undo(index, to: change.before, client: client)
            }
        }
        self.changes.removeAll { $0.batch == batch && $0.sequence >= sequence }
    }

    /// What was before a change holds again, unless a later batch has changed it once more.
    private func undo(_ index: Int, to value: StatementChange.Before, client: ClientStatements?) {
        let (subject, batch) = (self.changes[index].subject, self.changes[index].batch)
        let later = self.changes[(index + 1)...].firstIndex { $0.batch != batch && $0.subject == subject }
        if let later {
            self.changes[later].before = value
            return
        }
        switch (subject, value) {
        case (.name(let name), .statement(let statement)): client?.names.set(name, to: statement)
        case (.allNames, .names(let names)): client?.names = names
        case (.unnamed, .statement(let statement)): client?.unnamed = statement
        case (.prepared(let id), .isPrepared(let was)):
            if was { self.prepared.restore(id) } else { self.prepared.remove(id) }
        case (.serverUnnamed, .server(let unnamed)): self.unnamed = unnamed
        default: return
        }
    }
}
