/// A cursor over one message body. Every read is checked; nothing is read past the end, whatever the peer claims.
///
/// A value of the control plane (login, console): strings and byte runs are copied out.
package struct ByteReader: Sendable {
    private let bytes: [UInt8]
    private let end: Int
    /// Index of the next byte to be read.
    package private(set) var offset: Int

    package init(_ bytes: [UInt8]) {
        self.init(bytes, startingAt: 0)
    }

    /// Starts at `offset`; one that lies outside of the bytes leaves nothing to read.
    package init(_ bytes: [UInt8], startingAt offset: Int) {
        self.bytes = bytes
        self.end = bytes.count
        self.offset = offset < 0 ? bytes.count : min(offset, bytes.count)
    }

    package var remaining: Int { self.end - self.offset }

    package var isAtEnd: Bool { self.offset == self.end }

    /// The next byte, which stays unread; nil at the end.
    package var peek: UInt8? {
        self.isAtEnd ? nil : self.bytes[self.offset]
    }

    package mutating func uint8() throws(WireError) -> UInt8 {
        try self.require(1)
        defer { self.offset += 1 }
        return self.bytes[self.offset]
    }

    package mutating func int8() throws(WireError) -> Int8 {
        Int8(bitPattern: try self.uint8())
    }

    package mutating func int16() throws(WireError) -> Int16 {
        Int16(bitPattern: UInt16(truncatingIfNeeded: try self.bigEndian(2)))
    }

    package mutating func int32() throws(WireError) -> Int32 {
        Int32(bitPattern: try self.bigEndian(4))
    }

    /// Text up to the next zero byte, which is consumed. Text that is not UTF-8 is an error.
    package mutating func cString() throws(WireError) -> String {
        let range = try self.terminatedRange()
        guard let text = self.text(range) else { throw .invalidText }
        self.offset = range.upperBound + 1
        return text
    }

    /// As `cString()`, but wrong UTF-8 is replaced by U+FFFD.
    package mutating func repairedCString() throws(WireError) -> String {
        let range = try self.terminatedRange()
        self.offset = range.upperBound + 1
        return String(decoding: self.bytes[range], as: UTF8.self)
    }

    /// The bytes up to the next zero byte, which is consumed.
    package mutating func cStringBytes() throws(WireError) -> [UInt8] {
        let range = try self.terminatedRange()
        self.offset = range.upperBound + 1
        return Array(self.bytes[range])
    }

    /// Exactly `count` bytes; a negative count is an error.
    package mutating func bytes(_ count: Int) throws(WireError) -> [UInt8] {
        try self.require(count)
        defer { self.offset += count }
        return Array(self.bytes[self.offset..<self.offset + count])
    }

    /// Everything that is left.
    package mutating func rest() -> [UInt8] {
        defer { self.offset = self.end }
        return Array(self.bytes[self.offset..<self.end])
    }

    /// Throws when bytes are left over.
    package func expectEnd() throws(WireError) {
        guard self.isAtEnd else { throw .trailingBytes(count: self.remaining) }
    }

    private func require(_ count: Int) throws(WireError) {
        guard count >= 0, count <= self.remaining else {
            throw .truncated(needed: count, available: self.remaining)
        }
    }

    private mutating func bigEndian(_ count: Int) throws(WireError) -> UInt32 {
        try self.require(count)
        var value: UInt32 = 0
        for index in self.offset..<self.offset + count {
            value = value << 8 | UInt32(self.bytes[index])
        }
        self.offset += count
        return value
    }

    private func terminatedRange() throws(WireError) -> Range<Int> {
        var index = self.offset
        while index < self.end {
            if self.bytes[index] == 0 { return self.offset..<index }
            index += 1
        }
        throw .missingTerminator
    }

    /// The text of these bytes; nil when they are not UTF-8.
    private func text(_ range: Range<Int>) -> String? {
        unsafe self.bytes.withUnsafeBufferPointer { all -> String? in
            let bytes = unsafe UnsafeBufferPointer(rebasing: all[range])
            // Rarely anything but ASCII, and that needs no validation.
            let bits = unsafe bytes.reduce(0) { $0 | $1 }
            if bits < 0x80 { return unsafe String(decoding: bytes, as: UTF8.self) }
            return unsafe String(validating: bytes, as: UTF8.self)
        }
    }
}
