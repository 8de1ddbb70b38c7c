import CReactor
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
        // By the clock that never jumps: by the time of day, the wait would last as much longer as that is put back.
        let deadline = cr_monotonic_nanoseconds() + Int64(milliseconds) * 1_000_000
        return unsafe cr_semaphore_wait(self.semaphore, deadline) == 1
    }
}
