import PGWire

/// Parse: the statement is found or made in the pool; the server gets it when it does not have it.
extension BatchPass {
    mutating func parse(_ bytes: borrowing Span<UInt8>, body: Range<Int>) -> Step {
        guard let nameEnd = Self.terminator(bytes, in: body) else { return self.malformed() }
        let name = body.lowerBound..<nameEnd
        let tail = bytes.extracting((nameEnd + 1)..<body.upperBound)
        let isNamed = !name.isEmpty
        if isNamed, self.isUnsettled(bytes, name) { return .hold }
        if isNamed, !self.source.allowsNamed { return self.refuse(StatementError.switchedOff) }
        self.closeUnwanted()
        self.checkEncoding(bytes, name)
        guard let lookup = self.lookUp(tail, isNamed: isNamed) else { return self.malformed() }
        guard case .found(let statement) = lookup else { return self.refuse(StatementError.memory) }
        if !statement.traits.isDisjoint(with: [.prepare, .execute]) { return self.refuse(StatementError.sqlPrepare) }
        if statement.traits.contains(.unreadableName) { return self.refuse(StatementError.unicodeName) }
        if isNamed, self.client.names.find(bytes, name) != nil {
            self.parseUnnamed(tail, edit: .swallow)
            // It waits in the script until it is told: whole, a name as long as a message would cost as much each time.
            let told = name.lowerBound..<min(name.upperBound, name.lowerBound &+ Self.nameLimit)
            return self.refuse(StatementError.duplicate(SpanBytes.copy(bytes, told)))
        }
        if isNamed, self.client.names.isFull { return self.refuse(StatementError.tooMany) }
        return self.place(statement, named: isNamed ? Self.name(bytes, name) : nil, tail: tail)
    }

    /// Nil when the message is not one.
    private mutating func lookUp(_ tail: borrowing Span<UInt8>, isNamed: Bool) -> StatementLookup? {
        if !isNamed, let known = self.client.recall(tail: tail), known.isCurrent {
            known.noteUse(isNamed: false)
            return .found(known)
        }
        let planner = self.client.planner
        var lookup = self.source.statement(tail: tail, planner: planner, isNamed: isNamed)
        if case .exhausted = lookup {
            // Before anybody is refused, what is remembered for speed alone goes.
            self.client.forgetRecent()
            lookup = self.source.statement(tail: tail, planner: planner, isNamed: isNamed)
        }
        switch lookup {
        case .malformed: return nil
        case .found(let statement):
            if !isNamed, !statement.traits.contains(.fetch), self.source.mayRemember {
                self.client.remember(statement, limit: self.source.recentMax)
            }
        case .exhausted: break
        }
        return lookup
    }

    /// Enters the statement under the client's name and sees to it that the client gets its ParseComplete, or the error
    /// that PostgreSQL has for it.
    private mutating func place(
        _ statement: PreparedStatement,
        named name: [UInt8]?,
        tail: borrowing Span<UInt8>
    ) -> Step {
        if name == nil, !self.isShared(statement) {
            self.server.noteMiss()
            self.noteClient(nil, statement)
            self.server.note(.serverUnnamed, before: .server(self.server.unnamed))
            self.server.unnamed = .statement(statement)
            self.server.script.push(.parse)
            self.appendParse(tail)
            return .done
        }
        if self.server.isUnsettled(statement: statement.id) { return .hold }
        if self.server.prepared.touch(statement.id) {
            self.server.noteHit()
            self.noteClient(name, statement)
            // In a failed transaction, or where that cannot be known yet, PostgreSQL decides.
            if self.isStatusKnownGood {
                self.server.script.push(.inject, payload: AnswerScript.parseComplete)
            } else {
                self.parseUnnamed(tail, edit: .none)
            }
            return .done
        }
        if !self.makeRoom() { return .hold }
        self.server.noteMiss()
        self.noteClient(name, statement)
        self.pushParse(statement, edit: .none)
        return .done
    }

