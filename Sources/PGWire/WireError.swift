/// What is wrong with bytes that claim to be PostgreSQL protocol. Holds numbers only, never the bytes themselves.
package enum WireError: Error, Sendable, Equatable, CustomStringConvertible {
    /// A read needs more bytes than the body has.
    case truncated(needed: Int, available: Int)
    /// A length field lies outside the bounds of its message.
    case lengthOutOfRange(length: Int, minimum: Int, maximum: Int)
    /// A string, a list of fields or a packet does not end in the required zero byte.
    case missingTerminator
    /// Bytes follow the end of a message body.
    case trailingBytes(count: Int)
    /// Text that is not valid UTF-8.
    case invalidText
    /// A startup parameter without a name.
    case emptyParameterName
    /// A startup parameter whose name is not followed by a value.
    case parameterWithoutValue
    /// The major protocol version is not 3.
    case unsupportedProtocol(ProtocolVersion)
    /// A TLS record where a startup packet is expected.
    case unexpectedTLS

    package var description: String {
        switch self {
        case .truncated(let needed, let available):
            "message is too short: \(needed) bytes needed, \(available) available"
        case .lengthOutOfRange(let length, let minimum, let maximum):
            "invalid message length \(length), must be between \(minimum) and \(maximum)"
        case .missingTerminator:
            "expected terminator as last byte"
        case .trailingBytes(let count):
            "\(count) unexpected bytes at the end of the message"
        case .invalidText:
            "text is not valid UTF-8"
        case .emptyParameterName:
            "startup parameter without a name"
        case .parameterWithoutValue:
            "startup parameter without a value"
        case .unsupportedProtocol(let version):
            "unsupported frontend protocol \(version): "
                + "server supports \(ProtocolVersion.v3_0) to \(ProtocolVersion.v3_2)"
        case .unexpectedTLS:
            "TLS without a request for it is not offered here"
        }
    }

    /// The code a client is told.
    package var sqlState: SQLState {
        switch self {
        case .unsupportedProtocol: .featureNotSupported
        case .invalidText: .characterNotInRepertoire
        case .truncated, .lengthOutOfRange, .missingTerminator, .trailingBytes, .emptyParameterName,
            .parameterWithoutValue, .unexpectedTLS:
            .protocolViolation
        }
    }
}
