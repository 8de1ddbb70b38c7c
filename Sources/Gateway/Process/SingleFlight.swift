import Synchronization

/// Lets any number of callers with the same question wait for one answer. Any thread.
final class SingleFlight<Key: Hashable & Sendable, Value: Sendable>: Sendable {
    private let waiting = Mutex<[Key: [CheckedContinuation<Value, Never>]]>([:])

    /// How many wait for the answer now.
    func waiters(for key: Key) -> Int { self.waiting.withLock { $0[key]?.count ?? 0 } }

    /// The answer of `body`, which is run unless it already runs for this key.
    ///
    /// - Parameter executor: runs it. On Dispatch's, whoever asks may have to wait until the system has a thread.
    func run(
        _ key: Key,
        on executor: (any TaskExecutor)? = nil,
        _ body: @escaping @Sendable () async -> Value
    ) async -> Value {
        await withCheckedContinuation { continuation in
            let isFirst = self.waiting.withLock { waiting in
                let isFirst = waiting[key] == nil
                waiting[key, default: []].append(continuation)
                return isFirst
            }
            guard isFirst else { return }
            Task(executorPreference: executor) {
                let value = await body()
                let waiters = self.waiting.withLock { $0.removeValue(forKey: key) } ?? []
                for waiter in waiters { waiter.resume(returning: value) }
            }
        }
    }
}
