import CReactor

/// How long the calling thread has been ready to run and has not run: the second number of
/// `/proc/thread-self/schedstat` (Documentation/scheduler/sched-stats.rst of the kernel).
struct ThreadWaits: ~Copyable {
    private let descriptor: Int32

    /// Nil where the kernel does not tell, or no descriptor is left.
    init?() {
        self.descriptor = cr_thread_waits_open()
        if self.descriptor < 0 { return nil }
    }

    deinit { _ = cr_close(self.descriptor) }

    /// Since the thread began.
    var total: MonotonicMicroseconds { max(cr_thread_waits(self.descriptor), 0) / 1000 }
}
