import Foundation
import Glibc

/// How workers speak to the main thread: a shutdown asked for on the console, and the departure of clients and of
/// servers that finish alone while stopping. Any thread; workers never wait here.
package final class ProcessEvents: @unchecked Sendable {
    /// Guards nothing but the wait itself.
    private let condition = NSCondition()

    package init() {}

    /// The console's SHUTDOWN: the main thread waits for signals, so it is sent one.
    func requestStop() { _ = kill(getpid(), SIGTERM) }

    /// One less of those whom a stop waits for.
    func somebodyLeft() {
        self.condition.lock()
        self.condition.broadcast()
        self.condition.unlock()
    }

    /// Waits until `count` says 0 or the time is over. On the main thread.
    func waitUntilEmpty(timeout: Duration, count: () -> Int) {
        let deadline = Date(timeIntervalSinceNow: Double(timeout.microseconds) / 1_000_000)
        self.condition.lock()
        defer { self.condition.unlock() }
        while count() > 0 {
            if !self.condition.wait(until: deadline) { break }
        }
    }
}

enum ProcessorCount {
    static var available: Int { max(ProcessInfo.processInfo.activeProcessorCount, 1) }
}
