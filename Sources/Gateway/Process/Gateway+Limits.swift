import AuthProviders
import Dispatch
import Logging
import PGWire
import Pooling
import Reactor
import Settings
import Synchronization

/// What the gateway has room for: descriptors, and clients.
extension Gateway {
    /// What a worker has open for itself: the listening sockets, what it waits with, what it is woken by.
    private static let descriptorsPerWorker = 8

    /// Clients, servers and a reserve must fit into RLIMIT_NOFILE; better said now than at the worst moment. Raises the
    /// limit as far as the process may. Any thread.
    func checkDescriptorLimit(_ snapshot: Snapshot, workers: Int) {
        let servers = snapshot.plans.values.reduce(0) { $0 + $1.limits.poolSize }
        let queries = snapshot.settings.pools.reduce(0) { $0 + ($1.authQuery?.workers ?? 0) }
        let reserve = ClientListener.standingRoom + workers * Self.descriptorsPerWorker
        let wanted = Int64(snapshot.maxConnections + servers + queries + reserve)
        let limit = ProcessSignals.raiseDescriptorLimit(to: wanted)
        if limit < wanted {
            self.log.warning(
                "RLIMIT_NOFILE is lower than the settings may need",
                metadata: ["limit": .stringConvertible(limit), "needed": .stringConvertible(wanted)]
            )
        }
    }

    /// How long the first thread of Dispatch may take.
    private static let dispatchPatience = DispatchTimeInterval.seconds(10)

    /// Dispatch opens descriptors of its own when it is first used, and ends the process when none is left for them. So
    /// it is used, its clock included, before clients can have taken them all. On the main thread, at the start.
    ///
    /// - Throws: where the system has no thread left: Dispatch says nothing then, and asks again for ever.
    static func prepareDispatch() throws(GatewayStartError) {
        let isReady = DispatchSemaphore(value: 0)
        DispatchQueue.global().asyncAfter(deadline: .now() + .milliseconds(1)) { isReady.signal() }
        guard isReady.wait(timeout: .now() + Self.dispatchPatience) == .success else {
            throw GatewayStartError(description: "no thread can be started (RLIMIT_NPROC, or a limit of tasks)")
        }
    }

    /// Gives a client that has sent its startup packet one of the `max_connections` places, which it has until it goes
    /// (`takeBackPlace`). Cancel requests and connections that have not said who they are have none.
    ///
    /// - Returns: why it cannot come in; nil when it can.
    func admit(_ client: ClientConnection) -> ServerMessageFields? {
        if self.stopping.load(ordering: .acquiring) {
            return AuthFailure.shuttingDown().fields
        }
        guard self.takePlace(among: self.snapshot.maxConnections) else {
            return .fatal(.tooManyConnections, "sorry, too many clients already")
        }
        client.isAdmitted = true
        return nil
    }

    /// The client goes. Does nothing for one that has no place, and nothing the second time.
    func takeBackPlace(of client: ClientConnection) {
        guard client.isAdmitted else { return }
        client.isAdmitted = false
        self.admittedClients.subtract(1, ordering: .relaxed)
    }

    /// Never counts beyond `places`, not even for a moment: two that come at once must not refuse each other.
    private func takePlace(among places: Int) -> Bool {
        var count = self.admittedClients.load(ordering: .relaxed)
        while count < places {
            let (isTaken, present) = self.admittedClients.weakCompareExchange(
                expected: count,
                desired: count + 1,
                ordering: .relaxed
            )
            if isTaken { return true }
            count = present
        }
        return false
    }
}
