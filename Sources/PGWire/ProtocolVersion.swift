/// A version of the wire protocol, as a StartupMessage asks for it.
package struct ProtocolVersion: Comparable, Hashable, Sendable, CustomStringConvertible {
    package let major: UInt16
    package let minor: UInt16

    /// 4-byte cancel secrets.
    package static let v3_0 = ProtocolVersion(major: 3, minor: 0)
    /// Cancel secrets of up to 256 bytes.
    package static let v3_2 = ProtocolVersion(major: 3, minor: 2)

    package init(major: UInt16, minor: UInt16) {
        self.major = major
        self.minor = minor
    }

    package init(code: Int32) {
        let bits = UInt32(bitPattern: code)
        self.init(major: UInt16(truncatingIfNeeded: bits >> 16), minor: UInt16(truncatingIfNeeded: bits))
    }

    /// Major version in the high half, minor version in the low half.
    package var code: Int32 {
        Int32(bitPattern: UInt32(self.major) << 16 | UInt32(self.minor))
    }

    package var description: String { "\(self.major).\(self.minor)" }

    package static func < (left: ProtocolVersion, right: ProtocolVersion) -> Bool {
        (left.major, left.minor) < (right.major, right.minor)
    }
}
