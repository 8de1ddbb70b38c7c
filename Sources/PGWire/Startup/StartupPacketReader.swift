/// Collects the first packet of a connection from reads of any size.
///
/// Takes never more than one packet's bytes: what follows (bytes stuffed behind an SSLRequest) stays with the caller,
/// who sees it from the count returned. The length is checked as soon as its four bytes are there, so at most 10 000
/// bytes are ever held. Belongs to one connection's worker.
package struct StartupPacketReader: Sendable {
    private var collected: [UInt8] = []
    /// Length of the packet once it is known.
    private var length: Int?

    package init() {}

    /// All bytes of the packet are there.
    package var isComplete: Bool {
        self.length == self.collected.count
    }

    /// Bytes held so far.
    package var collectedCount: Int { self.collected.count }

    /// Takes what belongs to the packet and returns how many bytes that was; 0 once it is complete.
    /// After a length out of bounds every call throws again.
    package mutating func append(_ bytes: borrowing Span<UInt8>) throws(WireError) -> Int {
        // Room for most packets at once.
        if self.collected.isEmpty { self.collected.reserveCapacity(128) }
        let lengthEnd = min(4 - min(4, self.collected.count), bytes.count)
        self.collect(bytes, 0..<lengthEnd)
        guard self.collected.count >= 4 else { return lengthEnd }
        let length = try self.readLength()
        let end = lengthEnd + min(length - self.collected.count, bytes.count - lengthEnd)
        self.collect(bytes, lengthEnd..<end)
        return end
    }

    /// The packet once it is complete; the reader is then ready for the next one.
    package mutating func next() throws(WireError) -> StartupPacket? {
        guard self.isComplete else { return nil }
        let packet = self.collected
        self.collected = []
        self.length = nil
        return try StartupPacket.parse(packet: packet)
    }

    private mutating func collect(_ bytes: borrowing Span<UInt8>, _ range: Range<Int>) {
        guard !range.isEmpty else { return }
        unsafe bytes.extracting(range).withUnsafeBufferPointer { unsafe self.collected.append(contentsOf: $0) }
    }

    private mutating func readLength() throws(WireError) -> Int {
        if let length = self.length { return length }
        var bits: UInt32 = 0
        for byte in self.collected.prefix(4) { bits = bits << 8 | UInt32(byte) }
        let length = Int(Int32(bitPattern: bits))
        guard StartupPacket.lengthBounds.contains(length) else {
            throw StartupPacket.lengthError(length, StartupPacket.lengthBounds)
        }
        self.collected.reserveCapacity(length)
        self.length = length
        return length
    }
}
