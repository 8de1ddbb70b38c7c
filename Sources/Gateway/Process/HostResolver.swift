import Dispatch
import Reactor
import Synchronization

/// Turns `server_host` into an address. Numeric addresses and socket directories need no look-up; names are looked up
/// on a queue of their own, because the system's resolver blocks, and remembered for a short time.
final class HostResolver: Sendable {
    private struct Answer {
        let addresses: [SocketAddress]
        let expires: MonotonicMicroseconds
        var next: Int
    }

    /// How long an answer is used: short enough to follow a failover that works through names.
    private static let lifetime: MonotonicMicroseconds = 15_000_000
    private static let entriesMax = 1024

    private let queue = DispatchQueue(label: "resolver", attributes: .concurrent)
    private let answers = Mutex<[String: Answer]>([:])

    /// Calls `body` on `home`'s worker, at once when the address is known. Several addresses are used in turn.
    func resolve(
        host: String,
        port: UInt16,
        for home: WorkerHome,
        then body: @escaping @Sendable (SocketAddress?) -> Void
    ) {
        if host.hasPrefix("/") {
            body(SocketAddress(unixPath: "\(host)/.s.PGSQL.\(port)"))
            return
        }
        if let numeric = SocketAddress(numericHost: host, port: port) {
            body(numeric)
            return
        }
        let key = "\(host):\(port)"
        if let known = self.take(key, now: home.worker.now) {
            body(known)
            return
        }
        self.queue.async {
            let addresses = SocketAddress.resolve(host: host, port: port)
            let now = MonotonicClock.now()
            self.answers.withLock { answers in
                if answers.count >= Self.entriesMax { answers.removeAll() }
                if addresses.isEmpty {
                    answers[key] = nil
                } else {
                    answers[key] = Answer(addresses: addresses, expires: now + Self.lifetime, next: 0)
                }
            }
            home.worker.execute { body(self.take(key, now: now)) }
        }
    }

    private func take(_ key: String, now: MonotonicMicroseconds) -> SocketAddress? {
        self.answers.withLock { answers in
            guard var answer = answers[key], answer.expires > now else { return nil }
            let address = answer.addresses[answer.next % answer.addresses.count]
            answer.next = (answer.next + 1) % answer.addresses.count
            answers[key] = answer
            return address
        }
    }
}
