/// Clients that leave the queue without a server.
extension PoolMachine {
    /// A client left or was cancelled while it waited.
    ///
    /// `false` when it is not in the queue any more. If it was granted a server whose news has not been dealt with yet,
    /// the driver checks that server in again.
    package mutating func cancelWait(_ waiter: WaiterID) -> Bool {
        self.waiters.remove(waiter)
    }

    /// Takes out one waiter of `worker` that has waited for `queryWaitTimeout`. Call until nil.
    package mutating func expireWaiters(worker: Int, now: Microseconds) -> WaiterID? {
        guard self.limits.queryWaitTimeout > 0 else { return nil }
        return self.waiters.popOldest(of: worker, arrivedBy: now - self.limits.queryWaitTimeout)
    }

    /// When `expireWaiters` has something to do for `worker`, if nobody leaves the queue before; nil when nobody waits
    /// or waiting has no limit.
    package func nextWaiterDeadline(worker: Int) -> Microseconds? {
        guard self.limits.queryWaitTimeout > 0, let since = self.waiters.oldestArrival(of: worker) else { return nil }
        return since + self.limits.queryWaitTimeout
    }
}
