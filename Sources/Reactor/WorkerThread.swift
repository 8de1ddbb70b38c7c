import CReactor
import Glibc

/// A thread that runs one worker until it stops, and as one of several perhaps others meanwhile.
package struct WorkerThread {
    private let handle: pthread_t

    /// What the new thread is to do.
    private final class Task: Sendable {
        let worker: Worker
        let threads: SharedThreads?

        init(worker: Worker, threads: SharedThreads?) {
            self.worker = worker
            self.threads = threads
        }

        func run() {
            unsafe cr_name_thread("worker \(self.worker.index)")
            if let threads = self.threads { threads.run(self.worker.index) } else { self.worker.run() }
        }
    }

    /// - Parameter threads: nil for a thread that never rests; made of all workers otherwise.
    /// - Throws: `ReactorError` when the system has no thread left.
    package static func start(
        _ worker: Worker,
        among threads: SharedThreads? = nil
    ) throws(ReactorError) -> WorkerThread {
        var handle = pthread_t()
        let argument = unsafe Unmanaged.passRetained(Task(worker: worker, threads: threads)).toOpaque()
        let result = unsafe pthread_create(&handle, nil, { argument in
            guard let argument = unsafe argument else { return nil }
            unsafe Unmanaged<Task>.fromOpaque(argument).takeRetainedValue().run()
            return nil
        }, argument)
        if result != 0 { throw ReactorError(code: result, operation: "pthread_create") }
        return WorkerThread(handle: handle)
    }

    /// Waits for the thread to end. Not for worker threads.
    package func join() { _ = pthread_join(self.handle, nil) }
}

/// Signals that end or reload the process, waited for on the main thread.
package enum ProcessSignals {
    /// Blocks `signals` in this thread and all it starts, and ignores those that come of writing (SIGPIPE,
    /// SIGXFSZ). Call first thing in main.
    package static func block(_ signals: [Int32]) {
        unsafe signals.withUnsafeBufferPointer { unsafe cr_block_signals($0.baseAddress, Int32($0.count)) }
        cr_ignore_write_signals()
    }

    /// Waits for one of `signals`. Blocks the calling thread.
    package static func wait(for signals: [Int32]) -> Int32 {
        unsafe signals.withUnsafeBufferPointer { unsafe cr_wait_signal($0.baseAddress, Int32($0.count)) }
    }

    /// Raises the soft limit of open descriptors to the hard limit, at most to 1048576 unless more is `wanted`; where
    /// there is no hard limit, to `wanted`. Never lowers it. Returns the limit now in force.
    package static func raiseDescriptorLimit(to wanted: Int64) -> Int64 { cr_raise_descriptor_limit(wanted) }
}
