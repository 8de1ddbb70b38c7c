/// The prepared statements of one pool, by what they are: text, parameter types and planner settings.
///
/// A plain value; its owner puts it under a lock. To hold that lock for a moment only, a Parse is read before
/// (`ParseBody`) and a new statement made outside (`PreparedStatement`): `find`, and on a miss make one and `insert`.
/// A hit allocates nothing.
package struct StatementCache: Sendable {
    /// `prepared_statements_cache_size`. Lowering it takes effect with `evictExcess`.
    package var capacity: Int
    package private(set) var hits: UInt64 = 0
    package private(set) var misses: UInt64 = 0
    package private(set) var evictions: UInt64 = 0
    /// Bytes of the texts and parameter types in the cache, a text counted once for each statement that has it.
    package private(set) var bytes = 0

    private var order = SlotOrder()
    private var table = SlotTable()
    private var statements: ContiguousArray<PreparedStatement?> = []

    package init(capacity: Int) {
        self.capacity = capacity
    }

    package var count: Int { self.order.count }

    /// The statement that a Parse asks for, now the most recently used, or nil when it has to be made. A stale one is
    /// as good as none.
    package mutating func find(
        _ body: ParseBody,
        _ bytes: borrowing Span<UInt8>,
        planner: PlannerSettings?,
        isNamed: Bool
    ) -> PreparedStatement? {
        var probe = self.table.probe(Self.short(PreparedStatement.hash(body, planner)))
        while let slot = self.table.next(&probe) {
            guard let statement = self.statements[Int(slot)] else { continue }
            guard statement.matches(body, bytes, planner), statement.isCurrent else { continue }
            self.order.touch(slot)
            self.hits &+= 1
            statement.noteUse(isNamed: isNamed)
            return statement
        }
        self.misses &+= 1
        return nil
    }

    /// Puts in a statement made after a miss and returns the one to use: somebody else's, if that came first. A stale
    /// one makes room for it; beyond the capacity the least recently used ones go. Those stay alive in the hands of
    /// their clients, but nobody new finds them.
    package mutating func insert(_ statement: PreparedStatement, isNamed: Bool) -> PreparedStatement {
        let chosen = self.place(statement)
        chosen.noteUse(isNamed: isNamed)
        return chosen
    }

    private mutating func place(_ statement: PreparedStatement) -> PreparedStatement {
        if let slot = self.slot(matching: statement), let present = self.statements[Int(slot)] {
            if present.isCurrent {
                self.order.touch(slot)
                return present
            }
            self.remove(slot)
        }
        let slot = self.order.addNewest()
        if Int(slot) == self.statements.count {
            self.statements.append(statement)
        } else {
            self.statements[Int(slot)] = statement
        }
        self.table.insert(slot, hash: Self.short(statement.hash))
        self.bytes += Self.size(statement)
        self.evictExcess()
        return statement
    }

    /// Removes a statement that has become stale; a fresh one in its place stays.
    package mutating func removeStale(_ statement: PreparedStatement) {
        statement.markStale()
        guard let slot = self.slot(matching: statement), self.statements[Int(slot)] === statement else { return }
        self.remove(slot)
    }

    /// Removes the least recently used statements beyond the capacity.
    package mutating func evictExcess() {
        while self.count > max(self.capacity, 0) {
            self.remove(self.order.oldest)
            self.evictions &+= 1
        }
    }

    package mutating func removeAll() {
        while self.count > 0 { self.remove(self.order.oldest) }
    }

    /// Removes the least recently used statements until `wanted` of their bytes are gone. False when there are none.
    package mutating func forget(bytes wanted: Int) -> Bool {
        if self.count == 0 { return false }
        let limit = self.bytes - wanted
        while self.count > 0, self.bytes > limit {
            self.remove(self.order.oldest)
            self.evictions &+= 1
        }
        return true
    }

    /// From the most to the least recently used.
    package var contents: [PreparedStatement] {
        var contents: [PreparedStatement] = []
        contents.reserveCapacity(self.count)
        var slot = self.order.oldest
        while slot != SlotOrder.none {
            if let statement = self.statements[Int(slot)] { contents.append(statement) }
            slot = self.order.newer(than: slot)
        }
        return contents.reversed()
    }

    private func slot(matching statement: PreparedStatement) -> Int32? {
        var probe = self.table.probe(Self.short(statement.hash))
        while let slot = self.table.next(&probe) {
            if let present = self.statements[Int(slot)], present.matches(statement) { return slot }
        }
        return nil
    }

    private mutating func remove(_ slot: Int32) {
        guard let statement = self.statements[Int(slot)] else { return }
        self.table.remove(slot, hash: Self.short(statement.hash))
        self.order.remove(slot)
        self.statements[Int(slot)] = nil
        self.bytes -= Self.size(statement)
    }

    private static func short(_ hash: UInt64) -> UInt32 { UInt32(truncatingIfNeeded: hash ^ (hash >> 32)) }

    private static func size(_ statement: PreparedStatement) -> Int {
        statement.text.count + statement.parameterTypes.count
    }
}

/// A row of SHOW PREPARED_STATEMENTS; the pool's name is the caller's to add.
package struct PreparedStatementRow: Sendable, Equatable {
    package let hash: UInt64
    package let name: String
    package let query: String
    package let useCount: UInt64
    /// `named`, `anonymous` or `mixed`.
    package let kind: String

    /// Decodes the text: not to be called under the lock of a cache (`StatementCache.contents` is).
    ///
    /// - Parameter charactersMax: at most so many characters of the text.
    package init(_ statement: PreparedStatement, charactersMax: Int = .max / 4) {
        self.hash = statement.hash
        self.name = String(decoding: statement.serverName, as: UTF8.self)
        // A character has four bytes at most.
        let head = String(decoding: statement.text.prefix(charactersMax * 4), as: UTF8.self)
        self.query = String(String.UnicodeScalarView(head.unicodeScalars.prefix(charactersMax)))
        self.useCount = statement.useCount
        switch statement.kind {
        case .named, nil: self.kind = "named"
        case .anonymous: self.kind = "anonymous"
        case .mixed: self.kind = "mixed"
        }
    }
}
