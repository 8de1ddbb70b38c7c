import Foundation
import Synchronization

/// The lanes of providers whose libraries block or that compute for long: one for each kind of provider, for the life
/// of the process, whatever happens to rules and settings. So a kind that hangs leaves the others alone. Any thread.
public final class AuthLanes: Sendable {
    /// What holds for each lane.
    public struct Limits: Sendable, Equatable {
        /// Calls that run at the same time.
        public var threads: Int
        /// Logins that may wait for a thread.
        public var queueMax: Int
        /// For waiting and running together.
        public var timeout: Duration

        /// The defaults are those of the settings.
        public init(threads: Int = 8, queueMax: Int = 128, timeout: Duration = .seconds(30)) {
            self.threads = threads
            self.queueMax = queueMax
            self.timeout = timeout
        }
    }

    /// What a lane is for.
    public enum Work: Sendable {
        /// Calls that wait for somebody else: threads cost little, and a queue that grows says that nobody answers.
        case waiting
        /// Calls that keep a core busy: one core at least is left to the workers, and who waits is no more than a
        /// client, of whom `max_connections` allows so many.
        case computing
    }

    private struct State {
        var limits: Limits
        var lanes: [String: (lane: BlockingLane, work: Work)] = [:]
    }

    private static let computingThreadsMax = max(ProcessInfo.processInfo.activeProcessorCount - 1, 1)
    private static let computingQueueMax = 1 << 20

    private let state: Mutex<State>

    /// No thread is made before it is needed.
    public init(_ limits: Limits = Limits()) { self.state = Mutex(State(limits: limits)) }

    /// Other limits from now on.
    public func apply(_ limits: Limits) {
        let lanes = self.state.withLock { state in
            state.limits = limits
            return Array(state.lanes.values)
        }
        for (lane, work) in lanes {
            let own = limits.of(work)
            lane.setLimits(threads: own.threads, queueMax: own.queueMax)
        }
    }

    /// What the lane of a kind does now.
    public func load(of kind: String) -> LaneLoad {
        self.lane(of: kind)?.load ?? LaneLoad(busy: 0, queued: 0)
    }

    /// The lane of a kind; nil before its first login.
    public func lane(of kind: String) -> BlockingLane? { self.state.withLock { $0.lanes[kind]?.lane } }

    /// Runs `body`, which may block or compute for long, for one login.
    ///
    /// - Parameters:
    ///   - kind: the name of the library or the provider, for the log; each has a lane.
    ///   - work: what the lane of that name is for; its first call decides.
    ///   - body: called once on a thread of the lane, or never.
    /// - Throws: 58000 when the lane is full or no thread is left (at once), or has no answer in time.
    public func run<Value: Sendable>(
        _ kind: String,
        for work: Work = .waiting,
        _ body: @escaping @Sendable () -> Value
    ) async throws(AuthFailure) -> Value {
        let (lane, limits) = self.lane(kind, work)
        switch await lane.run(within: limits.timeout, body) {
        case .success(let value): return value
        case .failure(.full) where work == .computing:
            throw .unavailable(log: "the \(kind) lane is full: \(limits.queueMax) logins wait")
        case .failure(.full):
            throw .unavailable(
                log: "the \(kind) lane is full: \(limits.queueMax) logins wait (auth_lane_queue) for "
                    + "\(limits.threads) threads (auth_lane_threads)"
            )
        case .failure(.noThread):
            throw .unavailable(log: "the system has no thread left for the \(kind) lane")
        case .failure(.timedOut):
            throw .unavailable(log: "\(kind) has no answer within \(limits.timeout) (auth_lane_timeout)")
        case .failure(.cancelled): throw .clientLeft()
        }
    }

    private func lane(_ kind: String, _ work: Work) -> (BlockingLane, Limits) {
        self.state.withLock { state in
            let limits = state.limits.of(work)
            if let known = state.lanes[kind] { return (known.lane, limits) }
            let lane = BlockingLane(name: kind, threads: limits.threads, queueMax: limits.queueMax)
            state.lanes[kind] = (lane, work)
            return (lane, limits)
        }
    }

    fileprivate static func limits(_ limits: Limits, of work: Work) -> Limits {
        guard case .computing = work else { return limits }
        var own = limits
        own.threads = min(own.threads, self.computingThreadsMax)
        own.queueMax = self.computingQueueMax
        return own
    }
}

extension AuthLanes.Limits {
    fileprivate func of(_ work: AuthLanes.Work) -> Self { AuthLanes.limits(self, of: work) }
}
