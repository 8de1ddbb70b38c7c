import PGWire

/// Bind, Describe, Execute, Close: the client's names become the server's.
extension BatchPass {
    /// What a client's name stands for on the server, once all that is missing there was sent.
    private enum Place {
        /// The statement, under its own name.
        case shared(PreparedStatement)
        /// The server's unnamed statement.
        case unnamed(StatementID)
        /// Nothing: PostgreSQL is to say so.
        case unknown
        /// A statement whose result has another type than the client was told.
        case changed
        case hold
    }

    /// Not all of a Bind may be there.
    private mutating func refuseBind(_ error: ServerMessageFields) -> Step {
        _ = self.refuse(error)
        return .refused
    }

    /// - Parameter body: the part of the body that is there.
    mutating func bind(_ bytes: borrowing Span<UInt8>, body: Range<Int>, header: MessageHeader) -> Step {
        guard let portalEnd = Self.terminator(bytes, in: body),
            let nameEnd = Self.terminator(bytes, in: (portalEnd + 1)..<body.upperBound)
        else { return self.unterminated(body, header) }
        let (portal, name) = (body.lowerBound..<portalEnd, (portalEnd + 1)..<nameEnd)
        switch self.resolve(bytes, name, counts: true) {
        case .hold: return .hold
        case .changed: return self.refuseBind(StatementError.changedResult)
        case .unnamed(let id):
            if self.isOneTooMany(self.client.unnamed) { return self.refuseBind(StatementError.tooManyPortals) }
            self.server.script.push(.bind, payload: id)
            self.notePortal(bytes, portal, statement: self.client.unnamed)
            return .forward
        case .unknown:
            self.server.script.push(.bind)
            guard let mangled = Self.mangled(bytes, name) else { return .forward }
            return self.rewrite(bytes, before: body.lowerBound..<(portalEnd + 1), name, by: mangled, header)
        case .shared(let statement):
            if self.isOneTooMany(statement) { return self.refuseBind(StatementError.tooManyPortals) }
            self.server.script.pushBind(statement.id, name: bytes.extracting(name))
            self.notePortal(bytes, portal, statement: statement)
            let before = body.lowerBound..<(portalEnd + 1)
            return self.rewrite(bytes, before: before, name, by: statement.serverName, header)
        }
    }

    mutating func describe(_ bytes: borrowing Span<UInt8>, body: Range<Int>, header: MessageHeader) -> Step {
        guard let name = self.target(bytes, body) else { return self.malformed() }
        guard bytes[body.lowerBound] == UInt8(ascii: "S") else {
            guard bytes[body.lowerBound] == UInt8(ascii: "P") else { return self.malformed() }
            self.server.script.push(.describePortal)
            return .forward
        }
        let before = body.lowerBound..<(body.lowerBound + 1)
        switch self.resolve(bytes, name, counts: false) {
        case .hold: return .hold
        case .changed: return self.refuse(StatementError.changedResult)
        case .unnamed(let id):
            self.server.script.push(.describeStatement, payload: id)
            return .forward
        case .unknown:
            self.server.script.push(.describeStatement)
            guard let mangled = Self.mangled(bytes, name) else { return .forward }
            return self.rewrite(bytes, before: before, name, by: mangled, header)
        case .shared(let statement):
            self.server.script.push(.describeStatement, payload: statement.id)
            return self.rewrite(bytes, before: before, name, by: statement.serverName, header)
        }
    }

    mutating func execute(_ bytes: borrowing Span<UInt8>, body: Range<Int>) -> Step {
        guard let nameEnd = Self.terminator(bytes, in: body), body.upperBound == nameEnd + 5 else {
            return self.malformed()
        }
        if !self.client.portals.isEmpty, let step = self.prepareToExecute(Self.name(bytes, body.lowerBound..<nameEnd)) {
            return step
        }
        self.server.script.push(.execute)
        return .forward
    }

    mutating func close(_ bytes: borrowing Span<UInt8>, body: Range<Int>) -> Step {
        guard let name = self.target(bytes, body) else { return self.malformed() }
        guard bytes[body.lowerBound] == UInt8(ascii: "S") else {
            guard bytes[body.lowerBound] == UInt8(ascii: "P") else { return self.malformed() }
            if !self.client.portals.isEmpty { self.client.portals[Self.name(bytes, name)] = nil }
            self.server.script.push(.close)
            return .forward
        }
        if name.isEmpty {
            self.server.note(.unnamed, before: .statement(self.client.unnamed))
            self.client.unnamed = nil
        } else {
            if self.isUnsettled(bytes, name) { return .hold }
            if let statement = self.client.names.find(bytes, name) {
                let name = Self.name(bytes, name)
                self.server.note(.name(name), before: .statement(statement))
                self.client.names.set(name, to: nil)
            }
        }
        // A name that the server was lent, and has not deallocated, must not be found there later.
        let mayBeLent = self.server.lentCount > 0 && !name.isEmpty && Self.mangled(bytes, name) == nil
        if mayBeLent || !Self.isText(bytes, name) {
            self.server.script.push(.close)
            return .forward
        }
        // The server keeps the statement: others use it too.
        self.server.script.push(.inject, payload: AnswerScript.closeComplete)
        return .done
    }

    // MARK: Names

