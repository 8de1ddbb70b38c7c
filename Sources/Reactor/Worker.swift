import CReactor
import Glibc
package import Synchronization

/// One epoll instance and the thread that runs it: it owns endpoints, their timers and one receive buffer, and runs the
/// asynchronous jobs (logins, console commands) that prefer it as their executor.
///
/// All members belong to the thread that runs it (its own, or another worker's while its own rests: `WorkerLoop`)
/// except those marked as callable from any thread. `@unchecked Sendable` for that reason: what other threads reach
/// is `mailbox` (a lock), atomics and constants.
@safe
public final class Worker: TaskExecutor, @unchecked Sendable {
    /// Bytes read at once. Large enough that a big result moves in few system calls, small enough to stay in cache.
    static let receiveCapacity = 128 * 1024
    private static let eventCapacity = 256
    /// The slot number that stands for the wake-up descriptor.
    private static let wakeSlot = UInt32.max
    /// The one that stands for the alarm clock.
    private static let alarmSlot = UInt32.max - 1
    /// The one that stands for another worker; which one, its generation says.
    private static let guestSlot = UInt32.max - 2

    struct Slot {
        var endpoint: Endpoint?
        /// Changes whenever the slot is freed.
        var generation: UInt32 = 0
        /// Stands in the queue of endpoints that must not wait for the kernel.
        var isQueued = false
        /// Registered here, but free to be taken by any worker: see `Endpoint.trafficWhileShared`.
        var isShared = false
        /// What was reported while it was shared said that the peer will send no more.
        var hasEnding = false
    }

    /// An endpoint as the worker remembers it: it may have been closed or have moved since.
    struct Place {
        let slot: Int32
        let generation: UInt32
    }

    public let index: Int
    let epoll: Int32
    /// Whether the small sends of a round go to the kernel together. One branch instead of a protocol: it is taken
    /// several times per message.
    @safe @exclusivity(unchecked) var gathersSends: Bool
    /// Where its sends are gathered: its own ring, or that of the worker whose thread runs it.
    @safe @exclusivity(unchecked) private(set) var ring: UnsafeMutablePointer<cr_ring>
    private let ownRing: UnsafeMutablePointer<cr_ring>
    let wakeDescriptor: Int32
    private let alarm: Int32
    /// What the alarm clock is set to. Set when the next deadline moves forward only: a time limit for each sleep would
    /// be a timer of the kernel's to set up and take down each time.
    @safe @exclusivity(unchecked) private var alarmTime = TimerWheel.never

    // Exclusive access is not checked at run time here: one thread uses these, and none is lent out (`inout`) across
    // a call that could come back to the worker. The checks took more instructions than all the rest of the relay.
    @safe @exclusivity(unchecked) var slots: ContiguousArray<Slot> = []
    var freeSlots: ContiguousArray<Int32> = []
    @safe @exclusivity(unchecked) var timers: TimerWheel
    @safe @exclusivity(unchecked) var blocks = BlockCache()
    /// Endpoints that must not wait for the kernel.
    @safe @exclusivity(unchecked) var ready: ContiguousArray<Place> = []
    @safe @exclusivity(unchecked) private var readySpare: ContiguousArray<Place> = []
    private var dueSlots: ContiguousArray<Int> = []
    private let events: UnsafeMutableBufferPointer<cr_event>
    let receiveBuffer: UnsafeMutableRawBufferPointer
    @safe @exclusivity(unchecked) var sealing: SealBuffers?
    @safe @exclusivity(unchecked) private(set) var isStopping = false
    /// The loop of the thread that runs it now; nil where threads are not shared.
    @safe @exclusivity(unchecked) var loop: WorkerLoop?
    /// Its descriptor may have events for it: looked at where another worker's thread runs it.
    @safe @exclusivity(unchecked) var isSignalled = false
    /// What it had to do since its thread began to count: events, messages, jobs, endpoints that could not wait.
    @safe @exclusivity(unchecked) var servedCount = 0

    let mailbox = Mailbox()
    /// The batch of messages being worked off; swapped with the mailbox's array.
    @safe @exclusivity(unchecked) var mail: ContiguousArray<WorkerMessage> = []
    @safe @exclusivity(unchecked) var localJobs: ContiguousArray<UnownedJob> = []

    /// The moment at which the present round of the loop began.
    @safe @exclusivity(unchecked) public private(set) var now: MonotonicMicroseconds

    /// Clients this worker holds or is about to get: read by whoever accepts. Any thread.
    package let clientCount = Atomic<Int>(0)

    /// - Throws: `ReactorError` when the kernel has no descriptor left, or does not grant a ring.
    public init(index: Int, method: IOMethod = .epoll) throws(ReactorError) {
        self.index = index
        self.gathersSends = method == .ioUring
        unsafe self.ownRing = .allocate(capacity: 1)
        unsafe self.ownRing.initialize(to: cr_ring())
        unsafe self.ring = self.ownRing
        if self.gathersSends { _ = try ReactorError.check(unsafe cr_ring_open(self.ownRing), doing: "io_uring") }
        // No batch of one worker has the number of another's: what is left of a send is known by it.
        unsafe self.ownRing.pointee.batch = UInt64(clamping: index) << 40
        self.epoll = try ReactorError.check(cr_epoll_create(), doing: "epoll_create1")
        self.wakeDescriptor = try ReactorError.check(cr_eventfd(), doing: "eventfd")
        self.alarm = try ReactorError.check(cr_timer(), doing: "timerfd_create")
        let now = MonotonicClock.now()
        self.now = now
        self.timers = TimerWheel(now: now)
        unsafe self.events = .allocate(capacity: Self.eventCapacity)
        unsafe self.receiveBuffer = .allocate(byteCount: Self.receiveCapacity, alignment: 64)
        for (descriptor, slot) in [(self.wakeDescriptor, Self.wakeSlot), (self.alarm, Self.alarmSlot)] {
            let flags = EventFlags.readable | EventFlags.edge
            _ = try ReactorError.check(cr_epoll_add(self.epoll, descriptor, flags, slot, 0), doing: "epoll_ctl")
        }
    }

