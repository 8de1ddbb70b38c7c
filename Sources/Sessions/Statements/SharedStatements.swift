import PGWire
package import Synchronization

/// The prepared statements of one pool, as the sessions of any worker ask for them.
///
/// Any thread; the lock is held for a look-up or an insertion only, and not at all for what a client used lately.
package final class SharedStatements: StatementSource, Sendable {
    package let cache: Mutex<StatementCache>
    package let allowsNamed: Bool
    package let sharesUnnamed: Bool
    package let recentMax: Int
    private let interner: TextInterner
    private let makeRoom: @Sendable (Int) -> Bool

    /// - Parameters:
    ///   - capacity: statements (`prepared_statements_cache_size`).
    ///   - allowsNamed: `prepared_statements`.
    ///   - sharesUnnamed: `share_unnamed_statements`.
    ///   - recentMax: unnamed statements a client remembers (`client_anonymous_prepared_cache_size`).
    ///   - interner: keeps the texts of all pools.
    ///   - makeRoom: called without the lock when `interner` has no room for a text of so many bytes; true when it has
    ///     by now.
    package init(
        capacity: Int,
        allowsNamed: Bool,
        sharesUnnamed: Bool,
        recentMax: Int,
        interner: TextInterner,
        makeRoom: @escaping @Sendable (Int) -> Bool
    ) {
        self.cache = Mutex(StatementCache(capacity: capacity))
        self.allowsNamed = allowsNamed
        self.sharesUnnamed = sharesUnnamed
        self.recentMax = recentMax
        self.interner = interner
        self.makeRoom = makeRoom
    }

    package func statement(
        tail: borrowing Span<UInt8>,
        planner: PlannerSettings?,
        isNamed: Bool
    ) -> StatementLookup {
        guard let body = ParseBody(tail, 0..<tail.count) else { return .malformed }
        // A span cannot be captured by the lock's closure; a pointer to its bytes can.
        let known = unsafe tail.withUnsafeBufferPointer { bytes in
            self.cache.withLock { cache in
                unsafe cache.find(body, bytes.span, planner: planner, isNamed: isNamed)
            }
        }
        if let known { return .found(known) }
        guard let made = self.make(body, tail, planner) else { return .exhausted }
        // What it was found to mean holds for its own client alone.
        if made.traits.contains(.fetch) { return .found(made) }
        return .found(self.cache.withLock { $0.insert(made, isNamed: isNamed) })
    }

    private func make(
        _ body: ParseBody,
        _ tail: borrowing Span<UInt8>,
        _ planner: PlannerSettings?
    ) -> PreparedStatement? {
        if let made = try? PreparedStatement(body, tail, planner: planner, interner: self.interner) { return made }
        guard self.makeRoom(body.text.count + body.types.count) else { return nil }
        return try? PreparedStatement(body, tail, planner: planner, interner: self.interner)
    }

    package var mayRemember: Bool { self.interner.isHalfEmpty }

    /// Bytes of the statements that the pool knows.
    package var knownBytes: Int { self.cache.withLock { $0.bytes } }

    /// Forgets the statements used longest ago, `bytes` of them if there are so many. False when there are none.
    package func forget(bytes: Int) -> Bool { self.cache.withLock { $0.forget(bytes: bytes) } }

    package func replacement(
        of old: PreparedStatement,
        planner: PlannerSettings?,
        isNamed: Bool
    ) -> PreparedStatement? {
        let tail = old.text + [0] + old.parameterTypes
        guard case .found(let fresh) = self.statement(tail: tail.span, planner: planner, isNamed: isNamed) else {
            return nil
        }
        return fresh
    }

    /// PostgreSQL will not run this statement any more: nobody is to find it again.
    package func expire(_ id: StatementID) {
        self.cache.withLock { cache in
            if let statement = cache.contents.first(where: { $0.id == id }) { cache.removeStale(statement) }
        }
    }
}

extension FrontendScanner {
    /// `scan` with a pass through the statements of a pool.
    ///
    /// Not generic: the compiler makes the pass for this one source here, where it sees the whole of it, and other
    /// rooms call that.
    ///
    /// - Parameter out: gets what is to be sent to the server before `BatchScan.direct`.
    /// - Returns: the scan, and what the texts passed on do to the session.
    package mutating func scan(
        _ bytes: borrowing Span<UInt8>,
        from offset: Int,
        client: ClientStatements,
        server: ServerStatements,
        source: SharedStatements,
        out: inout [UInt8],
        ledger: inout AnswerLedger
    ) -> (BatchScan, StatementTraits) {
        var pass = BatchPass(client: client, server: server, source: source, status: ledger.status, out: out)
        out = []
        let scan = self.scan(bytes, from: offset, pass: &pass, ledger: &ledger)
        let marks = pass.marks
        out = pass.takeOut()
        return (scan, marks)
    }
}
