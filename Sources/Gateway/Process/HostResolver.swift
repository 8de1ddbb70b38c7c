import AuthProviders
import PGWire
import Reactor
import Synchronization

/// Turns `server_host` into an address. Numeric addresses and socket directories need no look-up; names are looked up
/// on threads of their own, because the system's resolver blocks, and remembered for a short time.
///
/// A look-up takes as long as the system's resolver lets it: who cannot wait that long has a deadline of its own, and
/// does nothing with an answer that comes later. However often a name is asked for, one look-up of it is under way, and
/// a few more where that one does not end. While nobody can say what a name stands for, its last known addresses are
/// used, but not for longer than an hour; see `HostAnswers`.
final class HostResolver: Sendable {
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

    private static let lookUpsMax = 1024

    /// Not those of Dispatch: while more waits for them than there are, it counts in /proc which of them run, and ends
    /// the process when it cannot because no descriptor is left, or /proc is not mounted.
    private let lane: BlockingLane
    private let answers = Mutex(HostAnswers<Waiter>())
    private let lookUp: @Sendable (_ host: String, _ port: UInt16) -> SocketAddress.Resolution
    private let warn: @Sendable (_ host: String, _ reason: String) -> Void
    private let now: @Sendable () -> MonotonicMicroseconds

    /// - Parameters:
    ///   - lane: where names are looked up.
    ///   - lookUp: asks the system; may block for as long as it likes.
    ///   - warn: is told, once for each outage of a name, that its last known addresses are used. Any thread.
    init(
        lane: BlockingLane = BlockingLane(name: "server names", threads: 32, queueMax: HostResolver.lookUpsMax),
        lookUp: @escaping @Sendable (_ host: String, _ port: UInt16) -> SocketAddress.Resolution = { host, port in
            SocketAddress.resolve(host: host, port: port)
        },
        warn: @escaping @Sendable (_ host: String, _ reason: String) -> Void = { _, _ in },
        now: @escaping @Sendable () -> MonotonicMicroseconds = { MonotonicClock.now() }
    ) {
        self.lane = lane
        self.lookUp = lookUp
        self.warn = warn
        self.now = now
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
        let (name, now) = (Self.name(host, port), self.now())
        let waiter = Waiter(worker: worker, body: body)
        let (known, begins) = self.answers.withLock { $0.ask(name, now: now, waiter: waiter) }
        if begins { self.begin(host: host, port: port, at: now) }
        if !known.isEmpty { body(.success(known)) }
    }

    /// For somebody who has waited long enough for a look-up: the addresses that the name had, in the order in which
    /// they are to be tried; none where that is too long ago.
    func lastKnown(host: String, port: UInt16) -> [SocketAddress] {
        let now = self.now()
        let (known, isNews) = self.answers.withLock { $0.lastKnown(Self.name(host, port), now: now) }
        if isNews { self.warn(host, "the look-up takes long") }
        return known
    }

    /// Looks up again where a name leads, when that was last done long enough ago; see `left`.
    func follow(host: String, port: UInt16) {
        if host.hasPrefix("/") || SocketAddress(numericHost: host, port: port) != nil { return }
        let now = self.now()
        guard self.answers.withLock({ $0.follow(Self.name(host, port), now: now) }) else { return }
        self.begin(host: host, port: port, at: now)
    }

    /// The names that lead elsewhere than before, each told once.
    func takeMoved() -> Set<ExactName> { self.answers.withLock { $0.takeMoved() } }

    /// The addresses that names have no more.
    var left: [ExactName: Set<String>] { self.answers.withLock { $0.left } }

    /// The next to ask for a name waits for a new look-up.
    func forget() { self.answers.withLock { $0.forget() } }

    static func name(_ host: String, _ port: UInt16) -> ExactName { ExactName("\(host):\(port)") }

    private func begin(host: String, port: UInt16, at began: MonotonicMicroseconds) {
        let refusal = self.lane.start { self.ended(self.lookUp(host, port), host: host, port: port, began: began) }
        guard let refusal else { return }
        let reason = refusal == .full ? "too many look-ups wait" : "the system has no thread left for a look-up"
        self.ended(.unavailable(reason), host: host, port: port, began: began)
    }

    private func ended(
        _ resolution: SocketAddress.Resolution,
        host: String,
        port: UInt16,
        began: MonotonicMicroseconds
    ) {
        let now = self.now()
        let (told, isNews) = self.answers.withLock {
            $0.ended(Self.name(host, port), resolution, began: began, now: now)
        }
        if isNews, case .unavailable(let reason) = resolution { self.warn(host, reason) }
        for (waiter, outcome) in told { waiter.worker.execute { waiter.body(outcome) } }
    }
}
