/// One whole message.
package struct WireMessage: Sendable, Equatable {
    package let kind: UInt8
    package let body: [UInt8]

    package init(kind: UInt8, body: [UInt8]) {
        self.kind = kind
        self.body = body
    }
}

/// Collects whole messages of bounded size for control-plane peers: login, console, login at a server.
///
/// A length is checked before a byte of its body is waited for. The buffer holds what was appended and not yet taken:
/// callers take messages after each read and stop reading while `isFull`, which bounds it by one message and one
/// read. Belongs to one connection's worker.
package struct MessageAssembler: Sendable {
    package let maximumBodyLength: Int
    private var buffer: [UInt8] = []
    /// Start of the unread bytes.
    private var start = 0

    package init(maximumBodyLength: Int) {
        self.maximumBodyLength = min(max(0, maximumBodyLength), MessageHeader.maximumBodyLength)
    }

    /// Bytes appended and not yet taken.
    package var unreadCount: Int { self.buffer.count - self.start }

    /// As many bytes as the largest message are waiting: take messages before more are appended.
    package var isFull: Bool {
        self.unreadCount >= self.maximumBodyLength + MessageHeader.size
    }

    package mutating func append(_ bytes: borrowing Span<UInt8>) {
        self.compact()
        self.buffer.reserveCapacity(growingTo: self.buffer.count + bytes.count)
        for index in bytes.indices {
            self.buffer.append(bytes[index])
        }
    }

    package mutating func append(_ bytes: [UInt8]) {
        self.compact()
        self.buffer.append(contentsOf: bytes)
    }

    /// The next whole message, nil while it is incomplete. A length out of bounds throws, now and at every later call.
    package mutating func next() throws(WireError) -> WireMessage? {
        guard let header = MessageHeader.read(self.buffer.span, at: self.start) else { return nil }
        guard header.bodyLength >= 0, header.bodyLength <= self.maximumBodyLength else {
            throw .lengthOutOfRange(length: header.bodyLength + 4, minimum: 4, maximum: self.maximumBodyLength + 4)
        }
        guard header.wireLength <= self.unreadCount else { return nil }
        let bodyStart = self.start + MessageHeader.size
        let bodyEnd = bodyStart + header.bodyLength
        let message = WireMessage(kind: header.kind, body: Array(self.buffer[bodyStart..<bodyEnd]))
        self.start = bodyEnd
        if self.start == self.buffer.count {
            self.buffer.removeAll(keepingCapacity: true)
            self.start = 0
        }
        return message
    }

    /// Hands over the bytes that were not taken as messages, and the memory with them.
    package mutating func takeUnread() -> [UInt8] {
        defer {
            self.buffer = []
            self.start = 0
        }
        return self.start == 0 ? self.buffer : Array(self.buffer[self.start...])
    }

    /// Moves the unread bytes to the front once they are the smaller half, so that moving costs as little as taking.
    private mutating func compact() {
        guard self.start > self.buffer.count / 2 else { return }
        self.buffer.removeSubrange(0..<self.start)
        self.start = 0
    }
}

extension [UInt8] {
    /// Doubles at least, where `reserveCapacity` alone would grow by exact steps and copy at every one.
    fileprivate mutating func reserveCapacity(growingTo count: Int) {
        if count > self.capacity {
            self.reserveCapacity(Swift.max(count, self.capacity * 2))
        }
    }
}
