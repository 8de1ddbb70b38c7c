import DequeModule
import Reactor
import Settings
import Synchronization

/// The handshakes of one worker, one step in each round of its loop: the relays of other clients wait for one handshake
/// at most, however many come at once.
///
/// Belongs to its worker.
final class HandshakeQueue: Endpoint, @unchecked Sendable {
    /// A handshake that has something to work on.
    protocol Subject: AnyObject {
        /// Its connection is gone.
        var isOver: Bool { get }
        func handshakeStep()
    }

    /// So few may stay until more are gone: a sweep for each of them would cost more than they do.
    private static let departedMin = 16

    @safe unowned(unsafe) private let gateway: Gateway
    private var ready = HandshakeOrder<any Subject>()
    /// Those that `tls_rate_limit_per_second` holds up, in the order they came. Bounded by the clients of the worker:
    /// those that have left are swept out before they outnumber the others.
    private var waiting: Deque<any Subject> = []
    /// Handshakes given up since the last sweep, whether they waited here or not.
    private var departed = 0
    private var isScheduled = false

    init(worker: Worker, gateway: Gateway) {
        self.gateway = gateway
        super.init(descriptor: -1, worker: worker)
    }

    /// Has its next step done in a later round.
    ///
    /// - Parameter isOutgoing: the handshake is one with a server, whose `connect_timeout` is running.
    func add(_ subject: any Subject, isOutgoing: Bool = false) {
        self.ready.append(subject, isOutgoing: isOutgoing)
        self.schedule()
    }

    /// The same for the first step with a client, which may have to wait for its turn.
    func admit(_ subject: any Subject) {
        self.waiting.append(subject)
        if self.waiting.count == 1 { self.admitDue() }
    }

    /// A handshake was given up. Costs a constant on average: a sweep comes once in half as many calls as it looks at
    /// subjects.
    func noteDeparture() {
        self.departed += 1
        guard self.departed > Self.departedMin, self.departed > self.waiting.count / 2 else { return }
        self.departed = 0
        self.waiting.removeAll { $0.isOver }
    }

    private func schedule() {
        if self.isScheduled { return }
        self.isScheduled = true
        unsafe self.worker.execute { self.step() }
    }

    private func step() {
        self.isScheduled = false
        while let subject = self.ready.popFirst() {
            if subject.isOver { continue }
            if !self.ready.isEmpty { self.schedule() }
            subject.handshakeStep()
            return
        }
    }

    private func admitDue() {
        let limit = self.gateway.snapshot.settings.general.clientTLS.rateLimitPerSecond
        while let next = self.waiting.first {
            if !next.isOver {
                let now = unsafe self.worker.now
                let wait = self.gateway.handshakeRate.take(now: now, perSecond: limit)
                if wait > 0 {
                    if !self.isOpen { unsafe self.worker.attach(self) }
                    self.setDeadline(now + wait)
                    return
                }
                self.add(next)
            }
            self.waiting.removeFirst()
        }
    }

    override func deadlinePassed() { self.admitDue() }
}

/// `tls_rate_limit_per_second`: handshakes with clients are spaced evenly; those of 33 milliseconds may come at once,
/// for a worker's timers are late by half of that, and what is missed between two of them must not be lost. Any worker.
final class HandshakeRate: Sendable {
    private static let burst: MonotonicMicroseconds = 32_768
    /// When the next one would begin if they came evenly.
    private let next = Mutex<MonotonicMicroseconds>(0)

    /// Begins one if it may begin now.
    ///
    /// - Parameter perSecond: 0 for no limit.
    /// - Returns: 0 when it has begun, else the microseconds after which it is worth asking again.
    func take(now: MonotonicMicroseconds, perSecond: Int) -> MonotonicMicroseconds {
        guard perSecond > 0 else { return 0 }
        let interval = max(1_000_000 / MonotonicMicroseconds(perSecond), 1)
        return self.next.withLock { next in
            let turn = max(next, now)
            let wait = turn - Self.burst - now
            if wait <= 0 { next = turn + interval }
            return max(wait, 0)
        }
    }
}
