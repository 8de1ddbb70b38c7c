/// Appends whole messages to one growing buffer; lengths are patched in place when a message ends.
///
/// A value owned by whoever composes the answer. The message families are extensions in `Backend/` and `Frontend/`.
package struct MessageWriter: Sendable {
    /// Everything written so far, ready to be sent once no message is open.
    package private(set) var bytes: [UInt8]
    /// Where the length of the open message stands.
    private var lengthOffset: Int?

    package init() {
        self.bytes = []
    }

    package init(reservingCapacity capacity: Int) {
        self.bytes = []
        self.bytes.reserveCapacity(capacity)
    }

    package var isEmpty: Bool { self.bytes.isEmpty }

    /// Opens a message. Messages do not nest: an open one is ended first.
    package mutating func begin(_ kind: UInt8) {
        self.end()
        self.bytes.append(kind)
        self.openLength()
    }

    /// Opens a packet without a kind byte, as the first packet of a connection is.
    package mutating func beginUntagged() {
        self.end()
        self.openLength()
    }

    /// Ends the open message by writing its length; without one nothing happens.
    package mutating func end() {
        guard let offset = self.lengthOffset else { return }
        self.lengthOffset = nil
        let length = UInt32(clamping: self.bytes.count - offset)
        for index in 0..<4 {
            self.bytes[offset + index] = UInt8(truncatingIfNeeded: length >> (24 - 8 * index))
        }
    }

    /// A message without a body.
    package mutating func empty(_ kind: UInt8) {
        self.begin(kind)
        self.end()
    }

    /// Hands out what was written and starts anew.
    package mutating func take() -> [UInt8] {
        self.end()
        defer { self.bytes = [] }
        return self.bytes
    }

    package mutating func int8(_ value: Int8) {
        self.bytes.append(UInt8(bitPattern: value))
    }

    package mutating func uint8(_ value: UInt8) {
        self.bytes.append(value)
    }

    package mutating func int16(_ value: Int16) {
        let bits = UInt16(bitPattern: value)
        self.bytes.append(UInt8(truncatingIfNeeded: bits >> 8))
        self.bytes.append(UInt8(truncatingIfNeeded: bits))
    }

    package mutating func int32(_ value: Int32) {
        let bits = UInt32(bitPattern: value)
        self.bytes.append(UInt8(truncatingIfNeeded: bits >> 24))
        self.bytes.append(UInt8(truncatingIfNeeded: bits >> 16))
        self.bytes.append(UInt8(truncatingIfNeeded: bits >> 8))
        self.bytes.append(UInt8(truncatingIfNeeded: bits))
    }

    /// A 16-bit count of list items.
    package mutating func count(_ value: Int) {
        self.int16(Int16(bitPattern: UInt16(clamping: value)))
    }

    package mutating func raw(_ bytes: some Sequence<UInt8>) {
        self.bytes.append(contentsOf: bytes)
    }

    /// As the other, without a detour over a generic sequence.
    package mutating func raw(_ bytes: [UInt8]) {
        self.bytes.append(contentsOf: bytes)
    }

    /// Text and its zero byte. A zero inside of the text would forge the next field, so it becomes U+FFFD.
    package mutating func cString(_ text: String) {
        var text = text
        let isPlain = text.withUTF8 { letters in
            // Rarely anything but plain text: appended in one piece.
            if unsafe letters.contains(0) { return false }
            unsafe self.bytes.append(contentsOf: letters)
            return true
        }
        if isPlain { self.bytes.append(0) } else { self.cString(bytes: text.utf8) }
    }

    /// As `cString(_:)` for bytes in any encoding.
    package mutating func cString(bytes: some Sequence<UInt8>) {
        for byte in bytes {
            if byte == 0 {
                self.bytes.append(contentsOf: [0xEF, 0xBF, 0xBD])
            } else {
                self.bytes.append(byte)
            }
        }
        self.bytes.append(0)
    }

    /// A 32-bit length and the bytes; nil is SQL NULL, length -1.
    package mutating func lengthPrefixed(_ value: [UInt8]?) {
        guard let value else { return self.int32(-1) }
        self.int32(Int32(clamping: value.count))
        self.bytes.append(contentsOf: value)
    }

    private mutating func openLength() {
        self.lengthOffset = self.bytes.count
        self.int32(0)
    }
}
