import CReactor

/// What one of several threads does: it runs its own worker, and those whose threads rest. See `ThreadRoster`.
///
/// A worker is run by one thread at a time; what belongs to a worker may be touched by that thread alone. Workers that
/// share a thread have their rounds one after the other, never one within another.
@safe
final class WorkerLoop: @unchecked Sendable {
    let own: Worker
    private unowned let threads: SharedThreads
    /// Readable when the thread is to run its own worker again.
    private let bell: Int32
    private var guests: ContiguousArray<Worker> = []
    /// Workers that have come and are not registered yet.
    private var arrivals: ContiguousArray<Worker> = []
    private var periodBegan: MonotonicMicroseconds = 0
    private var clock = ThreadClock()
    /// What it showed when the period began.
    private var spent: MonotonicMicroseconds = 0

    /// - Throws: `ReactorError` when no descriptor is left.
    init(own: Worker, threads: SharedThreads) throws(ReactorError) {
        self.own = own
        self.threads = threads
        self.bell = try ReactorError.check(cr_eventfd(), doing: "eventfd")
    }

    deinit { _ = cr_close(self.bell) }

    /// Returns when the own worker has stopped.
    func run() {
        self.clock.open()
        self.takeUp()
        while !self.own.isStopping {
            self.round()
            if self.own.now - self.periodBegan >= self.threads.period { self.report() }
        }
        for guest in self.threads.leave(self) { self.giveBack(guest) }
        while let guest = self.arrivals.popLast() ?? self.guests.last { self.giveBack(guest) }
        self.own.handOverSends()
        self.own.loop = nil
        cr_set_current(nil)
    }

    func takeUp() {
        self.enter(self.own)
        self.own.loop = self
        // The thread may start long after the worker was made.
        self.own.readClock()
        self.beginPeriod()
    }

    private func enter(_ worker: Worker) {
        unsafe cr_set_current(Unmanaged.passUnretained(worker).toOpaque())
    }

    // MARK: Rounds

    func round() {
        self.own.beginRound()
        if !self.guests.isEmpty || !self.arrivals.isEmpty { return self.roundWithGuests() }
        self.own.handOverSends()
        self.own.finishRound(waiting: self.own.prepareToWait())
    }

    private func roundWithGuests() {
        for guest in self.guests {
            self.enter(guest)
            guest.beginRound()
        }
        self.enter(self.own)
        for guest in self.guests where guest.isStopping { self.giveBack(guest) }
        // Who has just come has work to do, for all that is known.
        var waits = self.arrivals.isEmpty
        self.settleArrivals()
        self.handOverSends()
        waits = waits && self.own.prepareToWait()
        for guest in self.guests { waits = waits && !guest.isSignalled && guest.prepareToWait() }
        self.own.finishRound(waiting: waits)
        for guest in self.guests {
            guest.setClock(self.own.now)
            if guest.isSignalled {
                self.enter(guest)
                guest.finishRound(waiting: false)
            } else {
                guest.mailbox.woke()
            }
        }
        self.enter(self.own)
    }

    /// One call hands over those of all who gather theirs together.
    private func handOverSends() {
        self.own.handOverSends()
        for guest in self.guests { guest.handOverSends() }
    }

    /// Who is run by this thread now, by its index.
    func worker(at index: Int) -> Worker? {
        index == self.own.index ? self.own : self.guests.first { $0.index == index }
    }

    // MARK: Guests

    /// A worker whose thread rests is run by this thread from now on. On this thread.
    func receive(_ worker: Worker) { self.arrivals.append(worker) }

    /// On this thread, by its own worker's round.
    func noteEvents(ofGuest index: Int) {
        for guest in self.guests where guest.index == index { guest.isSignalled = true }
    }

    private func settleArrivals() {
        while let guest = self.arrivals.popLast() {
            guard self.own.watch(guest) else {
                self.threads.refuse(guest, now: self.own.now)
                continue
            }
            guest.loop = self
            guest.gatherSends(with: self.own)
            guest.isSignalled = true
            guest.servedCount = 0
            self.guests.append(guest)
        }
    }

    private func giveBack(_ guest: Worker) {
        self.handOverSends()
        self.part(from: guest)
        self.guests.removeAll { $0 === guest }
        self.threads.wake(guest)
    }

    /// Nothing of a guest is left with this thread.
    private func part(from guest: Worker) {
        self.own.unwatch(guest)
        guest.gatherSends(with: nil)
        guest.loop = nil
    }

    // MARK: Reports

    private func beginPeriod() {
        self.periodBegan = self.own.now
        self.spent = self.clock.spent
        self.own.servedCount = 0
        for guest in self.guests { guest.servedCount = 0 }
    }

    private func report() {
        // Whoever moves takes none along.
        self.handOverSends()
        let length = self.own.now - self.periodBegan
        let busiest = self.guests.max { $0.servedCount < $1.servedCount }
        let report = ThreadRoster.Report(
            length: length,
            busy: Double(min(max(self.clock.spent - self.spent, 0), length)) / Double(max(length, 1)),
            servedOwn: self.own.servedCount,
            servedGuest: busiest?.servedCount ?? 0
        )
        switch self.threads.report(self, report, guests: self.guests, now: self.own.now) {
        case .goOn: break
        case .giveBack: if let busiest { self.giveBack(busiest) }
        case .rest:
            self.guests.removeAll()
            self.rest()
        }
        self.beginPeriod()
    }

    private func rest() {
        cr_eventfd_await(self.bell)
        self.takeUp()
    }

    func ring() { cr_eventfd_signal(self.bell) }

    /// Another thread is about to run its workers.
    func letGo() {
        for guest in self.guests { self.part(from: guest) }
        self.own.loop = nil
    }
}
