import AuthProviders
import PGWire
import Sessions
import Synchronization

/// What the console shows of prepared statements. Texts may be long and many: none of this runs on a worker.
extension Gateway {
    /// The rows of a command that takes long; 53000 when nobody is free to make them.
    func rowsOffWorkers<Row: ConsoleRow>(_ make: @escaping @Sendable () -> [Row]) async -> ConsoleOutcome {
        await withCheckedContinuation { continuation in
            let refusal = self.consoleLane.start { continuation.resume(returning: .rows(make())) }
            if let refusal { continuation.resume(returning: Self.refused(refusal)) }
        }
    }

    static func refused(_ refusal: LaneRefusal) -> ConsoleOutcome {
        let text =
            refusal == .full ? "too many console commands wait" : "the system has no thread left for console commands"
        return .failure(ServerMessageFields(severity: .error, sqlState: .insufficientResources, message: text))
    }

    var statementRows: [StatementRow] {
        self.pools.all.flatMap { pool in
            let statements = pool.statements.cache.withLock { $0.contents }
            return statements.map { StatementRow($0, pool: pool.key.description) }
        }
    }

    var internerRows: [InternerRow] {
        let named = self.namedTexts
        let usage = self.interner.usage
        let limit = self.interner.byteLimit
        let namedBytes = named.values.reduce(0, +)
        // The two pictures were not taken at the same moment.
        return [
            InternerRow(kind: Self.named, entries: named.count, bytes: namedBytes, bytesMax: limit),
            InternerRow(
                kind: Self.anonymous,
                entries: max(usage.entries - named.count, 0),
                bytes: max(usage.bytes - namedBytes, 0),
                bytesMax: limit
            ),
        ]
    }

    var internedTextRows: [InternedTextRow] {
        let named = self.namedTexts
        return self.interner.rows(limit: InternedTextRow.rowsMax).map { row in
            let kind = named[row.hash] == nil ? Self.anonymous : Self.named
            return InternedTextRow(hash: row.hash, kind: kind, bytes: row.bytes, query: row.preview)
        }
    }

    private static let named = "named"
    private static let anonymous = "anonymous"

    /// The lengths of the texts that pools know as those of named statements, by their hash.
    private var namedTexts: [UInt64: Int] {
        var texts: [UInt64: Int] = [:]
        for pool in self.pools.withLeaving {
            for statement in pool.statements.cache.withLock({ $0.contents }) where statement.kind != .anonymous {
                texts[TextHash.keyed.code(statement.text.span)] = statement.text.count
            }
        }
        return texts
    }
}

extension StatementRow {
    init(_ statement: PreparedStatement, pool: String) {
        let row = PreparedStatementRow(statement, charactersMax: Self.queryCharactersMax)
        self.init(
            pool: pool,
            hash: row.hash,
            name: row.name,
            query: row.query,
            useCount: Int(clamping: row.useCount),
            kind: row.kind
        )
    }
}
