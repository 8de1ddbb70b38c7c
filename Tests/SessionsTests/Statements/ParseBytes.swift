import PGWire
import Sessions

/// What follows the name in a Parse.
func parseBody(_ query: String, types: [Int32] = []) -> [UInt8] {
    var writer = MessageWriter()
    writer.parse(name: "", query: query, parameterTypes: types)
    return Array(writer.take().dropFirst(6))
}

/// The parts of a body at `range` of the bytes, or of all of them.
func parts(_ bytes: [UInt8], _ range: Range<Int>? = nil) -> ParseBody? {
    ParseBody(bytes.span, range ?? 0..<bytes.count)
}

/// Parses and caches the way a session does it.
final class StatementShop {
    var cache: StatementCache
    let interner: TextInterner
    let numbers = StatementNumbers()
    let hash: TextHash

    init(capacity: Int, byteLimit: Int = 1 << 20, hash: TextHash = .keyed) {
        self.cache = StatementCache(capacity: capacity)
        self.interner = TextInterner(byteLimit: byteLimit, hash: hash)
        self.hash = hash
    }

    func find(
        _ query: String,
        types: [Int32] = [],
        planner: PlannerSettings? = nil,
        isNamed: Bool = true
    ) -> PreparedStatement? {
        let bytes = parseBody(query, types: types)
        guard let body = ParseBody(bytes.span, 0..<bytes.count, hash: self.hash) else { return nil }
        return self.cache.find(body, bytes.span, planner: planner, isNamed: isNamed)
    }

    func make(_ query: String, types: [Int32] = [], planner: PlannerSettings? = nil) -> PreparedStatement? {
        let bytes = parseBody(query, types: types)
        guard let body = ParseBody(bytes.span, 0..<bytes.count, hash: self.hash) else { return nil }
        return try? PreparedStatement(
            body,
            bytes.span,
            planner: planner,
            interner: self.interner,
            numbers: self.numbers
        )
    }

    func prepare(
        _ query: String,
        types: [Int32] = [],
        planner: PlannerSettings? = nil,
        isNamed: Bool = true
    ) -> PreparedStatement? {
        if let found = self.find(query, types: types, planner: planner, isNamed: isNamed) { return found }
        guard let made = self.make(query, types: types, planner: planner) else { return nil }
        return self.insert(made, isNamed: isNamed)
    }

    func insert(_ statement: PreparedStatement, isNamed: Bool) -> PreparedStatement {
        self.cache.insert(statement, isNamed: isNamed)
    }
}

func planner(_ parameters: [(name: String, value: String)]) throws -> PlannerSettings? {
    try SessionParameters.parse(parameters).planner
}
