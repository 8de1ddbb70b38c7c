/// Clients that leave the queue without a server.
extension PoolMachine {
    /// A client left or was cancelled while it waited.
    ///
    /// `false` when it is not in the queue any more. If it was granted a server whose news has not been dealt with yet,
    /// the driver checks that server in again.
    package mutating func cancelWait(_ waiter: WaiterID) -> Bool {
        self.waiters.remove(waiter)
    }

    /// Takes out one waiter of `worker` that has waited for as long as `queryWaitTimeout` said when it was queued. Call
    /// until nil.
    package mutating func expireWaiters(worker: Int, now: Microseconds) -> WaiterID? {
        self.waiters.popExpired(of: worker, now: now)
    }

    /// When `expireWaiters` has something to do for `worker`, if nobody leaves the queue before; nil when nobody waits
    /// or waiting has no limit.
    package func nextWaiterDeadline(worker: Int) -> Microseconds? {
        self.waiters.nextDeadline(of: worker)
    }
}
