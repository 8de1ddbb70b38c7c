/// Where the parts of a Parse stand behind its statement name, and their hash. Values only: valid as long as the bytes
/// stay where they are.
package struct ParseBody: Sendable {
    /// The query without its zero byte.
    package let text: Range<Int>
    /// The 16-bit count of parameter types and their OIDs.
    package let types: Range<Int>
    /// Of text and types.
    package let hash: UInt64

    /// Reads a body of which `range` is all that follows the zero byte of the name.
    ///
    /// Nil when it is malformed: no zero byte behind the query, or not exactly as many types as its count says. (The
    /// count has no sign: PostgreSQL reads up to 65 535.)
    package init?(_ bytes: borrowing Span<UInt8>, _ range: Range<Int>, hash: TextHash = .keyed) {
        guard range.lowerBound >= 0, range.upperBound <= bytes.count else { return nil }
        guard let zero = SpanBytes.firstZero(bytes, range) else { return nil }
        let types = (zero + 1)..<range.upperBound
        guard types.count >= 2 else { return nil }
        let count = Int(bytes[types.lowerBound]) << 8 | Int(bytes[types.lowerBound + 1])
        guard types.count == 2 + 4 * count else { return nil }
        self.text = range.lowerBound..<zero
        self.types = types
        self.hash = hash.code(bytes.extracting(range))
    }
}