    deinit {
        unsafe self.events.deallocate()
        unsafe self.receiveBuffer.deallocate()
        self.sealing?.deallocate()
        if unsafe self.ownRing.pointee.arena != nil { unsafe cr_ring_close(self.ownRing) }
        _ = cr_close(self.epoll)
        unsafe self.ownRing.deallocate()
        _ = cr_close(self.wakeDescriptor)
        _ = cr_close(self.alarm)
    }

    /// True on this worker's own thread. Any thread.
    public var isCurrent: Bool {
        unsafe cr_current() == Unmanaged.passUnretained(self).toOpaque()
    }

    // MARK: The loop

    /// Runs until `stop`. Call on a thread of its own.
    public func run() {
        unsafe cr_set_current(Unmanaged.passUnretained(self).toOpaque())
        // The thread may start long after the worker was made.
        self.readClock()
        while !self.isStopping { self.runOnce(blocking: true) }
        self.handOverSends()
        cr_set_current(nil)
    }

    /// One round: messages, jobs, endpoints that must not wait, due timers, then the kernel's events.
    public func runOnce(blocking: Bool) {
        self.beginRound()
        // Before it is decided whether to wait: a send that fails makes work.
        self.handOverSends()
        self.finishRound(waiting: blocking && self.prepareToWait())
    }

    /// What does not come from the kernel.
    func beginRound() {
        self.drainMailbox()
        self.runJobs()
        self.serveReady()
        self.fireTimers()
    }

    /// All that waits to be sent.
    func handOverSends() {
        if self.gathersSends { self.handOver() }
    }

    /// False when there is something to do. Otherwise whatever makes work from now on wakes the thread.
    func prepareToWait() -> Bool {
        self.ready.isEmpty && self.localJobs.isEmpty && !self.isStopping && self.setAlarm()
            && self.mailbox.prepareToSleep()
    }

    /// The kernel's events.
    func finishRound(waiting: Bool) {
        let events = unsafe self.events.baseAddress
        let count = unsafe cr_epoll_wait(self.epoll, events, Int32(Self.eventCapacity), waiting ? -1 : 0)
        self.mailbox.woke()
        self.readClock()
        // Such may be more than has been told, of which the descriptor of a guest says nothing again.
        self.isSignalled = Int(count) == Self.eventCapacity
        for position in 0..<Int(count) {
            let event = unsafe self.events[position]
            switch event.slot {
            case Self.wakeSlot: cr_eventfd_drain(self.wakeDescriptor)
            case Self.alarmSlot: self.alarmTime = TimerWheel.never
            case Self.guestSlot: self.loop?.noteEvents(ofGuest: Int(event.generation))
            default:
                self.servedCount &+= 1
                self.dispatch(event)
            }
        }
    }

    /// From now on this worker's thread wakes for the events of `guest`. False when the kernel has no memory for it.
    func watch(_ guest: Worker) -> Bool {
        let flags = EventFlags.readable | EventFlags.edge
        return cr_epoll_add(self.epoll, guest.epoll, flags, Self.guestSlot, UInt32(clamping: guest.index)) == 0
    }

    func unwatch(_ guest: Worker) { _ = cr_epoll_remove(self.epoll, guest.epoll) }

    /// The sends of both are gathered together from now on; nil: its own by themselves. None may be waiting.
    func gatherSends(with host: Worker?) {
        if let host, self.gathersSends, host.gathersSends {
            self.ring = host.ring
        } else {
            self.ring = unsafe self.ownRing
        }
    }

    /// Sees to it that the worker is woken for its next deadline. False when that is due already.
    private func setAlarm() -> Bool {
        let due = self.timers.nextDue()
        if due <= self.now { return false }
        if due < self.alarmTime {
            cr_timer_set(self.alarm, due)
            self.alarmTime = due
        }
        return true
    }

    func readClock() { self.now = MonotonicClock.now() }

    /// As its thread has just read it.
    func setClock(_ now: MonotonicMicroseconds) { self.now = now }

    /// Ends `run` after the present round. On the worker's thread; from others use `execute`.
    public func stop() { self.isStopping = true }

    private func serveReady() {
        if self.ready.isEmpty { return }
        swap(&self.ready, &self.readySpare)
        self.servedCount &+= self.readySpare.count
        for place in self.readySpare { self.serveQueued(place) }
        self.readySpare.removeAll(keepingCapacity: true)
    }

    private func fireTimers() {
        if self.timers.armedCount == 0 { return }
        self.timers.advance(to: self.now, due: &self.dueSlots)
        for slot in self.dueSlots where self.timers.takeDue(slot) && !self.slots[slot].isShared {
            self.slots[slot].endpoint?.deadlinePassed()
        }
        if !self.dueSlots.isEmpty { self.dueSlots.removeAll(keepingCapacity: true) }
    }

    func runJobs() {
        // Jobs that enqueue further jobs are served in the next round, so that sockets get their turn.
        if self.localJobs.isEmpty { return }
        self.servedCount &+= self.localJobs.count
        let jobs = self.localJobs
        self.localJobs.removeAll(keepingCapacity: true)
        for job in jobs { unsafe job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }

    func wake() { cr_eventfd_signal(self.wakeDescriptor) }
}
