/// The five bytes before every message body: kind, then a length that counts itself but not the kind.
///
/// A plain value made per message on the relay path: inlined into the caller, no allocation. The length is what the
/// peer claims; `isValid` must be asked before it is used.
@usableFromInline
package struct MessageHeader: Sendable, Equatable {
    @usableFromInline package let kind: UInt8
    /// Bytes of the body, -4 and less when the peer lies.
    @usableFromInline package let bodyLength: Int

    /// Bytes of a header.
    @inlinable
    package static var size: Int { 5 }
    /// 1 GiB less one byte, PostgreSQL's own limit for one allocation.
    @inlinable
    package static var maximumBodyLength: Int { 0x3fff_ffff }

    @inlinable
    package init(kind: UInt8, bodyLength: Int) {
        self.kind = kind
        self.bodyLength = bodyLength
    }

    /// The body length is neither negative nor above the protocol's limit.
    @inlinable
    package var isValid: Bool {
        self.bodyLength >= 0 && self.bodyLength <= Self.maximumBodyLength
    }

    /// Header and body in bytes; meaningful when `isValid`.
    @inlinable
    package var wireLength: Int {
        self.bodyLength &+ Self.size
    }

    /// The header at `offset`; nil when fewer than five bytes stand there or the offset lies outside of the span.
    @inlinable
    @inline(__always)
    package static func read(_ bytes: borrowing Span<UInt8>, at offset: Int) -> MessageHeader? {
        guard offset >= 0, offset <= bytes.count &- Self.size else { return nil }
        let length =
            UInt32(bytes[offset &+ 1]) << 24 | UInt32(bytes[offset &+ 2]) << 16
            | UInt32(bytes[offset &+ 3]) << 8 | UInt32(bytes[offset &+ 4])
        return MessageHeader(
            kind: bytes[offset],
            bodyLength: Int(Int32(bitPattern: length)) &- 4
        )
    }
}
