/// Why a lane has no answer.
public enum LaneRefusal: Error, Sendable, Equatable {
    /// Too much is waiting already.
    case full
    /// The lane has no thread yet, and the system has none left for it.
    case noThread
    /// The call did not begin, or did not end, in time. Its thread stays with it until it returns.
    case timedOut
    /// The task that waited was cancelled.
    case cancelled
}

/// What a lane does now.
public struct LaneLoad: Sendable, Equatable {
    /// Calls that run. Those that nobody waits for any more count as long as they keep their thread.
    public let busy: Int
    /// Calls that wait for a thread.
    public let queued: Int

    /// As the lane counted them at one moment.
    public init(busy: Int, queued: Int) {
        self.busy = busy
        self.queued = queued
    }
}
