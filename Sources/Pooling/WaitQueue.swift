/// The clients that wait for a server of one pool, in one order over all workers. Owned by one pool machine, under the
/// pool's lock; as long as there are clients, so `max_connections` bounds it.
///
/// Every waiter gets a sequence number, one higher than the one before. A client that comes back because the server
/// it was granted turned out dead takes its place by its first arrival: sequence numbers in queue order never fall,
/// so the window of `popFirst(for:window:)` keeps its meaning.
struct WaitQueue: Sendable {
    private struct Slot: Sendable {
        var isWaiting = false
        var worker: Int32 = 0
        var generation: UInt32 = 0
        var nextVacant: Int32 = -1
        var sequence: Int64 = 0
        var since: Microseconds = 0
        /// Fixed when the client was queued: a reload changes the patience of those who come later.
        var deadline: Microseconds = .max

        mutating func begin(worker: Int, sequence: Int64, since: Microseconds, timeout: Microseconds) {
            self.isWaiting = true
            self.deadline = timeout > 0 ? since + timeout : .max
            self.worker = Int32(truncatingIfNeeded: worker)
            self.sequence = sequence
            self.since = since
        }

        mutating func end(nextVacant: Int32) {
            self.isWaiting = false
            self.generation &+= 1
            self.nextVacant = nextVacant
        }
    }

    private var slots: ContiguousArray<Slot> = []
    private var firstVacant: Int32 = -1
    private var order: WorkerOrder
    private var nextSequence: Int64 = 0
    private(set) var count = 0

    init(workerCount: Int) {
        self.order = WorkerOrder(workerCount: workerCount)
    }

    /// Queues a client behind all others.
    mutating func append(worker: Int, since: Microseconds, timeout: Microseconds) -> WaiterID {
        let index = self.take(worker: worker, sequence: self.nextSequence, since: since, timeout: timeout)
        self.nextSequence += 1
        self.order.append(index, worker: worker)
        return self.name(of: index)
    }

    /// Queues a client that came at `since` and had a server in the meantime. The walk is short: only waiters that came
    /// before it are passed, and a client that had its turn has few of those before it.
    mutating func insert(worker: Int, since: Microseconds, timeout: Microseconds) -> WaiterID {
        var sequence: Int64?
        var successor = self.order.first
        var ownSuccessor = self.order.first(of: worker)
        while let candidate = successor, self.slots[candidate].since < since {
            sequence = self.slots[candidate].sequence
            if candidate == ownSuccessor { ownSuccessor = self.order.nextOfSameWorker(after: candidate) }
            successor = self.order.next(after: candidate)
        }
        guard let successor else { return self.append(worker: worker, since: since, timeout: timeout) }
        let ahead = sequence ?? (self.slots[successor].sequence - 1)
        let index = self.take(worker: worker, sequence: ahead, since: since, timeout: timeout)
        self.order.insert(index, before: successor, worker: worker, beforeOwn: ownSuccessor)
        return self.name(of: index)
    }

    /// Takes a waiter out; `false` when it is not in the queue any more.
    mutating func remove(_ waiter: WaiterID) -> Bool {
        let index = waiter.slot
        guard self.slots.indices.contains(index), self.slots[index].generation == waiter.generation,
            self.slots[index].isWaiting
        else { return false }
        self.vacate(index)
        return true
    }

    /// Takes out whoever is next when `worker` has a server to give.
    ///
    /// That is the oldest waiter, or the oldest of this worker if its number is at most `window` higher. So a waiter
    /// `w` is passed only by waiters numbered `w + 1 ... w + window`: whoever passes it is at most `window` above the
    /// oldest of that moment, and the oldest is not above `w`. Newcomers' numbers are all different, so at most
    /// `window` clients that came later go before it, whatever the workers do.
    mutating func popFirst(for worker: Int, window: Int) -> (waiter: WaiterID, worker: Int)? {
        guard var index = self.order.first else { return nil }
        if let own = self.order.first(of: worker),
            self.slots[own].sequence - self.slots[index].sequence <= Int64(window)
        {
            index = own
        }
        return self.pop(index)
    }

    /// Takes out the oldest waiter.
    mutating func popOldest() -> (waiter: WaiterID, worker: Int)? {
        self.order.first.map { self.pop($0) }
    }

    /// Takes out the oldest waiter of `worker` whose deadline has passed. Walks the worker's queue: after a reload a
    /// younger waiter may have the earlier deadline.
    mutating func popExpired(of worker: Int, now: Microseconds) -> WaiterID? {
        var cursor = self.order.first(of: worker)
        while let index = cursor {
            if self.slots[index].deadline <= now { return self.pop(index).waiter }
            cursor = self.order.nextOfSameWorker(after: index)
        }
        return nil
    }

    /// The earliest deadline of the waiters of `worker`; nil when none has one.
    func nextDeadline(of worker: Int) -> Microseconds? {
        var earliest = Microseconds.max
        var cursor = self.order.first(of: worker)
        while let index = cursor {
            earliest = min(earliest, self.slots[index].deadline)
            cursor = self.order.nextOfSameWorker(after: index)
        }
        return earliest == .max ? nil : earliest
    }

    /// When the oldest waiter came, and on which worker.
    var oldest: (since: Microseconds, worker: Int)? {
        guard let index = self.order.first else { return nil }
        return (self.slots[index].since, Int(self.slots[index].worker))
    }

    /// A sentence when the two orders and the slots do not agree.
    func violation() -> String? {
        var walked = 0
        var last = Int64.min
        var cursor = self.order.first
        var ownCursors = (0..<self.order.workerCount).map { self.order.first(of: $0) }
        while let index = cursor {
            let slot = self.slots[index]
            guard slot.isWaiting else { return "vacant waiter \(index) is queued" }
            guard slot.sequence >= last else { return "waiter \(index) stands behind a younger one" }
            guard ownCursors[Int(slot.worker)] == index else { return "waiter \(index) is out of its worker's order" }
            ownCursors[Int(slot.worker)] = self.order.nextOfSameWorker(after: index)
            last = slot.sequence
            walked += 1
            cursor = self.order.next(after: index)
        }
        guard ownCursors.allSatisfy({ $0 == nil }) else { return "a worker's queue holds a stranger" }
        guard walked == self.count, self.slots.count(where: \.isWaiting) == walked else {
            return "\(self.count) waiters counted, \(walked) queued"
        }
        return nil
    }

    private mutating func pop(_ index: Int) -> (waiter: WaiterID, worker: Int) {
        let name = self.name(of: index)
        let worker = Int(self.slots[index].worker)
        self.vacate(index)
        return (name, worker)
    }

    private mutating func take(worker: Int, sequence: Int64, since: Microseconds, timeout: Microseconds) -> Int {
        let index: Int
        if self.firstVacant >= 0 {
            index = Int(self.firstVacant)
            self.firstVacant = self.slots[index].nextVacant
        } else {
            index = self.slots.count
            self.slots.append(Slot())
            self.order.addSlot()
        }
        self.slots[index].begin(worker: worker, sequence: sequence, since: since, timeout: timeout)
        self.count += 1
        return index
    }

    private mutating func vacate(_ index: Int) {
        self.order.remove(index, worker: Int(self.slots[index].worker))
        self.slots[index].end(nextVacant: self.firstVacant)
        self.firstVacant = Int32(truncatingIfNeeded: index)
        self.count -= 1
    }

    private func name(of index: Int) -> WaiterID {
        WaiterID(index: Int32(truncatingIfNeeded: index), generation: self.slots[index].generation)
    }
}
