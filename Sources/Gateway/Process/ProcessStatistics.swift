import Synchronization

/// Counts of the process as a whole, shown by `SHOW CONNECTIONS`. Any thread.
final class ProcessStatistics: Sendable {
    let accepted = Atomic<Int>(0)
    let cancelRequests = Atomic<Int>(0)
    /// Startup packets and cancel requests in clear text.
    let plain = Atomic<Int>(0)
    /// Connections that ended before their login was complete, other than by their clients' own will.
    let loginFailures = Atomic<Int>(0)
    let acceptFailures = Atomic<Int>(0)
}
