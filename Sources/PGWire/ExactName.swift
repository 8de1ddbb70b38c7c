/// A name as PostgreSQL compares it: byte by byte.
///
/// Swift's `String` takes canonically equivalent spellings for equal: an e-acute in one scalar and in two would be the
/// same user, where PostgreSQL has two. Keys of tables of users, databases and secrets are of this type. A value.
public struct ExactName: Hashable, Sendable {
    public let text: String

    public init(_ text: String) { self.text = text }

    public static func == (left: ExactName, right: ExactName) -> Bool { left.text.hasSameBytes(as: right.text) }

    public func hash(into hasher: inout Hasher) {
        let isDone: Void? = unsafe self.text.utf8.withContiguousStorageIfAvailable { bytes in
            unsafe hasher.combine(bytes: UnsafeRawBufferPointer(bytes))
        }
        if isDone == nil {
            for byte in self.text.utf8 { hasher.combine(byte) }
        }
    }
}

extension String {
    /// Byte by byte equality; see ``ExactName``.
    public func hasSameBytes(as other: String) -> Bool {
        guard self.utf8.count == other.utf8.count else { return false }
        let isSame = unsafe self.utf8.withContiguousStorageIfAvailable { left in
            unsafe other.utf8.withContiguousStorageIfAvailable { right in unsafe left.elementsEqual(right) }
        }
        return isSame.flatMap { $0 } ?? self.utf8.elementsEqual(other.utf8)
    }
}
