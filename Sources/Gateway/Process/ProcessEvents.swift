import Foundation
import Glibc
import Reactor

/// How workers speak to the main thread: a shutdown asked for on the console, and the departure of clients and of
/// servers that finish alone while stopping. Any thread; workers never wait here.
@safe
package final class ProcessEvents: @unchecked Sendable {
    /// Guards nothing but the wait itself.
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    /// Waits for it end by the clock that never jumps. Those of Foundation and Dispatch end by the time of day, and a
    /// stop would last as much longer as that is put back.
    private let departure: UnsafeMutablePointer<pthread_cond_t>

    package init() {
        unsafe self.mutex = .allocate(capacity: 1)
        unsafe self.mutex.initialize(to: pthread_mutex_t())
        unsafe pthread_mutex_init(self.mutex, nil)
        var attributes = pthread_condattr_t()
        unsafe pthread_condattr_init(&attributes)
        unsafe pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        unsafe self.departure = .allocate(capacity: 1)
        unsafe self.departure.initialize(to: pthread_cond_t())
        unsafe pthread_cond_init(self.departure, &attributes)
        unsafe pthread_condattr_destroy(&attributes)
    }

    deinit {
        unsafe pthread_cond_destroy(self.departure)
        unsafe self.departure.deallocate()
        unsafe pthread_mutex_destroy(self.mutex)
        unsafe self.mutex.deallocate()
    }

    /// The console's SHUTDOWN: the main thread waits for signals, so it is sent one.
    func requestStop() { _ = kill(getpid(), SIGTERM) }

    /// One less of those whom a stop waits for.
    func somebodyLeft() {
        unsafe pthread_mutex_lock(self.mutex)
        unsafe pthread_cond_broadcast(self.departure)
        unsafe pthread_mutex_unlock(self.mutex)
    }

    /// Waits until `count` says 0 or the time is over. On the main thread.
    func waitUntilEmpty(timeout: Duration, count: () -> Int) {
        let end = MonotonicClock.now() + timeout.microseconds
        var deadline = timespec(tv_sec: Int(end / 1_000_000), tv_nsec: Int(end % 1_000_000 * 1_000))
        unsafe pthread_mutex_lock(self.mutex)
        defer { unsafe pthread_mutex_unlock(self.mutex) }
        while count() > 0 {
            if unsafe pthread_cond_timedwait(self.departure, self.mutex, &deadline) != 0 { break }
        }
    }
}

enum ProcessorCount {
    static var available: Int { max(ProcessInfo.processInfo.activeProcessorCount, 1) }
}
