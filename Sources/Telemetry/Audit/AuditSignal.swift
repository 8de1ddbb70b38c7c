import Glibc

/// A semaphore of the system: raising it takes no lock, and no system call unless somebody waits. Any thread.
@safe
final class AuditSignal: @unchecked Sendable {
    private let semaphore: UnsafeMutablePointer<sem_t>

    init() {
        unsafe self.semaphore = .allocate(capacity: 1)
        unsafe self.semaphore.initialize(to: sem_t())
        unsafe sem_init(self.semaphore, 0, 0)
    }

    deinit {
        unsafe sem_destroy(self.semaphore)
        unsafe self.semaphore.deallocate()
    }

    func raise() { unsafe sem_post(self.semaphore) }

    /// Waits until it is raised, at most so long; without a limit for nil. False when the time is over.
    func wait(milliseconds: Int?) -> Bool {
        guard let milliseconds else {
            while unsafe sem_wait(self.semaphore) != 0, errno == EINTR {}
            return true
        }
        var deadline = timespec()
        unsafe clock_gettime(CLOCK_REALTIME, &deadline)
        let nanoseconds = deadline.tv_nsec + milliseconds % 1_000 * 1_000_000
        deadline.tv_sec += milliseconds / 1_000 + nanoseconds / 1_000_000_000
        deadline.tv_nsec = nanoseconds % 1_000_000_000
        while true {
            if unsafe sem_timedwait(self.semaphore, &deadline) == 0 { return true }
            if errno != EINTR { return false }
        }
    }
}
