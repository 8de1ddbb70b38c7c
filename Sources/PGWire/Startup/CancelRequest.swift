/// A request to cancel what another connection is doing, proven by that connection's secret.
///
/// The secret takes part in no description.
package struct CancelRequest: Sendable, CustomStringConvertible, CustomReflectable {
    package let processID: Int32
    /// Four bytes in protocol 3.0, up to 256 in 3.2.
    package let secret: [UInt8]

    /// Bounds of the packet: length, code, process id, and a secret of 4 to 256 bytes.
    package static let lengthBounds = 16...268

    package init(processID: Int32, secret: [UInt8]) {
        self.processID = processID
        self.secret = secret
    }

    init(length: Int, reader: inout ByteReader) throws(WireError) {
        guard Self.lengthBounds.contains(length) else { throw StartupPacket.lengthError(length, Self.lengthBounds) }
        self.init(processID: try reader.int32(), secret: reader.rest())
    }

    package var description: String { "CancelRequest(processID: \(self.processID))" }

    package var customMirror: Mirror {
        Mirror(self, children: ["processID": self.processID])
    }
}
