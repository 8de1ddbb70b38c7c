import Synchronization

/// The threads of several workers, of which some rest while there is little to do.
@safe
package final class SharedThreads: @unchecked Sendable {
    private var loops: [WorkerLoop] = []
    private let roster: Mutex<ThreadRoster>
    let period: MonotonicMicroseconds

    /// - Parameter workers: in the order of their indices.
    /// - Throws: `ReactorError` when no descriptor is left.
    package convenience init(_ workers: [Worker]) throws(ReactorError) {
        try self.init(workers, limits: ThreadRoster.Limits())
    }

    init(_ workers: [Worker], limits: ThreadRoster.Limits) throws(ReactorError) {
        self.period = limits.period
        self.roster = Mutex(ThreadRoster(count: workers.count, limits: limits))
        for worker in workers { self.loops.append(try WorkerLoop(own: worker, threads: self)) }
    }

    /// Whose threads rest, by the workers' indices. Any thread.
    package var resting: [Bool] { self.roster.withLock { $0.resting } }

    /// The body of the thread of the worker at `index`.
    func run(_ index: Int) { self.loops[index].run() }

    func report(
        _ loop: WorkerLoop,
        _ report: ThreadRoster.Report,
        guests: ContiguousArray<Worker>,
        now: MonotonicMicroseconds
    ) -> ThreadRoster.Decision {
        self.roster.withLock { roster in
            let decision = roster.report(loop.own.index, report, now: now)
            guard case .rest(let company) = decision else { return decision }
            loop.letGo()
            // Under the lock: whoever leaves looks for such messages once nobody can send more of them.
            for worker in [loop.own] + guests { self.loops[company].own.deliver(.run(worker)) }
            return decision
        }
    }

    /// Who rested runs its own worker again.
    func wake(_ worker: Worker) {
        self.roster.withLock { $0.woke(worker.index) }
        self.loops[worker.index].ring()
    }

    /// The kernel does not let another thread wake for the worker.
    func refuse(_ worker: Worker, now: MonotonicMicroseconds) {
        self.roster.withLock { $0.refused(now: now) }
        self.wake(worker)
    }

    /// The thread ends. Returns the workers that were on their way to it.
    func leave(_ loop: WorkerLoop) -> [Worker] {
        self.roster.withLock { $0.left(loop.own.index) }
        return loop.own.mailbox.takeArrivals()
    }
}
