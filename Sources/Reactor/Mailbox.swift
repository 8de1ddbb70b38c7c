import Synchronization

/// What other threads (or the worker itself, for later) ask of a worker.
enum WorkerMessage {
    case job(UnownedJob)
    case post(Endpoint, UInt64)
    case attach(Endpoint, UInt64)
    case finishConnect(Endpoint)
    case releaseSlot(Int32)
    case execute(@Sendable () -> Void)
    /// The worker's thread rests: whoever runs the receiver runs it as well.
    case run(Worker)
}

/// The mailbox of one worker. Any thread may push; only the worker takes.
///
/// The sleeper's protocol: the worker announces that it will sleep, then looks once more; a sender pushes, then looks
/// whether the worker sleeps. With sequentially consistent accesses one of the two sees the other, so no wake-up is
/// lost and none is sent to a worker that is awake anyway.
final class Mailbox: Sendable {
    private let messages = Mutex<ContiguousArray<WorkerMessage>>([])
    private let hasMessages = Atomic<Bool>(false)
    private let isSleeping = Atomic<Bool>(false)

    /// Adds a message without waking the worker: it is seen when the worker next runs.
    func push(_ message: WorkerMessage) {
        self.messages.withLock { $0.append(message) }
        self.hasMessages.store(true, ordering: .sequentiallyConsistent)
    }

    /// Adds a message; true when the worker sleeps and the caller must wake it.
    func pushWaking(_ message: WorkerMessage) -> Bool {
        self.push(message)
        return self.isSleeping.exchange(false, ordering: .sequentiallyConsistent)
    }

    /// Announces sleep. False when something has arrived: the worker must not sleep.
    func prepareToSleep() -> Bool {
        self.isSleeping.store(true, ordering: .sequentiallyConsistent)
        if self.hasMessages.load(ordering: .sequentiallyConsistent) {
            self.isSleeping.store(false, ordering: .relaxed)
            return false
        }
        return true
    }

    func woke() {
        self.isSleeping.store(false, ordering: .relaxed)
    }

    /// The workers among the messages; the others stay.
    func takeArrivals() -> [Worker] {
        self.messages.withLock { messages in
            var arrivals: [Worker] = []
            messages.removeAll { message in
                guard case .run(let worker) = message else { return false }
                arrivals.append(worker)
                return true
            }
            return arrivals
        }
    }

    /// Swaps the messages with an empty array that the worker keeps for this purpose.
    func take(into batch: inout ContiguousArray<WorkerMessage>) -> Bool {
        guard self.hasMessages.load(ordering: .acquiring) else { return false }
        self.hasMessages.store(false, ordering: .sequentiallyConsistent)
        self.messages.withLock { swap(&$0, &batch) }
        return true
    }
}

extension Worker {
    /// Runs `body` on the worker's thread, soon. Any thread.
    public func execute(_ body: @escaping @Sendable () -> Void) {
        self.deliver(.execute(body))
    }

    /// Calls `endpoint.posted(code)` on this worker, which must own the endpoint by then. Any thread.
    public func post(_ code: UInt64, to endpoint: Endpoint) {
        self.deliver(.post(endpoint, code))
    }

    /// Attaches a detached endpoint to this worker and then calls `endpoint.posted(code)`. Any thread.
    public func send(_ endpoint: Endpoint, code: UInt64) {
        self.deliver(.attach(endpoint, code))
    }

    func deliver(_ message: WorkerMessage) {
        if self.mailbox.pushWaking(message) { self.wake() }
    }

    /// TaskExecutor: where the asynchronous functions of this worker's endpoints run. Any thread.
    public func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        if self.isCurrent {
            self.localJobs.append(job)
        } else {
            self.deliver(.job(job))
        }
    }

    func drainMailbox() {
        guard self.mailbox.take(into: &self.mail) else { return }
        self.servedCount &+= self.mail.count
        for message in self.mail {
            switch message {
            case .job(let job): self.localJobs.append(job)
            case .post(let endpoint, let code): endpoint.posted(code)
            case .attach(let endpoint, let code):
                self.attach(endpoint)
                endpoint.posted(code)
            case .finishConnect(let endpoint): self.finishConnect(endpoint)
            case .releaseSlot(let slot): self.release(slot: slot)
            case .execute(let body): body()
            case .run(let worker): self.loop?.receive(worker)
            }
        }
        self.mail.removeAll(keepingCapacity: true)
    }
}
