@testable import Sessions

/// A pool's statements as the gateway keeps them, with a hash under which different texts often meet.
final class ModelPool: StatementSource {
    var cache: StatementCache
    let interner: TextInterner
    let numbers = StatementNumbers()
    let hash: TextHash
    let allowsNamed = true
    let sharesUnnamed: Bool
    let recentMax: Int
    let mayRemember = true
    /// The text behind each name on servers.
    private(set) var texts: [[UInt8]: [UInt8]] = [:]

    init(capacity: Int, sharesUnnamed: Bool, recentMax: Int, hash: TextHash) {
        self.cache = StatementCache(capacity: capacity)
        self.interner = TextInterner(byteLimit: 1 << 20, hash: hash)
        self.hash = hash
        self.sharesUnnamed = sharesUnnamed
        self.recentMax = recentMax
    }

    func statement(
        tail: borrowing Span<UInt8>,
        planner: PlannerSettings?,
        isNamed: Bool
    ) -> StatementLookup {
        guard let body = ParseBody(tail, 0..<tail.count, hash: self.hash) else { return .malformed }
        if let known = self.cache.find(body, tail, planner: planner, isNamed: isNamed) { return .found(known) }
        let made = try? PreparedStatement(
            body,
            tail,
            planner: planner,
            interner: self.interner,
            numbers: self.numbers
        )
        guard let made else { return .exhausted }
        self.texts[made.serverName] = made.text
        return .found(self.cache.insert(made, isNamed: isNamed))
    }

    func replacement(of stale: PreparedStatement, planner: PlannerSettings?, isNamed: Bool) -> PreparedStatement? {
        let tail = stale.text + [0] + stale.parameterTypes
        guard case .found(let fresh) = self.statement(tail: tail.span, planner: planner, isNamed: isNamed) else {
            return nil
        }
        return fresh
    }
}
