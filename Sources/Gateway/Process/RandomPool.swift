import Glibc
import Sessions
import Synchronization

/// Unpredictable bytes from the operating system for what every login needs: nonces, salts, cancel keys. One call into
/// the system fetches the bytes of many logins. Bytes are overwritten when they are handed out, so that none is used
/// twice or stays behind. Any thread.
final class RandomPool: Sendable {
    /// The system hands out as many at once without being interrupted (getentropy(3)).
    private static let size = 256

    private struct Store {
        var bytes = [UInt8](repeating: 0, count: RandomPool.size)
        /// The first that was not handed out.
        var next = RandomPool.size
    }

    /// The one of this process.
    static let shared = RandomPool()

    private let store = Mutex(Store())

    func take(_ count: Int) -> [UInt8] {
        guard count > 0, count <= Self.size else { return RandomBytes.make(count: count) }
        return self.store.withLock { store in
            if store.next + count > Self.size { Self.refill(&store) }
            let range = store.next..<(store.next + count)
            let taken = Array(store.bytes[range])
            for index in range { store.bytes[index] = 0 }
            store.next = range.upperBound
            return taken
        }
    }

    private static func refill(_ store: inout Store) {
        // Fails on old kernels alone; the slow way works there, too.
        let failure = unsafe store.bytes.withUnsafeMutableBytes { bytes in
            unsafe bytes.baseAddress.map { unsafe getentropy($0, bytes.count) } ?? -1
        }
        if failure != 0 { store.bytes = RandomBytes.make(count: self.size) }
        store.next = 0
    }
}
