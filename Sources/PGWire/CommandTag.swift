/// What a CommandComplete says was done, as far as session state is concerned.
///
/// Classified straight from the receive buffer: no allocation, a few byte comparisons.
@usableFromInline
package struct CommandTag: RawRepresentable, Hashable, Sendable {
    @usableFromInline package let rawValue: UInt8

    @inlinable
    package init(rawValue: UInt8) {
        self.rawValue = rawValue
    }

    /// Any tag without a meaning of its own here.
    @inlinable package static var other: CommandTag { CommandTag(rawValue: 0) }
    @inlinable package static var select: CommandTag { CommandTag(rawValue: 1) }
    /// `BEGIN` and `START TRANSACTION`.
    @inlinable package static var begin: CommandTag { CommandTag(rawValue: 2) }
    @inlinable package static var commit: CommandTag { CommandTag(rawValue: 3) }
    @inlinable package static var rollback: CommandTag { CommandTag(rawValue: 4) }
    @inlinable package static var copy: CommandTag { CommandTag(rawValue: 5) }
    /// `SET`, which is also the tag of `SET ROLE` and `SET SESSION AUTHORIZATION`; not `SET CONSTRAINTS`.
    @inlinable package static var set: CommandTag { CommandTag(rawValue: 6) }
    @inlinable package static var reset: CommandTag { CommandTag(rawValue: 7) }
    @inlinable package static var discardAll: CommandTag { CommandTag(rawValue: 8) }
    @inlinable package static var declareCursor: CommandTag { CommandTag(rawValue: 9) }
    @inlinable package static var closeCursorAll: CommandTag { CommandTag(rawValue: 10) }
    /// `PREPARE` of a statement, not `PREPARE TRANSACTION`.
    @inlinable package static var prepare: CommandTag { CommandTag(rawValue: 11) }
    @inlinable package static var deallocate: CommandTag { CommandTag(rawValue: 12) }
    @inlinable package static var deallocateAll: CommandTag { CommandTag(rawValue: 13) }
    @inlinable package static var listen: CommandTag { CommandTag(rawValue: 14) }
    @inlinable package static var unlisten: CommandTag { CommandTag(rawValue: 15) }
    /// Columns may have other types than before, or names mean other relations: `ALTER` of tables, foreign tables,
    /// types, views, materialized views and schemas, `CREATE VIEW` (the tag of `CREATE OR REPLACE VIEW`), `DROP VIEW`.
    @inlinable package static var alter: CommandTag { CommandTag(rawValue: 16) }
    /// `DO`: a block of code.
    @inlinable package static var doBlock: CommandTag { CommandTag(rawValue: 17) }

    /// Classifies the body of a CommandComplete that stands at `range`, with or without its zero byte.
    /// A range that leaves the span is `other`.
    package static func classify(_ bytes: borrowing Span<UInt8>, _ range: Range<Int>) -> CommandTag {
        guard range.lowerBound >= 0, range.upperBound <= bytes.count, !range.isEmpty else { return .other }
        let start = range.lowerBound
        let end = bytes[range.upperBound - 1] == 0 ? range.upperBound - 1 : range.upperBound
        guard start < end else { return .other }
        switch bytes[start] {
        case UInt8(ascii: "S"):
            return self.classifyS(bytes, start, end)
        case UInt8(ascii: "B"):
            return self.equal(bytes, start, end, "BEGIN") ? .begin : .other
        case UInt8(ascii: "C"):
            return self.classifyC(bytes, start, end)
        case UInt8(ascii: "R"):
            if self.equal(bytes, start, end, "ROLLBACK") { return .rollback }
            return self.equal(bytes, start, end, "RESET") ? .reset : .other
        case UInt8(ascii: "D"):
            return self.classifyD(bytes, start, end)
        case UInt8(ascii: "P"):
            return self.equal(bytes, start, end, "PREPARE") ? .prepare : .other
        case UInt8(ascii: "L"):
            return self.equal(bytes, start, end, "LISTEN") ? .listen : .other
        case UInt8(ascii: "U"):
            return self.equal(bytes, start, end, "UNLISTEN") ? .unlisten : .other
        case UInt8(ascii: "A"):
            return self.classifyA(bytes, start, end)
        default:
            return .other
        }
    }

    private static func classifyA(_ bytes: borrowing Span<UInt8>, _ start: Int, _ end: Int) -> CommandTag {
        if self.equal(bytes, start, end, "ALTER TABLE") || self.equal(bytes, start, end, "ALTER TYPE") { return .alter }
        if self.equal(bytes, start, end, "ALTER VIEW") { return .alter }
        if self.equal(bytes, start, end, "ALTER MATERIALIZED VIEW") { return .alter }
        if self.equal(bytes, start, end, "ALTER SCHEMA") { return .alter }
        return self.equal(bytes, start, end, "ALTER FOREIGN TABLE") ? .alter : .other
    }

    private static func classifyS(_ bytes: borrowing Span<UInt8>, _ start: Int, _ end: Int) -> CommandTag {
        if self.counted(bytes, start, end, "SELECT") { return .select }
        if self.equal(bytes, start, end, "SET") { return .set }
        return self.equal(bytes, start, end, "START TRANSACTION") ? .begin : .other
    }

    private static func classifyC(_ bytes: borrowing Span<UInt8>, _ start: Int, _ end: Int) -> CommandTag {
        if self.equal(bytes, start, end, "COMMIT") { return .commit }
        if self.counted(bytes, start, end, "COPY") { return .copy }
        if self.equal(bytes, start, end, "CREATE VIEW") { return .alter }
        return self.equal(bytes, start, end, "CLOSE CURSOR ALL") ? .closeCursorAll : .other
    }

    private static func classifyD(_ bytes: borrowing Span<UInt8>, _ start: Int, _ end: Int) -> CommandTag {
        if self.equal(bytes, start, end, "DEALLOCATE") { return .deallocate }
        if self.equal(bytes, start, end, "DEALLOCATE ALL") { return .deallocateAll }
        if self.equal(bytes, start, end, "DISCARD ALL") { return .discardAll }
        if self.equal(bytes, start, end, "DO") { return .doBlock }
        if self.equal(bytes, start, end, "DROP VIEW") { return .alter }
        return self.equal(bytes, start, end, "DECLARE CURSOR") ? .declareCursor : .other
    }

    /// The whole tag is `word`.
    private static func equal(
        _ bytes: borrowing Span<UInt8>,
        _ start: Int,
        _ end: Int,
        _ word: StaticString
    ) -> Bool {
        end - start == word.utf8CodeUnitCount && self.starts(bytes, start, word)
    }

    /// The tag is `word`, alone or followed by a space and a count.
    private static func counted(
        _ bytes: borrowing Span<UInt8>,
        _ start: Int,
        _ end: Int,
        _ word: StaticString
    ) -> Bool {
        let next = start + word.utf8CodeUnitCount
        guard next <= end, self.starts(bytes, start, word) else { return false }
        return next == end || bytes[next] == UInt8(ascii: " ")
    }

    /// Callers have checked that as many bytes as the word has are there; the span checks again.
    private static func starts(_ bytes: borrowing Span<UInt8>, _ start: Int, _ word: StaticString) -> Bool {
        // A static string in the binary's own memory, read within its own count.
        let letters = unsafe UnsafeBufferPointer(start: word.utf8Start, count: word.utf8CodeUnitCount)
        for index in 0..<word.utf8CodeUnitCount where unsafe bytes[start + index] != letters[index] {
            return false
        }
        return true
    }
}
