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
