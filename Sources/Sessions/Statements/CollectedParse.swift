/// A Parse that is longer than what is read at once, on its way to being whole. Belongs to its client's statements.
package struct CollectedParse {
    /// Of the whole message.
    package let length: Int
    package private(set) var bytes: [UInt8] = []
    /// Where the server's answers stood (`ServerStatements.answered`) when the whole of it was last looked at and held;
    /// -1 before.
    package var heldAt = -1

    /// - Parameter roomAtFirst: bytes reserved at once, whatever length the client claims.
    package init(length: Int, roomAtFirst: Int) {
        self.length = length
        self.bytes.reserveCapacity(min(length, roomAtFirst))
    }

    /// Bytes that are still to come.
    package var missing: Int { self.length - self.bytes.count }

    package mutating func append(_ part: borrowing Span<UInt8>) {
        unsafe part.withUnsafeBufferPointer { unsafe self.bytes.append(contentsOf: $0) }
    }
}
