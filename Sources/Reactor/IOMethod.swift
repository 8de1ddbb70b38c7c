import CReactor

/// How workers speak to the kernel. Both learn by epoll what can be received; see `Worker+GatheredSends.swift` for the
/// difference.
public enum IOMethod: String, Sendable {
    /// The small sends of a round are handed over together, by one system call.
    case ioUring = "io_uring"
    /// Each send is a system call of its own, made at once. Works everywhere.
    case epoll

    /// Makes `count` workers, all with the same driver.
    ///
    /// - Parameter wanted: nil for io_uring where it can be used, else epoll.
    /// - Throws: `ReactorError` when the wanted driver is not to be had, or no descriptor is left.
    package static func makeWorkers(_ count: Int, wanted: IOMethod?) throws(ReactorError) -> WorkerSet {
        if wanted != .epoll {
            do throws(ReactorError) {
                if let reason = Self.whyNoRing() { throw reason }
                return WorkerSet(workers: try Self.workers(count, .ioUring), method: .ioUring, whyNoRing: nil)
            } catch {
                if wanted == .ioUring { throw error }
                return WorkerSet(workers: try Self.workers(count, .epoll), method: .epoll, whyNoRing: error)
            }
        }
        return WorkerSet(workers: try Self.workers(count, .epoll), method: .epoll, whyNoRing: nil)
    }

    private static func workers(_ count: Int, _ method: IOMethod) throws(ReactorError) -> [Worker] {
        var workers: [Worker] = []
        for index in 0..<count { workers.append(try Worker(index: index, method: method)) }
        return workers
    }

    /// Why io_uring cannot be used here, nil when it can. Tries everything the reactor relies on: kernels differ, and
    /// containers often forbid it. Takes less than a millisecond.
    package static func whyNoRing() -> ReactorError? {
        let result = cr_ring_probe()
        return result < 0 ? ReactorError(code: -result, operation: "io_uring") : nil
    }
}

/// Workers that have not been started, and what they run on.
package struct WorkerSet {
    package let workers: [Worker]
    package let method: IOMethod
    /// Set when io_uring was tried in vain.
    package let whyNoRing: ReactorError?
}
