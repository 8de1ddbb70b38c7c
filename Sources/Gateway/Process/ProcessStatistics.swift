import Synchronization

/// Counts of the process as a whole, shown by `SHOW CONNECTIONS`. Any thread.
final class ProcessStatistics: Sendable {
    let accepted = Atomic<Int>(0)
    let cancelRequests = Atomic<Int>(0)
    let loginFailures = Atomic<Int>(0)
    let acceptFailures = Atomic<Int>(0)
}