    /// An unnamed statement is kept on servers once it is seen to come back: texts with values in them never do, and
    /// would push out those that do.
    func isShared(_ statement: PreparedStatement) -> Bool {
        self.source.sharesUnnamed && (statement.useCount > 1 || self.server.prepared.contains(statement.id))
    }

    private var isStatusKnownGood: Bool { !self.server.script.awaitsReady && !self.isFailed }

    private func noteClient(_ name: [UInt8]?, _ statement: PreparedStatement) {
        if let name {
            self.server.note(.name(name), before: .statement(nil))
            self.client.names.set(name, to: statement)
        } else {
            self.server.note(.unnamed, before: .statement(self.client.unnamed))
            self.client.unnamed = statement
        }
    }

    // MARK: Parse messages towards the server

    /// Parses into the server's unnamed statement.
    mutating func parseUnnamed(_ tail: borrowing Span<UInt8>, edit: AnswerScript.Edit) {
        self.server.note(.serverUnnamed, before: .server(self.server.unnamed))
        self.server.unnamed = .other
        self.server.script.push(.parse, edit: edit)
        self.appendParse(tail)
    }

    private mutating func appendParse(_ tail: borrowing Span<UInt8>) {
        self.appendHeader(Frontend.parse, bodyLength: 1 &+ tail.count)
        self.out.append(0)
        self.append(tail, 0..<tail.count)
    }

    /// Prepares the statement on the server under its own name. Call `makeRoom` before.
    mutating func pushParse(_ statement: PreparedStatement, edit: AnswerScript.Edit) {
        self.server.note(.prepared(statement.id), before: .isPrepared(false))
        _ = self.server.prepared.insert(statement.id)
        self.server.script.push(.parse, edit: edit)
        statement.appendParse(named: statement.serverName, to: &self.out)
    }

    /// Closes the server's least recently used statement if another one is to come. False when nobody can tell yet
    /// whether the server has it.
    mutating func makeRoom() -> Bool {
        while let victim = self.server.prepared.victim {
            if self.server.isLatestUnsettled(.prepared(victim)) { return false }
            self.server.note(.prepared(victim), before: .isPrepared(true))
            self.server.prepared.remove(victim)
            self.server.noteEviction()
            self.closePrepared(victim)
        }
        return true
    }

    /// Closes statements that PostgreSQL will not run any more.
    mutating func closeUnwanted() {
        if self.server.unwanted.isEmpty { return }
        for id in self.server.unwanted {
            self.server.note(.unwanted(id), before: .isPrepared(true))
            self.closePrepared(id)
        }
        self.server.unwanted.removeAll()
    }

    private mutating func closePrepared(_ id: StatementID) {
        self.server.script.push(.close, edit: .swallow)
        self.appendClose(PreparedStatement.serverName(id))
    }

    // MARK: Names

    func isUnsettled(_ bytes: borrowing Span<UInt8>, _ name: Range<Int>) -> Bool {
        self.server.changes.isEmpty ? false : self.server.isUnsettled(.name(Self.name(bytes, name)))
    }

    /// Not of the protocol: PostgreSQL says so.
    mutating func malformed() -> Step {
        self.server.script.push(.failing)
        return .forward
    }

    /// Whether a name is text is for PostgreSQL to say where it is not UTF-8: it knows the client's encoding. It closes
    /// no statement of the name, because servers have none.
    mutating func checkEncoding(_ bytes: borrowing Span<UInt8>, _ name: Range<Int>) {
        if Self.isText(bytes, name) { return }
        self.server.script.push(.close, edit: .swallow)
        self.appendClose(SpanBytes.copy(bytes, name))
    }

    /// UTF-8, or not named by bytes that an encoding could forbid.
    static func isText(_ bytes: borrowing Span<UInt8>, _ name: Range<Int>) -> Bool {
        for index in name where bytes[index] >= 0x80 {
            return String(validating: SpanBytes.copy(bytes, name), as: UTF8.self) != nil
        }
        return true
    }
}
