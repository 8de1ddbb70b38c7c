/// The first packet of a connection: no kind byte, a length, a code that says which packet it is.
///
/// Source: protocol chapter, "Start-up" and "Message Formats".
package enum StartupPacket: Sendable {
    case sslRequest
    case gssEncRequest
    case cancel(CancelRequest)
    case startup(StartupMessage)

    /// Bounds of the length field, which counts itself. The upper one is PostgreSQL's own.
    package static let lengthBounds = 8...10_000

    package static let cancelRequestCode: Int32 = 80_877_102
    package static let sslRequestCode: Int32 = 80_877_103
    package static let gssEncRequestCode: Int32 = 80_877_104

    /// Reads a whole packet, its four length bytes included. The length field must agree with the byte count.
    package static func parse(packet: [UInt8]) throws(WireError) -> StartupPacket {
        var reader = ByteReader(packet)
        let length = Int(try reader.int32())
        guard self.lengthBounds.contains(length) else { throw self.lengthError(length, self.lengthBounds) }
        guard length <= packet.count else { throw .truncated(needed: length, available: packet.count) }
        guard length == packet.count else { throw .trailingBytes(count: packet.count - length) }
        let code = try reader.int32()
        switch code {
        case self.sslRequestCode:
            try reader.expectEnd()
            return .sslRequest
        case self.gssEncRequestCode:
            try reader.expectEnd()
            return .gssEncRequest
        case self.cancelRequestCode:
            return .cancel(try CancelRequest(length: length, reader: &reader))
        default:
            return .startup(try StartupMessage(version: ProtocolVersion(code: code), reader: &reader))
        }
    }

    /// Bytes of the packets that ask for encryption.
    package static let encryptionRequestLength = 8

    /// The packet that asks for encryption, where all of it lies at the start of `bytes`: most connections begin so,
    /// and collecting it first would cost more than reading it.
    package static func encryptionRequest(_ bytes: borrowing Span<UInt8>) -> StartupPacket? {
        guard bytes.count >= self.encryptionRequestLength else { return nil }
        var (length, code): (UInt32, UInt32) = (0, 0)
        for index in 0..<4 {
            length = length << 8 | UInt32(bytes[index])
            code = code << 8 | UInt32(bytes[index + 4])
        }
        guard length == UInt32(self.encryptionRequestLength) else { return nil }
        switch Int32(bitPattern: code) {
        case self.sslRequestCode: return .sslRequest
        case self.gssEncRequestCode: return .gssEncRequest
        default: return nil
        }
    }

    static func lengthError(_ length: Int, _ bounds: ClosedRange<Int>) -> WireError {
        .lengthOutOfRange(length: length, minimum: bounds.lowerBound, maximum: bounds.upperBound)
    }
}
