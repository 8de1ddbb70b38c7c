import AuthProviders
import Sessions
import Synchronization

/// Keys of SCRAM for logins at servers, computed off the workers on a lane: each derivation once for all who wait for
/// it, and not at all when nobody does any more by the time the lane gets to it. What has begun by then goes on to its
/// end, and is there for the next attempt, which asks for the same: so a login whose keys take longer than it may take
/// itself succeeds in the end. Any thread.
final class KeyDerivations: Sendable {
    /// The keys, or why the lane has none: it is full, has no thread, or no answer in time.
    typealias Answer = Result<SCRAMKeys, AuthFailure>

    /// Who waits for keys.
    struct Ticket: Sendable {
        fileprivate let desk: KeyDerivations
        fileprivate let job: UInt64
        fileprivate let place: UInt64

        /// The keys are not wanted any more, and whoever waited is told nothing from now on, unless that is under way
        /// on another thread. Others who wait for the same keys get them. Safe to call twice, and afterwards.
        func giveUp() { self.desk.leave(self) }
    }

    private struct Job {
        let derivation: SCRAMDerivation
        var waiters: [UInt64: @Sendable (Answer) -> Void]
        var hasBegun = false
        /// Came when nobody waited for them any more.
        var keys: SCRAMKeys?
        /// Nil until it is known.
        var task: Task<Void, Never>?
    }

    private struct State {
        /// As many as there are logins under way at most, and `spareMax`.
        var jobs: [UInt64: Job] = [:]
        var lastNumber: UInt64 = 0

        var spareCount: Int { self.jobs.values.count { $0.keys != nil } }

        mutating func note(_ task: Task<Void, Never>, of job: UInt64) { self.jobs[job]?.task = task }
    }

    static let laneName = "server login"
    /// Keys that are kept for a next attempt, and for how long.
    private static let spareMax = 16
    private static let spareLifetime = Duration.seconds(60)

    private let lanes: AuthLanes
    private let state = Mutex(State())

    init(on lanes: AuthLanes) { self.lanes = lanes }

    /// How many keys are there that nobody has asked for again yet.
    var spareCount: Int { self.state.withLock { $0.spareCount } }

    /// Has keys computed, and calls `body` with them once, on any thread and maybe before this returns.
    ///
    /// - Parameters:
    ///   - executor: waits for the lane. Dispatch's may keep whoever asks until the system has a thread for it.
    ///   - known: keys that somebody else may have by the time the lane gets to it; any thread.
    func begin(
        _ derivation: SCRAMDerivation,
        on executor: (any TaskExecutor)? = nil,
        unless known: @escaping @Sendable () -> SCRAMKeys?,
        then body: @escaping @Sendable (Answer) -> Void
    ) -> Ticket {
        let (job, place, spare) = self.state.withLock { state -> (UInt64, UInt64, Job?) in
            state.lastNumber += 1
            let number = state.lastNumber
            if let (same, found) = state.jobs.first(where: { $0.value.derivation == derivation }) {
                if found.keys != nil { return (same, number, state.jobs.removeValue(forKey: same)) }
                state.jobs[same]?.waiters[number] = body
                return (same, number, nil)
            }
            state.jobs[number] = Job(derivation: derivation, waiters: [number: body])
            return (number, number, nil)
        }
        if let spare, let keys = spare.keys {
            spare.task?.cancel()
            body(.success(keys))
        } else if job == place {
            self.start(derivation, as: job, on: executor, unless: known)
        }
        return Ticket(desk: self, job: job, place: place)
    }

    private func start(
        _ derivation: SCRAMDerivation,
        as job: UInt64,
        on executor: (any TaskExecutor)?,
        unless known: @escaping @Sendable () -> SCRAMKeys?
    ) {
        let task = Task(executorPreference: executor) {
            let answer = await self.compute(derivation, as: job, unless: known)
            guard let answer, self.ended(job, answer) else { return }
            try? await Task.sleep(for: Self.spareLifetime)
            self.state.withLock { $0.jobs[job] = nil }
        }
        // In time for whoever is the last to leave: until `begin` returns, one place at least is taken.
        self.state.withLock { $0.note(task, of: job) }
    }

    /// Nil when nobody waits for it any more.
    private func compute(
        _ derivation: SCRAMDerivation,
        as job: UInt64,
        unless known: @escaping @Sendable () -> SCRAMKeys?
    ) async -> Answer? {
        do throws(AuthFailure) {
            let keys = try await self.lanes.run(Self.laneName, for: .computing) { () -> SCRAMKeys? in
                guard self.begins(job) else { return nil }
                if let keys = known(), derivation.isAnswered(by: keys) { return keys }
                return derivation.keys
            }
            return keys.map { .success($0) }
        } catch {
            return .failure(error)
        }
    }

    /// False when nobody waits for it any more.
    private func begins(_ job: UInt64) -> Bool {
        self.state.withLock { state in
            guard state.jobs[job] != nil else { return false }
            state.jobs[job]?.hasBegun = true
            return true
        }
    }

    /// - Returns: whether the keys are kept, for nobody waits for them.
    private func ended(_ job: UInt64, _ answer: Answer) -> Bool {
        let waiters = self.state.withLock { state -> [UInt64: @Sendable (Answer) -> Void]? in
            let waiters = state.jobs[job]?.waiters ?? [:]
            if waiters.isEmpty, case .success(let keys) = answer, state.spareCount < Self.spareMax {
                state.jobs[job]?.keys = keys
                return nil
            }
            state.jobs[job] = nil
            return waiters
        }
        guard let waiters else { return true }
        for body in waiters.values { body(answer) }
        return false
    }

    private func leave(_ ticket: Ticket) {
        let task = self.state.withLock { state -> Task<Void, Never>? in
            state.jobs[ticket.job]?.waiters[ticket.place] = nil
            guard let job = state.jobs[ticket.job], job.waiters.isEmpty, !job.hasBegun else { return nil }
            state.jobs[ticket.job] = nil
            return job.task
        }
        // What stands in the lane's queue lets go of the password at once.
        task?.cancel()
    }
}
