import Synchronization

/// Which of several workers is told of new connections: the one on duty, and no other.
///
/// Each worker has a `Listener` on each listening socket, but only those of the worker on duty are registered with the
/// kernel. Registered everywhere, a connection would also wake whoever is about to sleep (EPOLLEXCLUSIVE passes over
/// busy threads, and tells them all the same): one accept in vain for every two connections under load.
///
/// Any thread may use it. What it protects is the registration of the listeners, nothing else of them.
package final class AcceptDuty: Sendable {
    private let members = Mutex<[Listener]>([])
    private let holder = Atomic<Int>(0)

    package init() {}

    /// The index of the worker on duty. Without a listener it means nothing.
    package var worker: Int { self.holder.load(ordering: .relaxed) }

    /// The listeners of the worker `index` take over. Nothing changes when it has none, or when the kernel has no
    /// memory left for them. A connection that waits is reported to them.
    package func hand(to index: Int) {
        if self.worker == index { return }
        self.members.withLock { members in
            let present = self.worker
            guard present != index, self.watch(index, members) else { return }
            for member in members where member.workerIndex == present { member.unwatch() }
            self.holder.store(index, ordering: .relaxed)
        }
    }

    /// All listeners of a worker, or none.
    private func watch(_ index: Int, _ members: [Listener]) -> Bool {
        let own = members.filter { $0.workerIndex == index }
        guard own.contains(where: { $0.watch() < 0 }) else { return !own.isEmpty }
        for member in own { member.unwatch() }
        return false
    }

    /// A listener is ready to be watched. The first one puts its worker on duty.
    ///
    /// - Returns: 0 or a negative errno of its registration.
    func join(_ listener: Listener) -> Int32 {
        self.members.withLock { members in
            if members.isEmpty { self.holder.store(listener.workerIndex, ordering: .relaxed) }
            members.append(listener)
            return listener.workerIndex == self.worker ? listener.watch() : 0
        }
    }

    /// A listener that had no descriptor left to give listens again, if its worker is still on duty.
    func resume(_ listener: Listener) -> Int32 {
        self.members.withLock { _ in listener.workerIndex == self.worker ? listener.watch() : 0 }
    }

    func suspend(_ listener: Listener) {
        self.members.withLock { _ in listener.unwatch() }
    }

    /// A listener is about to close. The last one of the worker on duty leaves the duty to another worker.
    func leave(_ listener: Listener) {
        self.members.withLock { members in
            listener.unwatch()
            members.removeAll { $0 === listener }
            if members.contains(where: { $0.workerIndex == self.worker }) { return }
            guard let next = members.first(where: { self.watch($0.workerIndex, members) }) else { return }
            self.holder.store(next.workerIndex, ordering: .relaxed)
        }
    }
}
