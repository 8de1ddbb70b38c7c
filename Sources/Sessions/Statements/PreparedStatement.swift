package import PGWire
import Synchronization

/// The number of a statement, given out once in the life of the process. 64 bits: every text that is not known yet
/// takes one, and of 32 bits a busy gateway would run out within weeks.
package typealias StatementID = Int64

/// A statement as the clients of a pool share it: what is prepared, and the name that servers know it by.
///
/// Immutable but for its counters and what becomes of it (`isStale`, `isOutdated`); any thread.
package final class PreparedStatement: Sendable {
    /// Why a statement cannot be made.
    package enum Refusal: Error, Sendable {
        /// The interner has no room for the text, or for the types of its parameters.
        case textsExceedLimit
        case numbersExhausted
    }

    /// How clients name their own statements that are this one.
    package enum Kind: UInt8, Sendable {
        case named = 1
        case anonymous = 2
        case mixed = 3
    }

    /// Of this process, never given twice.
    package let id: StatementID
    /// `pggateway_` and the id, without a zero byte.
    package let serverName: [UInt8]
    package let parameterTypes: [UInt8]
    package let planner: PlannerSettings?
    package let traits: StatementTraits
    /// Finds the statement in its pool's cache.
    package let hash: UInt64
    private let interned: InternedText
    /// For the parameter types, where they are many: statements of one short text may differ in 65 535 of them.
    private let roomForTypes: InternerRoom?
    private static let typesForFree = 64
    private let alterationsBefore: UInt64
    private let stale = Atomic<Bool>(false)
    private let outdated = Atomic<Bool>(false)
    private let uses = Atomic<UInt64>(0)
    private let kinds = Atomic<UInt8>(0)

    /// Copies what it needs from the bytes of a Parse.
    ///
    /// - Parameter traits: of the text, when the caller has scanned it.
    package init(
        _ body: ParseBody,
        _ bytes: borrowing Span<UInt8>,
        planner: PlannerSettings?,
        traits: StatementTraits? = nil,
        interner: TextInterner,
        numbers: StatementNumbers = .process
    ) throws(Refusal) {
        guard let text = interner.intern(SpanBytes.copy(bytes, body.text)) else { throw .textsExceedLimit }
        let typeBytes = body.types.count
        let room = typeBytes > Self.typesForFree ? interner.reserve(typeBytes) : nil
        if room == nil, typeBytes > Self.typesForFree { throw .textsExceedLimit }
        guard let id = numbers.next() else { throw .numbersExhausted }
        self.id = id
        self.serverName = Array("pggateway_\(id)".utf8)
        self.parameterTypes = SpanBytes.copy(bytes, body.types)
        self.planner = planner
        self.traits = traits ?? SQLScan(bytes, body.text).traits.union(SQLScan.hidden(bytes, body.text))
        self.hash = Self.hash(body, planner)
        self.interned = text
        self.roomForTypes = room
        self.alterationsBefore = Self.alterations.load(ordering: .acquiring)
    }

    /// The SQL, without a zero byte.
    package var text: [UInt8] { self.interned.bytes }

    /// How many parameter types the Parse gives; the text may use more.
    package var parameterTypeCount: Int { (self.parameterTypes.count - 2) / 4 }

    /// Its result type has changed: servers must not use it any more, nor new clients get it.
    package var isStale: Bool { self.stale.load(ordering: .acquiring) }

    package func markStale() { self.stale.store(true, ordering: .releasing) }

    /// Times that the types of columns were changed by a client of this process.
    private static let alterations = Atomic<UInt64>(0)

    /// Types of columns have changed since it was made, and with them perhaps those of its parameters: PostgreSQL reads
    /// these from the text once. Or it could not be read again. Who has prepared it keeps it, who prepares the text now
    /// gets another one.
    package var isOutdated: Bool {
        self.outdated.load(ordering: .acquiring)
            || self.alterationsBefore != Self.alterations.load(ordering: .acquiring)
    }

    /// PostgreSQL could not read it again with the types that its parameters had: what it names is gone, or is another
    /// thing now.
    package func outdate() { self.outdated.store(true, ordering: .releasing) }

    /// Neither stale nor outdated.
    package var isCurrent: Bool { !self.isStale && !self.isOutdated }

    /// A transaction has changed types of columns, or one that has is over.
    package static func outdateAll() { self.alterations.wrappingAdd(1, ordering: .releasing) }

    package var useCount: UInt64 { self.uses.load(ordering: .relaxed) }

    /// Nil before its first use.
    package var kind: Kind? { Kind(rawValue: self.kinds.load(ordering: .relaxed)) }

    /// A client has prepared it, under a name or without.
    package func noteUse(isNamed: Bool) {
        self.uses.wrappingAdd(1, ordering: .relaxed)
        let bit = isNamed ? Kind.named.rawValue : Kind.anonymous.rawValue
        if self.kinds.load(ordering: .relaxed) & bit == 0 { self.kinds.bitwiseOr(bit, ordering: .relaxed) }
    }

    /// Appends the Parse that prepares it under `name`, which has no zero byte.
    package func appendParse(to writer: inout MessageWriter, name: [UInt8]) {
        writer.parse(name: name, query: self.interned.bytes, parameterTypes: self.parameterTypes)
    }

    /// Appends the Parse that prepares it under its own name.
    package func appendParse(to writer: inout MessageWriter) {
        self.appendParse(to: &writer, name: self.serverName)
    }

    static func hash(_ body: ParseBody, _ planner: PlannerSettings?) -> UInt64 {
        // Keyed on both sides already: what is left is to tell the order of the two.
        body.hash ^ (planner.map { $0.hash &* 0x9E37_79B9_7F4A_7C15 } ?? 0)
    }

    /// Text, types and settings are equal byte for byte.
    func matches(_ body: ParseBody, _ bytes: borrowing Span<UInt8>, _ planner: PlannerSettings?) -> Bool {
        SpanBytes.equal(bytes, body.text, self.interned.bytes)
            && SpanBytes.equal(bytes, body.types, self.parameterTypes)
            && PlannerSettings.equal(self.planner, planner)
    }

    func matches(_ other: PreparedStatement) -> Bool {
        self.interned.bytes == other.interned.bytes && self.parameterTypes == other.parameterTypes
            && PlannerSettings.equal(self.planner, other.planner)
    }
}

/// Gives out the numbers in servers' statement names, each once. Any thread.
package final class StatementNumbers: Sendable {
    private let last: Atomic<StatementID>

    package static let process = StatementNumbers()

    package init(after last: StatementID = 0) {
        self.last = Atomic(last)
    }

    /// Nil when all have been given: two statements never share a name.
    package func next() -> StatementID? {
        var last = self.last.load(ordering: .relaxed)
        while last < StatementID.max {
            let outcome = self.last.weakCompareExchange(expected: last, desired: last + 1, ordering: .relaxed)
            if outcome.exchanged { return last + 1 }
            last = outcome.original
        }
        return nil
    }
}
