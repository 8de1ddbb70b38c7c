import PGWire
import Reactor
import Sessions
import Synchronization

/// The cancel keys given to clients, and the way from a key to its client. Any worker.
///
/// A key means the client, not a server: a request reaches whatever server the client holds at that moment, or what
/// waits for one, and nobody when nothing does. So a late, repeated or invented key harms nobody.
final class CancelKeys: Sendable {
    private struct Entry {
        let secret: [UInt8]
        let client: ClientConnection
    }

    private let entries = Mutex<[Int32: Entry]>([:])

    /// A new secret for `client`: 4 bytes in protocol 3.0, 32 from 3.2 on. The process ID is the client's number.
    func makeKey(for client: ClientConnection, version: ProtocolVersion) -> [UInt8] {
        let secret = RandomPool.shared.take(version >= .v3_2 ? 32 : 4)
        self.entries.withLock { $0[client.number] = Entry(secret: secret, client: client) }
        return secret
    }

    func remove(_ client: ClientConnection) {
        self.entries.withLock { entries in
            guard let place = entries.index(forKey: client.number), entries.values[place].client === client
            else { return }
            entries.remove(at: place)
        }
    }

    /// Passes a request on if its key is right. The comparison takes the same time wherever keys differ.
    /// `canceller` is told when the request can have no effect any more that it has not had.
    func cancel(_ request: CancelRequest, for canceller: ClientConnection) {
        let client = self.entries.withLock { entries -> ClientConnection? in
            guard let entry = entries[request.processID] else { return nil }
            return ConstantTime.areEqual(entry.secret, request.secret) ? entry.client : nil
        }
        guard let client else {
            canceller.cancelIsThrough()
            return
        }
        client.home.worker.execute { client.cancelRequested(by: canceller) }
    }
}
