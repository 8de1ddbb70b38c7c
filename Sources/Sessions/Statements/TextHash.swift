/// How texts are hashed to be found. What is found is compared in full: a hash never decides.
///
/// Keyed by a secret of the process, so that no client can make texts that collide. Tests bring functions that do.
package struct TextHash: Sendable {
    private let function: @Sendable (borrowing Span<UInt8>) -> UInt64

    package init(_ function: @escaping @Sendable (borrowing Span<UInt8>) -> UInt64) {
        self.function = function
    }

    package static let keyed = TextHash { bytes in
        var hasher = Hasher()
        // The buffer does not leave the closure.
        unsafe bytes.withUnsafeBytes { unsafe hasher.combine(bytes: $0) }
        return UInt64(bitPattern: Int64(hasher.finalize()))
    }

    package func code(_ bytes: borrowing Span<UInt8>) -> UInt64 {
        self.function(bytes)
    }
}
