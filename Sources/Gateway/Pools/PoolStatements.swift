import Sessions
import Synchronization

/// A pool's prepared statements, as the sessions of any worker ask for them.
struct PoolStatements: StatementSource {
    let pool: Pool

    var allowsNamed: Bool { self.pool.plan.allowsNamedStatements }
    var sharesUnnamed: Bool { self.pool.plan.sharesUnnamedStatements }
    var recentMax: Int { self.pool.plan.clientUnnamedStatementsMax }

    func statement(
        tail: borrowing Span<UInt8>,
        planner: PlannerSettings?,
        isNamed: Bool
    ) -> StatementLookup {
        guard let body = ParseBody(tail, 0..<tail.count) else { return .malformed }
        // A span cannot be captured by the lock's closure; a pointer to its bytes can.
        let known = unsafe tail.withUnsafeBufferPointer { bytes in
            self.pool.statements.withLock { cache in
                unsafe cache.find(body, bytes.span, planner: planner, isNamed: isNamed)
            }
        }
        if let known { return .found(known) }
        let interner = self.pool.gateway.interner
        guard let made = try? PreparedStatement(body, tail, planner: planner, interner: interner) else {
            return .exhausted
        }
        return .found(self.pool.statements.withLock { $0.insert(made, isNamed: isNamed) })
    }

    func replacement(of stale: PreparedStatement, isNamed: Bool) -> PreparedStatement? {
        let tail = stale.text + [0] + stale.parameterTypes
        guard case .found(let fresh) = self.statement(tail: tail.span, planner: stale.planner, isNamed: isNamed) else {
            return nil
        }
        return fresh
    }
}
