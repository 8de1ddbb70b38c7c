import PGWire

/// Startup packets seen lately, with what they mean. The clients of one application all send the same packet, so most
/// logins find theirs here, for the price of one comparison.
///
/// Holds at most `countMax` packets of at most `lengthMax` bytes; only such as were understood, and none that carries a
/// cancel key. Belongs to one worker.
package struct StartupMemory: Sendable {
    private struct Entry: Sendable {
        let packet: [UInt8]
        let login: ClientStartup.Login
        let parameters: SessionParameters
    }

    package static let countMax = 8
    package static let lengthMax = 512

    private var entries: ContiguousArray<Entry> = []
    /// The one to be replaced next, when all places are taken.
    private var oldest = 0

    package init() {}

    /// What the bytes mean, if they are one whole packet that was remembered.
    package func recall(
        _ bytes: borrowing Span<UInt8>
    ) -> (login: ClientStartup.Login, parameters: SessionParameters)? {
        for entry in self.entries where SpanBytes.equal(bytes, 0..<bytes.count, entry.packet) {
            return (entry.login, entry.parameters)
        }
        return nil
    }

    /// - Parameter bytes: the packet that was understood as `login`, and nothing else.
    package mutating func remember(
        _ bytes: borrowing Span<UInt8>,
        _ login: ClientStartup.Login,
        _ parameters: SessionParameters
    ) {
        guard bytes.count <= Self.lengthMax, self.recall(bytes) == nil else { return }
        let entry = Entry(packet: SpanBytes.copy(bytes, 0..<bytes.count), login: login, parameters: parameters)
        if self.entries.count < Self.countMax {
            self.entries.append(entry)
        } else {
            self.entries[self.oldest] = entry
            self.oldest = (self.oldest + 1) % Self.countMax
        }
    }
}
