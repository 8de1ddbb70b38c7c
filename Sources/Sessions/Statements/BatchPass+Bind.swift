import PGWire

/// Bind, Describe, Execute, Close: the client's names become the server's.
extension BatchPass {
    /// What a client's name stands for on the server, once all that is missing there was sent.
    private enum Place {
        /// The statement, under its own name.
        case shared(PreparedStatement, name: Int32)
        /// The server's unnamed statement.
        case unnamed(Int32)
        /// Nothing: PostgreSQL is to say so.
        case unknown
        case hold
    }

    /// - Parameter body: the part of the body that is there.
    mutating func bind(_ bytes: borrowing Span<UInt8>, body: Range<Int>, header: MessageHeader) -> Step {
        guard let portalEnd = Self.terminator(bytes, in: body),
            let nameEnd = Self.terminator(bytes, in: (portalEnd + 1)..<body.upperBound)
        else { return self.unterminated(body, header) }
        let (portal, name) = (body.lowerBound..<portalEnd, (portalEnd + 1)..<nameEnd)
        switch self.resolve(bytes, name, counts: true) {
        case .hold: return .hold
        case .unnamed(let id):
            self.server.script.push(.bind, payload: id)
            self.notePortal(bytes, portal, statement: self.client.unnamed)
            return .forward
        case .unknown:
            self.server.script.push(.bind)
            guard let mangled = Self.mangled(bytes, name) else { return .forward }
            return self.rewrite(bytes, before: body.lowerBound..<(portalEnd + 1), name, by: mangled, header)
        case .shared(let statement, let place):
            self.server.script.push(.bind, payload: statement.id, name: place)
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
        case .unnamed(let id):
            self.server.script.push(.describeStatement, payload: id)
            return .forward
        case .unknown:
            self.server.script.push(.describeStatement)
            guard let mangled = Self.mangled(bytes, name) else { return .forward }
            return self.rewrite(bytes, before: before, name, by: mangled, header)
        case .shared(let statement, _):
            self.server.script.push(.describeStatement, payload: statement.id)
            return self.rewrite(bytes, before: before, name, by: statement.serverName, header)
        }
    }

    mutating func execute(_ bytes: borrowing Span<UInt8>, body: Range<Int>) -> Step {
        guard let nameEnd = Self.terminator(bytes, in: body), body.upperBound == nameEnd + 5 else {
            return self.malformed()
        }
        if !self.client.portals.isEmpty,
            let statement = self.client.portals[SpanBytes.copy(bytes, body.lowerBound..<nameEnd)]
        {
            if let step = self.executeOwn(statement) { return step }
        }
        self.server.script.push(.execute)
        return .forward
    }

    mutating func close(_ bytes: borrowing Span<UInt8>, body: Range<Int>) -> Step {
        guard let name = self.target(bytes, body) else { return self.malformed() }
        guard bytes[body.lowerBound] == UInt8(ascii: "S") else {
            guard bytes[body.lowerBound] == UInt8(ascii: "P") else { return self.malformed() }
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
        if !Self.isText(bytes, name) {
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

    private func find(
        _ bytes: borrowing Span<UInt8>,
        _ name: Range<Int>
    ) -> (statement: PreparedStatement, hint: Int32)? {
        if name.isEmpty { return self.client.unnamed.map { ($0, -1) } }
        return self.client.names.place(bytes, name)
    }

    private mutating func resolve(_ bytes: borrowing Span<UInt8>, _ name: Range<Int>, counts: Bool) -> Place {
        let isUnsettled = name.isEmpty ? self.server.isLatestUnsettled(.unnamed) : self.isUnsettled(bytes, name)
        if isUnsettled { return .hold }
        self.closeUnwanted()
        guard let found = self.find(bytes, name) else {
            if name.isEmpty { self.dropServerUnnamed() }
            return .unknown
        }
        var statement = found.statement
        if statement.isStale {
            if let fresh = self.source.replacement(of: statement, isNamed: !name.isEmpty) {
                self.client.replace(statement, by: fresh)
                statement = fresh
            }
        }
        self.mark(statement.traits)
        return self.supply(statement, name: found.hint, counts: counts)
    }

    /// Sees to it that the server has the statement.
    private mutating func supply(_ statement: PreparedStatement, name: Int32, counts: Bool) -> Place {
        let isNamed = name >= 0
        if self.server.isLatestUnsettled(.prepared(statement.id)) { return .hold }
        if self.server.prepared.touch(statement.id) {
            if counts, isNamed { self.server.noteHit() }
            return .shared(statement, name: name)
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
        return .shared(statement, name: name)
    }

    /// The client has no unnamed statement, so the server must have none.
    private mutating func dropServerUnnamed() {
        if case .none = self.server.unnamed, !self.server.isLatestUnsettled(.serverUnnamed) { return }
        self.server.note(.serverUnnamed, before: .server(self.server.unnamed))
        self.server.unnamed = .none
        self.server.script.push(.close, edit: .swallow)
        self.append(kind: 0x43, body: [UInt8(ascii: "S"), 0])
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

    // MARK: Portals

    private static var ownTraits: StatementTraits { [.deallocate, .deallocateAll, .discardAll] }

    private mutating func notePortal(
        _ bytes: borrowing Span<UInt8>,
        _ portal: Range<Int>,
        statement: PreparedStatement?
    ) {
        let isOwn = statement.map { !$0.traits.isDisjoint(with: Self.ownTraits) } ?? false
        if !isOwn, self.client.portals.isEmpty { return }
        self.client.portals[SpanBytes.copy(bytes, portal)] = isOwn ? statement : nil
    }

    /// Carries out a statement that ends prepared statements. Nil when PostgreSQL has to.
    private mutating func executeOwn(_ statement: PreparedStatement) -> Step? {
        if statement.traits.contains(.discardAll) {
            self.server.mustSettle = true
            return nil
        }
        if statement.traits.contains(.deallocateAll) {
            if self.server.isUnsettled(.allNames) { return .hold }
            self.server.note(.allNames, before: .names(self.client.names))
            self.client.names.removeAll()
            self.server.script.pushInjected(Self.completion("DEALLOCATE ALL"))
            return .done
        }
        guard let name = statement.deallocatedName else { return nil }
        if self.server.isUnsettled(.name(name)) { return .hold }
        guard let known = self.client.names.find(name) else { return nil }
        self.server.note(.name(name), before: .statement(known))
        self.client.names.set(name, to: nil)
        self.server.script.pushInjected(Self.completion("DEALLOCATE"))
        return .done
    }

    static func completion(_ tag: String) -> [UInt8] {
        var writer = MessageWriter()
        writer.commandComplete(tag)
        return writer.bytes
    }
}
