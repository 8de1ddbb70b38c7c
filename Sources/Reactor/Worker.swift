import CReactor
import Glibc
package import Synchronization

/// One thread with one epoll instance: it owns endpoints, their timers and one receive buffer, and runs the
/// asynchronous jobs (logins, console commands) that prefer it as their executor.
///
/// All members belong to the worker's own thread except those marked as callable from any thread. `@unchecked
/// Sendable` for that reason: what other threads reach is `mailbox` (a lock), atomics and constants.
@safe
public final class Worker: TaskExecutor, @unchecked Sendable {
    /// Bytes read at once. Large enough that a big result moves in few system calls, small enough to stay in cache.
    static let receiveCapacity = 128 * 1024
    private static let eventCapacity = 256
    /// The slot number that stands for the wake-up descriptor.
    private static let wakeSlot = UInt32.max

    struct Slot {
        var endpoint: Endpoint?
        var generation: UInt32 = 0
        /// Stands in the queue of endpoints that must not wait for the kernel.
        var isQueued = false
        /// Registered here, but free to be taken by any worker: see `Endpoint.trafficWhileShared`.
        var isShared = false
    }

    public let index: Int
    let epoll: Int32
    private let wakeDescriptor: Int32

    var slots: ContiguousArray<Slot> = []
    var freeSlots: ContiguousArray<Int32> = []
    var timers: TimerWheel
    var blocks = BlockCache()
    /// Slots with their generations rather than endpoints: what was queued may have been closed or have moved.
    private var ready: ContiguousArray<(slot: Int32, generation: UInt32)> = []
    private var readySpare: ContiguousArray<(slot: Int32, generation: UInt32)> = []
    private var dueSlots: ContiguousArray<Int> = []
    private var events: ContiguousArray<cr_event>
    private let receiveBuffer: UnsafeMutableRawBufferPointer
    private var isStopping = false

    let mailbox = Mailbox()
    /// The batch of messages being worked off; swapped with the mailbox's array.
    var mail: ContiguousArray<WorkerMessage> = []
    var localJobs: ContiguousArray<UnownedJob> = []

    /// The moment at which the present round of the loop began.
    public private(set) var now: MonotonicMicroseconds

    /// Clients this worker holds: written here, read by whoever accepts. Any thread.
    package let clientCount = Atomic<Int>(0)

    /// - Throws: `ReactorError` when the kernel has no descriptor left.
    public init(index: Int) throws(ReactorError) {
        self.index = index
        self.epoll = try ReactorError.check(cr_epoll_create(), doing: "epoll_create1")
        self.wakeDescriptor = try ReactorError.check(cr_eventfd(), doing: "eventfd")
        let now = MonotonicClock.now()
        self.now = now
        self.timers = TimerWheel(now: now)
        self.events = ContiguousArray(repeating: cr_event(), count: Self.eventCapacity)
        unsafe self.receiveBuffer = .allocate(byteCount: Self.receiveCapacity, alignment: 64)
        _ = try ReactorError.check(
            cr_epoll_add(self.epoll, self.wakeDescriptor, EventFlags.readable | EventFlags.edge, Self.wakeSlot, 0),
            doing: "epoll_ctl"
        )
    }

    deinit {
        unsafe self.receiveBuffer.deallocate()
        _ = cr_close(self.epoll)
        _ = cr_close(self.wakeDescriptor)
    }

    /// True on this worker's own thread. Any thread.
    public var isCurrent: Bool {
        unsafe cr_current() == Unmanaged.passUnretained(self).toOpaque()
    }

    // MARK: The loop

    /// Runs until `stop`. Call on a thread of its own.
    public func run() {
        unsafe cr_set_current(Unmanaged.passUnretained(self).toOpaque())
        while !self.isStopping { self.runOnce(blocking: true) }
        cr_set_current(nil)
    }

    /// One round: messages, jobs, endpoints that must not wait, due timers, then the kernel's events.
    public func runOnce(blocking: Bool) {
        self.drainMailbox()
        self.runJobs()
        self.serveReady()
        self.fireTimers()
        var timeout: Int32 = 0
        if blocking, self.ready.isEmpty, self.localJobs.isEmpty, !self.isStopping {
            timeout = self.timers.sleepMilliseconds(now: self.now)
            if timeout != 0, !self.mailbox.prepareToSleep() { timeout = 0 }
        }
        let count = unsafe self.events.withUnsafeMutableBufferPointer { buffer in
            unsafe cr_epoll_wait(self.epoll, buffer.baseAddress, Int32(buffer.count), timeout)
        }
        self.mailbox.woke()
        self.now = MonotonicClock.now()
        for position in 0..<Int(count) {
            let event = self.events[position]
            if event.slot == Self.wakeSlot {
                cr_eventfd_drain(self.wakeDescriptor)
            } else {
                self.dispatch(event)
            }
        }
    }

    /// Ends `run` after the present round. On the worker's thread; from others use `execute`.
    public func stop() { self.isStopping = true }

