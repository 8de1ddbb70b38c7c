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
