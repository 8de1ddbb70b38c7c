/// Portals whose execution ends prepared statements (`DEALLOCATE`, `DISCARD ALL` by the extended protocol), takes
/// parameters back, or begins a COPY.
///
/// PostgreSQL carries them out itself, so that everything around them is as it has to be. For `DEALLOCATE name` the
/// server first gets a statement of that name, an empty one, because servers know clients' statements by other names.
extension BatchPass {
    private static var ownTraits: StatementTraits { [.deallocate, .deallocateAll, .discardAll, .copy, .reset] }

    func isOwn(_ statement: PreparedStatement) -> Bool {
        !statement.traits.isDisjoint(with: Self.ownTraits)
    }

    /// The client has as many portals of such statements as it may.
    func isOneTooMany(_ statement: PreparedStatement?) -> Bool {
        guard let statement, self.client.portals.count >= ClientStatements.portalsMax else { return false }
        return self.isOwn(statement)
    }

    mutating func notePortal(_ bytes: borrowing Span<UInt8>, _ portal: Range<Int>, statement: PreparedStatement?) {
        let own = statement.flatMap { self.isOwn($0) ? $0 : nil }
        if own == nil, self.client.portals.isEmpty { return }
        let batch = self.server.script.batch
        let made = own.map { ClientStatements.OwnPortal(statement: $0, batch: batch) }
        self.client.portals[Self.name(bytes, portal)] = made
    }

    /// Execute of the portal follows. Nil when it may go to the server.
    mutating func prepareToExecute(_ portalName: [UInt8]) -> Step? {
        guard let portal = self.client.portals[portalName] else { return nil }
        // What becomes of a message behind a COPY is known when the COPY has begun or is over.
        if !portal.statement.traits.isDisjoint(with: [.discardAll, .deallocateAll, .copy]) {
            self.server.mustSettle = true
            return nil
        }
        if portal.statement.traits.contains(.reset) {
            self.server.isResetting = true
            return nil
        }
        // Whether the portal still stands, and may run, is known when earlier batches were answered.
        if self.server.script.awaitsReady { return .hold }
        guard !portal.isDone, let name = portal.statement.deallocatedName else { return nil }
        if self.server.isUnsettled(.name(name)) { return .hold }
        if name.starts(with: PreparedStatement.namePrefix) { return self.refuse(StatementError.reservedName) }
        guard let known = self.client.names.find(name) else { return nil }
        self.lend(name)
        self.server.lentCount += 1
        self.server.note(.name(name), before: .statement(known))
        self.client.names.set(name, to: nil)
        self.server.note(.portalRun(portalName), before: .isPrepared(true))
        self.client.portals[portalName]?.isDone = true
        return nil
    }

    /// Gives the server an empty statement of a client's own name.
    mutating func lend(_ name: [UInt8]) {
        self.server.script.push(.close, edit: .swallow)
        self.appendClose(name)
        self.server.script.push(.parse, edit: .swallow)
        self.append(kind: Frontend.parse, body: name + [0, 0, 0, 0])
    }
}
