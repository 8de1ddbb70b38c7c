/// What a client asks for when it opens a session: a protocol version and named parameters.
package struct StartupMessage: Sendable {
    package let majorVersion: UInt16
    package let minorVersion: UInt16
    /// In the order of the packet. A name that occurs twice stands here twice; the last one counts.
    package let parameters: [(name: String, value: String)]

    /// Names of protocol extensions start with this.
    package static let extensionPrefix = "_pq_."

    package init(version: ProtocolVersion, parameters: [(name: String, value: String)]) {
        self.majorVersion = version.major
        self.minorVersion = version.minor
        self.parameters = parameters
    }

    /// Reads name and value pairs up to a final zero byte, which must be the last byte of the packet.
    /// An empty value is legal, an empty name is not.
    init(version: ProtocolVersion, reader: inout ByteReader) throws(WireError) {
        guard version.major == 3 else { throw .unsupportedProtocol(version) }
        var parameters: [(name: String, value: String)] = []
        parameters.reserveCapacity(8)
        while let next = reader.peek, next != 0 {
            let name = try reader.cString()
            guard !reader.isAtEnd else { throw .parameterWithoutValue }
            parameters.append((name, try Self.value(of: name, &reader)))
        }
        guard !reader.isAtEnd else { throw .missingTerminator }
        guard reader.remaining == 1 else { throw .emptyParameterName }
        _ = try reader.uint8()
        self.init(version: version, parameters: parameters)
    }

    /// No encoding is agreed on yet, and what a program calls itself may be in its own. That is no reason to refuse it:
    /// PostgreSQL shows question marks for all that is not ASCII.
    private static func value(of name: String, _ reader: inout ByteReader) throws(WireError) -> String {
        guard name == "application_name" else { return try reader.cString() }
        let bytes = try reader.cStringBytes()
        if let text = String(validating: bytes, as: UTF8.self) { return text }
        return String(decoding: bytes.map { $0 < 0x80 ? $0 : UInt8(ascii: "?") }, as: UTF8.self)
    }

    package var version: ProtocolVersion {
        ProtocolVersion(major: self.majorVersion, minor: self.minorVersion)
    }

    /// The value of the last parameter of this name.
    package func value(of name: String) -> String? {
        self.parameters.last { $0.name == name }?.value
    }

    /// Nil when absent or empty; a session cannot start without one.
    package var user: String? {
        self.value(of: "user").flatMap { $0.isEmpty ? nil : $0 }
    }

    /// As in PostgreSQL, the user's name stands in for an absent or empty database.
    package var database: String? {
        self.value(of: "database").flatMap { $0.isEmpty ? nil : $0 } ?? self.user
    }

    /// Command-line options for the server (`-c name=value`).
    package var options: String? {
        self.value(of: "options")
    }

    package var applicationName: String? {
        self.value(of: "application_name")
    }

    /// Names of the protocol extensions asked for, in order.
    package var extensions: [String] {
        var names: [String] = []
        for parameter in self.parameters where parameter.name.utf8.starts(with: Self.extensionPrefix.utf8) {
            names.append(parameter.name)
        }
        return names
    }
}
