import AuthProviders
import Reactor
import Synchronization

/// The process-wide memory of failed proofs. Any thread; a login without failures before it costs one atomic load.
final class LoginThrottle: Sendable {
    private let machine = Mutex(FailureThrottle())
    /// From this moment on the machine remembers nothing that matters.
    private let quietAt = Atomic<MonotonicMicroseconds>(.min)
    /// Clients that wait for an answer or a challenge now.
    private let held = Atomic<Int>(0)

    /// At most this part of `max_connections` is held back at a time; others are answered at once.
    static let heldPart = 4

    /// The moment at which a failed proof may be answered.
    func failed(
        _ origin: LoginOrigin,
        user: String,
        base: MonotonicMicroseconds,
        now: MonotonicMicroseconds
    ) -> MonotonicMicroseconds {
        self.machine.withLock { machine in
            let delay = machine.failed(origin, user: user, base: base, now: now)
            self.quietAt.store(machine.quietAt, ordering: .relaxed)
            return now + delay
        }
    }

    /// True when no login has to wait, and no success has to be noted.
    func isQuiet(now: MonotonicMicroseconds) -> Bool { self.quietAt.load(ordering: .relaxed) <= now }

    /// The moment before which this user is not asked for its password at this address; nil for none.
    func challengeHeldUntil(_ origin: LoginOrigin, user: String, now: MonotonicMicroseconds) -> MonotonicMicroseconds? {
        self.machine.withLock { $0.challengeHeldUntil(origin, user: user, now: now) }
    }

    func succeeded(_ origin: LoginOrigin, user: String, now: MonotonicMicroseconds) {
        self.machine.withLock { $0.succeeded(origin, user: user, now: now) }
    }

    /// Takes one of the places of clients that are held back. False when all are taken.
    func takePlace(of maxConnections: Int) -> Bool {
        let limit = max(maxConnections / Self.heldPart, 1)
        if self.held.wrappingAdd(1, ordering: .relaxed).newValue <= limit { return true }
        self.givePlaceBack()
        return false
    }

    func givePlaceBack() { self.held.wrappingSubtract(1, ordering: .relaxed) }
}
