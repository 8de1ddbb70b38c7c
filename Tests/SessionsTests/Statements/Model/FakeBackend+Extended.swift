import PGWire

/// The messages of the extended protocol.
extension FakeBackend {
    mutating func parse(_ reader: inout ByteReader) throws(Failure) {
        let given = try Self.read { () throws(WireError) in try reader.cStringBytes() }
        let name = Self.cut(given)
        let text = try Self.read { () throws(WireError) in try reader.cStringBytes() }
        let count = try Self.read { () throws(WireError) in try reader.int16() }
        var types: [Int32] = []
        for _ in 0..<Int(UInt16(bitPattern: count)) {
            types.append(try Self.read { () throws(WireError) in try reader.int32() })
        }
        try Self.read { () throws(WireError) in try reader.expectEnd() }
        // The old unnamed statement goes before the new one can fail.
        if name.isEmpty { self.statements[[]] = nil }
        let command = FakeCommand(text)
        if command == .syntaxError { throw Failure("42601", "syntax error in \"\(Self.string(text))\"") }
        if command == .several {
            throw Failure("42601", "cannot insert multiple commands into a prepared statement")
        }
        try self.checkAborted(command)
        if command == .missingTable { throw Failure("42P01", "relation \"missing\" does not exist") }
        if !name.isEmpty, self.statements[name] != nil {
            throw Failure("42P05", "prepared statement \"\(Self.string(given))\" already exists")
        }
        self.statements[name] = Statement(text: text, types: types, path: self.path, command: command)
        self.answer("1")
    }

    mutating func bind(_ reader: inout ByteReader) throws(Failure) {
        let portal = try Self.read { () throws(WireError) in try reader.cStringBytes() }
        let name = try Self.read { () throws(WireError) in try reader.cStringBytes() }
        let statement = try self.find(name)
        try self.checkAborted(statement.command)
        var parameters: [[UInt8]?] = []
        try Self.read { () throws(WireError) in
            for _ in 0..<max(try reader.int16(), 0) { _ = try reader.int16() }
            for _ in 0..<max(try reader.int16(), 0) {
                let length = try reader.int32()
                parameters.append(length < 0 ? nil : try reader.bytes(Int(length)))
            }
            for _ in 0..<max(try reader.int16(), 0) { _ = try reader.int16() }
            try reader.expectEnd()
        }
        guard parameters.count == statement.command.parameterCount else {
            let (count, name) = (parameters.count, Self.string(name))
            let supplies = "bind message supplies \(count) parameters"
            throw Failure("08P01", "\(supplies), but prepared statement \"\(name)\" requires another number")
        }
        if !portal.isEmpty, self.portals[portal] != nil {
            throw Failure("42P03", "cursor \"\(Self.string(portal))\" already exists")
        }
        if statement.types.first == 23, let value = parameters.first ?? nil {
            guard Int32(Self.string(value)) != nil else {
                throw Failure("22P02", "invalid input syntax for type integer: \"\(Self.string(value))\"")
            }
        }
        try self.checkPlan(statement)
        self.portals[portal] = Portal(statement: statement, parameters: parameters)
        self.answer("2")
    }

    mutating func describe(_ object: NamedObject, _ name: [UInt8]) throws(Failure) {
        switch object {
        case .statement:
            let statement = try self.find(name)
            try self.checkAborted(statement.command)
            try self.checkPlan(statement)
            var body: [UInt8] = [0, 0]
            if statement.command == .echo {
                body = [0, 1]
                let type = UInt32(bitPattern: statement.types.first ?? 25)
                for shift in [24, 16, 8, 0] as [UInt32] { body.append(UInt8(truncatingIfNeeded: type >> shift)) }
            }
            self.answer("t", body)
            self.describeRows(statement)
        case .portal:
            guard let portal = self.portals[name] else { throw Self.noPortal(name) }
            try self.checkAborted(portal.statement.command)
            self.describeRows(portal.statement)
        }
    }

    private mutating func describeRows(_ statement: Statement) {
        guard statement.command.hasRows else { return self.answer("n") }
        // The name of the column is where the result type shows.
        let column = statement.command == .place ? "place in \(statement.path)" : Self.string(statement.text)
        self.answer("T", [0, 1] + Array(column.utf8) + [0] + Array(repeating: 0, count: 18))
    }

    mutating func execute(_ reader: inout ByteReader) throws(Failure) {
        let name = try Self.read { () throws(WireError) in try reader.cStringBytes() }
        let limit = try Self.read { () throws(WireError) in try reader.int32() }
        try Self.read { () throws(WireError) in try reader.expectEnd() }
        guard var portal = self.portals[name] else { throw Self.noPortal(name) }
        let command = portal.statement.command
        if command == .empty { return self.answer("I") }
        try self.checkAborted(command)
        guard command.hasRows else {
            if portal.isDone { throw Failure("55000", "portal \"\(Self.string(name))\" cannot be run") }
            self.portals[name]?.isDone = true
            if command.isCopy { return self.beginCopy(command, isExtended: true) }
            return try self.run(command)
        }
        if command == .divideByZero { throw Failure("22012", "division by zero") }
        let rows = self.rows(of: portal)
        let count = limit > 0 ? min(Int(limit), rows.count - portal.sent) : rows.count - portal.sent
        for row in rows[portal.sent..<(portal.sent + count)] { self.output += row }
        portal.sent += count
        self.portals[name] = portal
        if limit > 0, count == Int(limit) { self.answer("s") } else { self.complete("SELECT \(count)") }
    }

    private func rows(of portal: Portal) -> [[UInt8]] {
        switch portal.statement.command {
        case .rows(let count): (0..<count).map { Self.row(Array("\($0)".utf8)) }
        case .echo: [Self.row(portal.parameters.first ?? nil)]
        default: [Self.row(Array(portal.statement.path.utf8))]
        }
    }

    mutating func close(_ object: NamedObject, _ name: [UInt8]) {
        switch object {
        case .statement: self.statements[Self.cut(name)] = nil
        case .portal: self.portals[name] = nil
        }
        self.answer("3")
    }

    // MARK: Small things

    private func find(_ name: [UInt8]) throws(Failure) -> Statement {
        if let statement = self.statements[Self.cut(name)] { return statement }
        if name.isEmpty { throw Failure("26000", "unnamed prepared statement does not exist") }
        throw Failure("26000", "prepared statement \"\(Self.string(name))\" does not exist")
    }

    /// Planned anew under another `search_path`, the statement must still have the same result type.
    private func checkPlan(_ statement: Statement) throws(Failure) {
        if statement.command == .place, statement.path != self.path {
            throw Failure("0A000", "cached plan must not change result type", routine: "RevalidateCachedQuery")
        }
    }

    static func noPortal(_ name: [UInt8]) -> Failure {
        Failure("34000", "portal \"\(self.string(name))\" does not exist")
    }

    static func cut(_ name: [UInt8]) -> [UInt8] { Array(name.prefix(self.nameBytes)) }

    static func string(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

    static func row(_ value: [UInt8]?) -> [UInt8] {
        guard let value else { return frame("D", [0, 1, 0xFF, 0xFF, 0xFF, 0xFF]) }
        return frame("D", [0, 1, 0, 0, 0, UInt8(clamping: value.count)] + value)
    }
}
