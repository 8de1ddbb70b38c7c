import AuthProviders
import PGWire
import Reactor
import Synchronization

/// Turns `server_host` into an address. Numeric addresses and socket directories need no look-up; names are looked up
/// on threads of their own, because the system's resolver blocks, and remembered for a short time.
///
/// A look-up takes as long as the system's resolver lets it: who cannot wait that long has a deadline of its own, and
/// does nothing with an answer that comes later. However often a name is asked for, one look-up of it is under way.
final class HostResolver: Sendable {
    private struct Answer {
        let addresses: [SocketAddress]
        let expires: MonotonicMicroseconds
        var next = 0

        /// All addresses, in the order in which they are to be tried: each is the first one in turn.
        mutating func take() -> [SocketAddress] {
            guard !self.addresses.isEmpty else { return [] }
            let first = self.next % self.addresses.count
            self.next = (first + 1) % self.addresses.count
            return Array(self.addresses[first...] + self.addresses[..<first])
        }
    }

    /// Nothing was found.
    struct Failure: Error {
        /// The system's own words; for logs and clients.
        let reason: String
    }

    /// Somebody who waits for a look-up.
    private struct Waiter: Sendable {
        let worker: Worker
        let body: @Sendable (Result<[SocketAddress], Failure>) -> Void
    }

    private struct State {
        var answers: [ExactName: Answer] = [:]
        /// The names that are being looked up.
        var waiting: [ExactName: [Waiter]] = [:]
    }

    /// How long an answer is used: short enough to follow a failover that works through names.
    private static let lifetime: MonotonicMicroseconds = 15_000_000
    private static let entriesMax = 1024

    /// Not those of Dispatch: while more waits for them than there are, it counts in /proc which of them run, and ends
    /// the process when it cannot because no descriptor is left, or /proc is not mounted.
    private let lane: BlockingLane
    private let state = Mutex(State())
    private let lookUp: @Sendable (_ host: String, _ port: UInt16) -> SocketAddress.Resolution

    /// - Parameters:
    ///   - lane: where names are looked up.
    ///   - lookUp: asks the system; may block for as long as it likes.
    init(
        lane: BlockingLane = BlockingLane(name: "server names", threads: 32, queueMax: HostResolver.entriesMax),
        lookUp: @escaping @Sendable (_ host: String, _ port: UInt16) -> SocketAddress.Resolution = { host, port in
            SocketAddress.resolve(host: host, port: port)
        }
    ) {
        self.lane = lane
        self.lookUp = lookUp
    }

    /// Calls `body` on `worker`, at once when the addresses are known: one at least, in the order in which they are to
    /// be tried.
    func resolve(
        host: String,
        port: UInt16,
        for worker: Worker,
        then body: @escaping @Sendable (Result<[SocketAddress], Failure>) -> Void
    ) {
        if host.hasPrefix("/") {
            if let address = SocketAddress(unixPath: "\(host)/.s.PGSQL.\(port)") {
                body(.success([address]))
            } else {
                body(.failure(Failure(reason: "the path of its socket is too long")))
            }
            return
        }
        if let numeric = SocketAddress(numericHost: host, port: port) {
            body(.success([numeric]))
            return
        }
        let key = ExactName("\(host):\(port)")
        let now = worker.now
        let waiter = Waiter(worker: worker, body: body)
        let (known, isFirst) = self.state.withLock { state -> ([SocketAddress], Bool) in
            if let answer = state.answers[key], answer.expires > now {
                return (state.answers[key]?.take() ?? [], false)
            }
            let isFirst = state.waiting[key] == nil
            state.waiting[key, default: []].append(waiter)
            return ([], isFirst)
        }
        if !known.isEmpty {
            body(.success(known))
            return
        }
        guard isFirst else { return }
        if let refusal = self.lane.start({ self.found(self.lookUp(host, port), for: key) }) {
            let reason = refusal == .full ? "too many look-ups wait" : "the system has no thread left for a look-up"
            self.found(.failed(reason), for: key)
        }
    }

    /// Everybody who waits gets what was found, whatever becomes of the remembered answer.
    private func found(_ resolution: SocketAddress.Resolution, for key: ExactName) {
        let expires = MonotonicClock.now() + Self.lifetime
        let addresses: [SocketAddress]
        let failure: Failure
        switch resolution {
        case .found(let found): (addresses, failure) = (found, Failure(reason: "it has no address"))
        case .failed(let reason): (addresses, failure) = ([], Failure(reason: reason))
        }
        let served = self.state.withLock { state -> [(Waiter, [SocketAddress])] in
            let waiters = state.waiting.removeValue(forKey: key) ?? []
            var answer = Answer(addresses: addresses, expires: expires)
            var served: [(Waiter, [SocketAddress])] = []
            for waiter in waiters { served.append((waiter, answer.take())) }
            if !addresses.isEmpty {
                if state.answers.count >= Self.entriesMax { state.answers.removeAll() }
                state.answers[key] = answer
            }
            return served
        }
        for (waiter, addresses) in served {
            waiter.worker.execute { waiter.body(addresses.isEmpty ? .failure(failure) : .success(addresses)) }
        }
    }
}
