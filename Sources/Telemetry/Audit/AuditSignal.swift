import Glibc

/// Wakes one thread that waits for it, now or when it next waits. Raised twice before that, it wakes once. Any thread.
///
/// Its time limits follow the clock that never jumps: a stop that waits at most two seconds for the audit log must not
/// take an hour because the system's time was put back.
@safe
final class AuditSignal: @unchecked Sendable {
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let condition: UnsafeMutablePointer<pthread_cond_t>
    /// Under the mutex.
    private var isRaised = false

    init() {
        unsafe self.mutex = .allocate(capacity: 1)
        unsafe self.mutex.initialize(to: pthread_mutex_t())
        unsafe pthread_mutex_init(self.mutex, nil)
        var attributes = pthread_condattr_t()
        unsafe pthread_condattr_init(&attributes)
        unsafe pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        unsafe self.condition = .allocate(capacity: 1)
        unsafe self.condition.initialize(to: pthread_cond_t())
        unsafe pthread_cond_init(self.condition, &attributes)
        unsafe pthread_condattr_destroy(&attributes)
    }

    deinit {
        unsafe pthread_cond_destroy(self.condition)
        unsafe pthread_mutex_destroy(self.mutex)
        unsafe self.condition.deallocate()
        unsafe self.mutex.deallocate()
    }

    func raise() {
        unsafe pthread_mutex_lock(self.mutex)
        self.isRaised = true
        unsafe pthread_cond_signal(self.condition)
        unsafe pthread_mutex_unlock(self.mutex)
    }

    /// Waits until it is raised, at most so long; without a limit for nil. False when the time is over.
    func wait(milliseconds: Int?) -> Bool {
        var deadline = timespec()
        if let milliseconds {
            unsafe clock_gettime(CLOCK_MONOTONIC, &deadline)
            let nanoseconds = deadline.tv_nsec + milliseconds % 1_000 * 1_000_000
            deadline.tv_sec += milliseconds / 1_000 + nanoseconds / 1_000_000_000
            deadline.tv_nsec = nanoseconds % 1_000_000_000
        }
        unsafe pthread_mutex_lock(self.mutex)
        defer { unsafe pthread_mutex_unlock(self.mutex) }
        while !self.isRaised {
            if milliseconds == nil {
                unsafe pthread_cond_wait(self.condition, self.mutex)
            } else if unsafe pthread_cond_timedwait(self.condition, self.mutex, &deadline) == ETIMEDOUT {
                return self.takeRaised()
            }
        }
        return self.takeRaised()
    }

    /// Under the mutex.
    private func takeRaised() -> Bool {
        defer { self.isRaised = false }
        return self.isRaised
    }
}
