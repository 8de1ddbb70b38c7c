import CReactor

/// How long one thread has had something to do: it ran, or was ready to run and had no processor.
///
/// The second part is the second number of `/proc/thread-self/schedstat` (Documentation/scheduler/sched-stats.rst of
/// the kernel). On a full machine it is most of it: a thread that wakes and has to wait looks as if it slept.
struct ThreadClock: ~Copyable {
    private var descriptor: Int32 = -1

    /// On the thread in question. Where the kernel does not tell of waits, they count for nothing.
    mutating func open() {
        if self.descriptor < 0 { self.descriptor = cr_thread_waits_open() }
    }

    deinit { if self.descriptor >= 0 { _ = cr_close(self.descriptor) } }

    /// Since the thread began. On that thread only.
    var spent: MonotonicMicroseconds {
        let waited = self.descriptor < 0 ? 0 : max(cr_thread_waits(self.descriptor), 0)
        return (cr_thread_nanoseconds() + waited) / 1000
    }
}