    private func dispatch(_ event: cr_event) {
        let index = Int(event.slot)
        guard index < self.slots.count, self.slots[index].generation == event.generation,
            let endpoint = self.slots[index].endpoint
        else { return }
        if self.slots[index].isShared {
            endpoint.trafficWhileShared(on: self)
            return
        }
        if endpoint.channel.isConnecting {
            self.finishConnect(endpoint)
            return
        }
        if event.events & EventFlags.writable != 0, endpoint.channel.awaitsWritable { self.flush(endpoint) }
        if event.events & ~EventFlags.writable != 0, endpoint.channel.slot == Int32(index) {
            endpoint.channel.mayHaveBytes = true
            if event.events & EventFlags.ending != 0 { endpoint.channel.isEnding = true }
            if endpoint.channel.isListener { endpoint.acceptPending() } else { self.serve(endpoint) }
        }
    }

    private func serve(_ endpoint: Endpoint) {
        if endpoint.channel.isPaused {
            if endpoint.channel.isEnding { endpoint.hungUpWhilePaused() }
        } else {
            self.receive(endpoint)
        }
    }

    /// Reads once, behind the bytes that were held back, and delivers. An endpoint whose bytes filled the buffer, or
    /// whose end is still to be read, is queued for the next round, so that a big result cannot starve the others.
    private func receive(_ endpoint: Endpoint) {
        let held = endpoint.unread.count
        var total = held
        if held > 0 {
            unsafe self.receiveBuffer.copyMemory(from: endpoint.unread.bytes)
            endpoint.unread.clear(cache: &self.blocks)
        }
        endpoint.channel.wantsRedelivery = false
        if endpoint.channel.mayHaveBytes {
            let room = Self.receiveCapacity - held
            guard room > 0, let base = unsafe self.receiveBuffer.baseAddress else {
                endpoint.failed(Errno.messageTooLong)
                return
            }
            let count = unsafe cr_receive(endpoint.channel.descriptor, base + held, room)
            if count > 0 {
                total += count
                if count < room, !endpoint.channel.isEnding { endpoint.channel.mayHaveBytes = false }
            } else {
                endpoint.channel.mayHaveBytes = false
                if count != -Errno.again {
                    if count == 0 { endpoint.ended() } else { endpoint.failed(Int32(clamping: -count)) }
                    return
                }
                if held == 0 {
                    endpoint.nothingToRead()
                    return
                }
            }
        }
        if total > 0 { self.deliver(endpoint, count: total) }
        if endpoint.channel.mayHaveBytes, !endpoint.channel.isPaused { self.enqueue(endpoint) }
    }

    private func deliver(_ endpoint: Endpoint, count: Int) {
        let bytes = unsafe UnsafeRawBufferPointer(rebasing: self.receiveBuffer[0..<count])
        let consumed = unsafe endpoint.received(bytes.assumingMemoryBound(to: UInt8.self).span)
        if consumed < count, endpoint.isOpen {
            unsafe endpoint.unread.append(UnsafeRawBufferPointer(rebasing: bytes[consumed...]), cache: &self.blocks)
        }
    }

    private func flush(_ endpoint: Endpoint) {
        let sent = unsafe cr_send(
            endpoint.channel.descriptor,
            endpoint.unsent.bytes.baseAddress,
            endpoint.unsent.count
        )
        if sent < 0 {
            if sent != -Errno.again { self.noteBroken(endpoint) }
            return
        }
        endpoint.unsent.drop(sent, cache: &self.blocks)
        if endpoint.unsent.isEmpty {
            endpoint.awaitWritable(false)
            endpoint.sent()
        }
    }

    /// A send failed: what was to go out is dropped, and reading finds the reason (or the peer's last words).
    func noteBroken(_ endpoint: Endpoint) {
        endpoint.unsent.clear(cache: &self.blocks)
        endpoint.channel.isEnding = true
        endpoint.channel.mayHaveBytes = true
        self.enqueue(endpoint)
    }

    // MARK: Work that must not wait for the kernel

    /// Queues an endpoint for the next round. Each stands in the queue once at most.
    func enqueue(_ endpoint: Endpoint) {
        let slot = endpoint.channel.slot
        guard slot >= 0, !self.slots[Int(slot)].isQueued else { return }
        self.slots[Int(slot)].isQueued = true
        self.ready.append((slot, self.slots[Int(slot)].generation))
    }

    private func serveReady() {
        if self.ready.isEmpty { return }
        swap(&self.ready, &self.readySpare)
        for entry in self.readySpare {
            let slot = Int(entry.slot)
            guard self.slots[slot].generation == entry.generation, let endpoint = self.slots[slot].endpoint else { continue }
            self.slots[slot].isQueued = false
            if self.slots[slot].isShared {
                endpoint.trafficWhileShared(on: self)
            } else {
                self.serve(endpoint)
            }
        }
        self.readySpare.removeAll(keepingCapacity: true)
    }

    private func fireTimers() {
        if self.timers.armedCount == 0 { return }
        self.timers.advance(to: self.now, due: &self.dueSlots)
        for slot in self.dueSlots where slot < self.slots.count {
            self.slots[slot].endpoint?.deadlinePassed()
        }
        self.dueSlots.removeAll(keepingCapacity: true)
    }

    func runJobs() {
        // Jobs that enqueue further jobs are served in the next round, so that sockets get their turn.
        if self.localJobs.isEmpty { return }
        let jobs = self.localJobs
        self.localJobs.removeAll(keepingCapacity: true)
        for job in jobs { unsafe job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }

    func wake() { cr_eventfd_signal(self.wakeDescriptor) }
}
