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

    static func lengthError(_ length: Int, _ bounds: ClosedRange<Int>) -> WireError {
        .lengthOutOfRange(length: length, minimum: bounds.lowerBound, maximum: bounds.upperBound)
    }
}
