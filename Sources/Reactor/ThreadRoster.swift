/// Decides which of the workers' threads rest, by how busy each is. Knows neither threads nor time: fed with reports.
///
/// Every worker has a thread, and all of them run while there is much to do. Where there is little, each thread sleeps
/// and wakes for nearly every message, which costs more than the message. One thread that runs the workers of two
/// finds more to do each time it wakes: it carries the same traffic with the CPU time of one.
struct ThreadRoster {
    /// What a thread does after its report.
    enum Decision: Equatable {
        case goOn
        /// The thread of that number runs all its workers from now on.
        case rest(on: Int)
        /// One of its guests goes back to its own thread.
        case giveBack
    }

    /// What a thread did since its last report.
    struct Report {
        /// How long ago that was.
        var length: MonotonicMicroseconds
        /// The share of that time in which it was awake or waited for a processor: 0 to 1.
        var busy: Double
        /// How much its own worker had to do, and how much the busiest of those whose threads rest.
        var servedOwn = 1
        var servedGuest = 0
    }

    private struct Thread {
        /// Over the last reports, the latest ones most.
        var busy = 0.0
        /// When it reported last.
        var reported = MonotonicMicroseconds.min / 2
        /// Reports in a row since it slept.
        var awakeReports = 0
        var isResting = false
        /// It has ended, or is about to.
        var hasLeft = false
        /// Reports in a row in which its own worker had hardly anything to do, other than a guest.
        var idleReports = 0
    }

    struct Limits {
        /// Threads report as often, or as soon as they wake after longer.
        var period: MonotonicMicroseconds = 20_000
        /// What the latest report weighs against those before.
        var smoothing = 0.25
        /// So many reports in a row make a thread one that is awake.
        var awakeReportsMin = 4
        /// One thread runs the workers of two that are less busy than this together.
        var restBelow = 0.5
        /// It is too busy to run more than its own.
        var giveBackAbove = 0.8
        /// A thread that has not reported for so many periods, or whose report tells of more with little to do,
        /// sleeps: it has nothing to gain from company.
        var asleepAfter: MonotonicMicroseconds = 5
        /// So many reports with less than a tenth of the work its own, and its guest does better without it.
        var idleReportsMax = 10
        /// How long no thread goes to rest after a worker was given back: twice as long each time when one thread had
        /// too much to do soon after.
        var shortestCalm: MonotonicMicroseconds = 500_000
        var longestCalm: MonotonicMicroseconds = 8_000_000
    }

    let limits: Limits
    private var threads: [Thread]
    private var calm: MonotonicMicroseconds
    private var lastOverload = MonotonicMicroseconds.min / 2

    init(count: Int, limits: Limits = Limits()) {
        self.limits = limits
        self.threads = Array(repeating: Thread(), count: count)
        self.calm = limits.shortestCalm
    }

    /// What the running thread `number` is to do.
    mutating func report(_ number: Int, _ report: Report, now: MonotonicMicroseconds) -> Decision {
        self.note(report, of: number, now: now)
        let busy = self.threads[number].busy
        if report.servedGuest > 0 {
            if busy > self.limits.giveBackAbove, self.isAwake(number, now: now) {
                self.noteOverload(now)
                return .giveBack
            }
            let isIdle = report.servedOwn * 10 < report.servedGuest
            self.threads[number].idleReports = isIdle ? self.threads[number].idleReports + 1 : 0
            if self.threads[number].idleReports >= self.limits.idleReportsMax {
                // How busy it is without this guest is not known.
                self.threads[number].idleReports = 0
                self.threads[number].awakeReports = 0
                // The two may be as they were before: not at once.
                self.lastOverload = max(self.lastOverload, now - self.calm + self.limits.shortestCalm)
                return .giveBack
            }
        }
        guard self.isAwake(number, now: now), now - self.lastOverload >= self.calm,
            let company = self.company(for: number, busy: busy, now: now)
        else { return .goOn }
        self.threads[number].isResting = true
        self.threads[number].idleReports = 0
        // Until it reports for itself, so that not everybody comes at once.
        self.threads[company].busy += busy
        return .rest(on: company)
    }

    private mutating func note(_ report: Report, of number: Int, now: MonotonicMicroseconds) {
        // A long round of much work is no sleep.
        if report.length > self.limits.period * self.limits.asleepAfter, report.busy < self.limits.restBelow {
            self.threads[number].busy = report.busy
            self.threads[number].awakeReports = 0
        } else {
            // At first the mean of all, so that the past counts for nothing where there is none.
            let weight = max(self.limits.smoothing, 1 / Double(self.threads[number].awakeReports + 1))
            self.threads[number].busy = self.threads[number].busy * (1 - weight) + report.busy * weight
            self.threads[number].awakeReports += 1
        }
        self.threads[number].reported = now
    }

    private func isAwake(_ number: Int, now: MonotonicMicroseconds) -> Bool {
        let thread = self.threads[number]
        return !thread.isResting && !thread.hasLeft && thread.awakeReports >= self.limits.awakeReportsMin
            && now - thread.reported <= self.limits.period * self.limits.asleepAfter
    }

    /// The busiest thread that is awake and has room for what `number` does; the less busy one moves.
    private func company(for number: Int, busy: Double, now: MonotonicMicroseconds) -> Int? {
        var best: Int?
        for (index, other) in self.threads.enumerated() where index != number {
            guard self.isAwake(index, now: now), other.busy + busy < self.limits.restBelow,
                other.busy > busy || other.busy == busy && index < number
            else { continue }
            if other.busy > best.map({ self.threads[$0].busy }) ?? -1 { best = index }
        }
        return best
    }

    /// Several at once, while a thread gives back one guest after the other, are one.
    private mutating func noteOverload(_ now: MonotonicMicroseconds) {
        let since = now - self.lastOverload
        if since >= self.calm {
            let cameSoon = since < self.calm * 4
            self.calm = cameSoon ? min(self.calm * 2, self.limits.longestCalm) : self.limits.shortestCalm
        }
        self.lastOverload = now
    }

    /// A thread could not run another's worker: it may be long before that changes.
    mutating func refused(now: MonotonicMicroseconds) {
        self.calm = self.limits.longestCalm
        self.lastOverload = now
    }

    /// Which threads rest, by their numbers.
    var resting: [Bool] { self.threads.map(\.isResting) }

    /// The thread runs its own worker again.
    mutating func woke(_ number: Int) {
        let hasLeft = self.threads[number].hasLeft
        self.threads[number] = Thread()
        self.threads[number].hasLeft = hasLeft
    }

    /// The thread ends: nobody rests on it.
    mutating func left(_ number: Int) { self.threads[number].hasLeft = true }
}
