// Public, because the inlined functions below name atomics in the modules they are inlined into.
public import Synchronization

/// A number that one thread adds to and any thread reads.
///
/// Adding is a plain load and store: no locked instruction, no lock. Two writers would lose additions, so each
/// counter belongs to one worker.
@usableFromInline
package struct Counter: ~Copyable, Sendable {
    @usableFromInline let storage: Atomic<UInt64>

    init() {
        self.storage = Atomic(0)
    }

    /// Called by the owning worker only.
    @inlinable
    package func add(_ amount: UInt64) {
        self.storage.store(self.storage.load(ordering: .relaxed) &+ amount, ordering: .relaxed)
    }

    /// Any thread; as new as the memory system makes it.
    @inlinable
    package var value: UInt64 {
        self.storage.load(ordering: .relaxed)
    }
}