    /// The name in a Describe or Close; nil when the message is malformed.
    private func target(_ bytes: borrowing Span<UInt8>, _ body: Range<Int>) -> Range<Int>? {
        guard body.count >= 2, bytes[body.upperBound - 1] == 0 else { return nil }
        let name = (body.lowerBound + 1)..<(body.upperBound - 1)
        return Self.terminator(bytes, in: name) == nil ? name : nil
    }

    private func find(_ bytes: borrowing Span<UInt8>, _ name: Range<Int>) -> PreparedStatement? {
        name.isEmpty ? self.client.unnamed : self.client.names.find(bytes, name)
    }

    private mutating func resolve(_ bytes: borrowing Span<UInt8>, _ name: Range<Int>, counts: Bool) -> Place {
        let isUnsettled = name.isEmpty ? self.server.isLatestUnsettled(.unnamed) : self.isUnsettled(bytes, name)
        if isUnsettled { return .hold }
        self.closeUnwanted()
        guard var statement = self.find(bytes, name) else {
            if name.isEmpty { self.dropServerUnnamed() }
            return .unknown
        }
        // Drivers remember what they were told of a statement's columns, and read rows by that, also where it has no
        // name and Describe and Bind are in different batches: before a fresh one takes its place, its client is told.
        // In a failed transaction PostgreSQL has another error first.
        if statement.isStale, let place = self.tell(statement, isNamed: !name.isEmpty, counts: counts) { return place }
        let planner = self.client.planner
        if statement.isStale || !PlannerSettings.equal(statement.planner, planner) {
            if let fresh = self.source.replacement(of: statement, planner: planner, isNamed: !name.isEmpty) {
                self.client.replace(statement, named: Self.name(bytes, name), by: fresh)
                statement = fresh
            }
        }
        self.mark(statement.traits)
        return self.supply(statement, isNamed: !name.isEmpty, counts: counts)
    }

    /// Tells the client, once, that the result of a statement has changed; nil when it knows. What tells it is a
    /// message of its batch and may be skipped like any other, and then it does not know.
    private mutating func tell(_ statement: PreparedStatement, isNamed: Bool, counts: Bool) -> Place? {
        if self.server.isUnsettled(.told(statement.id)) { return .hold }
        if self.client.knowsOfChange(statement) { return self.server.isChanged(.told(statement.id)) ? .changed : nil }
        if self.isFailed {
            // Unless the end of the transaction is on its way.
            if self.server.script.awaitsReady { return .hold }
            self.mark(statement.traits)
            return self.supply(statement, isNamed: isNamed, counts: counts)
        }
        self.server.note(.told(statement.id), before: .isPrepared(false))
        self.client.learnOfChange(statement)
        return .changed
    }

    /// Sees to it that the server has the statement.
    private mutating func supply(_ statement: PreparedStatement, isNamed: Bool, counts: Bool) -> Place {
        if self.server.isUnsettled(statement: statement.id) { return .hold }
        if self.server.prepared.touch(statement.id) {
            if counts, isNamed { self.server.noteHit() }
            return .shared(statement)
        }
        if !isNamed, self.server.unnamed.holds(statement) {
            return self.server.isLatestUnsettled(.serverUnnamed) ? .hold : .unnamed(statement.id)
        }
        if !isNamed, !self.isShared(statement) {
            self.server.note(.serverUnnamed, before: .server(self.server.unnamed))
            self.server.unnamed = .statement(statement)
            self.server.script.push(.parse, edit: .swallow)
            statement.appendParse(named: [], to: &self.out)
            return .unnamed(statement.id)
        }
        if !self.makeRoom() { return .hold }
        self.server.noteMiss()
        self.pushParse(statement, edit: .swallow)
        return .shared(statement)
    }

    /// The client has no unnamed statement, so the server must have none.
    private mutating func dropServerUnnamed() {
        if case .none = self.server.unnamed, !self.server.isLatestUnsettled(.serverUnnamed) { return }
        self.server.note(.serverUnnamed, before: .server(self.server.unnamed))
        self.server.unnamed = .none
        self.server.script.push(.close, edit: .swallow)
        self.appendClose([])
    }

    /// A name that the client never prepared must not hit one of ours by chance.
    private static func mangled(_ bytes: borrowing Span<UInt8>, _ name: Range<Int>) -> [UInt8]? {
        let prefix = PreparedStatement.namePrefix
        guard name.count >= prefix.count else { return nil }
        for index in prefix.indices where bytes[name.lowerBound + index] != prefix[index] { return nil }
        return SpanBytes.copy(bytes, name) + [UInt8(ascii: "?")]
    }

    /// Sends the head of the message with another name; the rest of it follows as it is.
    private mutating func rewrite(
        _ bytes: borrowing Span<UInt8>,
        before: Range<Int>,
        _ name: Range<Int>,
        by newName: [UInt8],
        _ header: MessageHeader
    ) -> Step {
        self.appendHeader(header.kind, bodyLength: header.bodyLength &- name.count &+ newName.count)
        self.append(bytes, before)
        self.out.append(contentsOf: newName)
        return .forwardRest(head: MessageHeader.size &+ name.upperBound &- before.lowerBound)
    }

    private mutating func unterminated(_ body: Range<Int>, _ header: MessageHeader) -> Step {
        if body.count == header.bodyLength { return self.malformed() }
        return body.count >= Self.nameLimit ? .nameTooLong : .wait
    }
}
