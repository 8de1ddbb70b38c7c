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

extension ExactName: ExpressibleByStringLiteral {
    public init(stringLiteral text: String) { self.init(text) }
}

extension String {
    /// Byte by byte equality; see ``ExactName``.
    public func hasSameBytes(as other: String) -> Bool {
        guard self.utf8.count == other.utf8.count else { return false }
        let isSame = unsafe self.utf8.withContiguousStorageIfAvailable { left in
            unsafe other.utf8.withContiguousStorageIfAvailable { right in
                unsafe Self.areSame(UnsafeRawBufferPointer(left), UnsafeRawBufferPointer(right))
            }
        }
        return isSame.flatMap { $0 } ?? self.utf8.elementsEqual(other.utf8)
    }

    /// Eight bytes at a time. Both have the same length.
    private static func areSame(_ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer) -> Bool {
        let count = Swift.min(left.count, right.count)
        var offset = 0
        while count - offset >= 8 {
            let own = unsafe left.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
            guard unsafe own == right.loadUnaligned(fromByteOffset: offset, as: UInt64.self) else { return false }
            offset += 8
        }
        while offset < count {
            guard unsafe left[offset] == right[offset] else { return false }
            offset += 1
        }
        return true
    }
}
