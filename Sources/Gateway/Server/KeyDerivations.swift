import AuthProviders
import Sessions
import Synchronization

/// Keys of SCRAM for logins at servers, computed off the workers on a lane: each derivation once for all who wait for
/// it, and not at all when nobody does any more by the time the lane gets to it. Any thread.
final class KeyDerivations: Sendable {
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
        var waiters: [UInt64: @Sendable (SCRAMKeys?) -> Void]
        /// What has begun goes on to its end, so whoever comes meanwhile may have it.
        var hasBegun = false
        /// Nil until it is known.
        var task: Task<Void, Never>?
    }

    private struct State {
        /// As many as there are logins under way at most.
        var jobs: [UInt64: Job] = [:]
        var lastNumber: UInt64 = 0

        mutating func note(_ task: Task<Void, Never>, of job: UInt64) { self.jobs[job]?.task = task }
    }

    static let laneName = "server login"

    private let lanes: AuthLanes
    private let state = Mutex(State())

    init(on lanes: AuthLanes) { self.lanes = lanes }

    /// Has keys computed, and calls `body` with them once, on any thread: with nil when the lane has no room or does
    /// not get to it in time.
    ///
    /// - Parameter known: keys that somebody else may have by the time the lane gets to it; any thread.
    func begin(
        _ derivation: SCRAMDerivation,
        unless known: @escaping @Sendable () -> SCRAMKeys?,
        then body: @escaping @Sendable (SCRAMKeys?) -> Void
    ) -> Ticket {
        let (job, place, isNew) = self.state.withLock { state -> (UInt64, UInt64, Bool) in
            state.lastNumber += 1
            let number = state.lastNumber
            if let same = state.jobs.first(where: { $0.value.derivation == derivation })?.key {
                state.jobs[same]?.waiters[number] = body
                return (same, number, false)
            }
            state.jobs[number] = Job(derivation: derivation, waiters: [number: body])
            return (number, number, true)
        }
        if isNew {
            let task = Task {
                let keys = await self.compute(derivation, as: job, unless: known)
                self.ended(job, keys)
            }
            // In time for whoever is the last to leave: until this call ends, one place at least is taken.
            self.state.withLock { $0.note(task, of: job) }
        }
        return Ticket(desk: self, job: job, place: place)
    }

    private func compute(
        _ derivation: SCRAMDerivation,
        as job: UInt64,
        unless known: @escaping @Sendable () -> SCRAMKeys?
    ) async -> SCRAMKeys? {
        do throws(AuthFailure) {
            return try await self.lanes.run(Self.laneName, for: .computing) { () -> SCRAMKeys? in
                guard self.begins(job) else { return nil }
                if let keys = known(), derivation.isAnswered(by: keys) { return keys }
                return derivation.keys
            }
        } catch {
            return nil
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

    private func ended(_ job: UInt64, _ keys: SCRAMKeys?) {
        let waiters = self.state.withLock { $0.jobs.removeValue(forKey: job)?.waiters } ?? [:]
        for body in waiters.values { body(keys) }
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
