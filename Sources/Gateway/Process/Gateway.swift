import AuthProviders
package import Logging
import Reactor
import Sessions
import Settings
import Synchronization
import Telemetry

/// The process as a whole: workers, listeners, pools, and the settings in force.
///
/// Made on the main thread. What workers reach is immutable after `start`, behind a lock, or atomic.
package final class Gateway: @unchecked Sendable {
    package static let version = "0.1.0"

    let log: Logger
    private(set) var homes: [WorkerHome] = []
    private var threads: [WorkerThread] = []
    private let current: Mutex<Snapshot>
    /// Counts up whenever other settings have come into force; see `WorkerHome.snapshot`.
    let settingsVersion = Atomic<Int>(0)
    /// The settings read last, which come into force in a moment if they are not yet. Held while settings are read: two
    /// reloads at once come into force in the order in which they are read.
    private let loaded: Mutex<Snapshot>
    let pools: PoolRegistry
    /// Users that are found by a query.
    let authQueries = AuthQueryRegistry()
    let cancelKeys = CancelKeys()
    /// The texts of prepared statements.
    let interner: TextInterner
    let resolver: HostResolver
    let lookups: PolicyLookups
    let keyDerivations: KeyDerivations
    /// What the console has to do that takes long or blocks. Not on the threads of Dispatch, for the reason given in
    /// `HostResolver`.
    let consoleLane = BlockingLane(name: "console", threads: 4, queueMax: 1024)
    /// Of its own: files that do not answer must not keep anybody from looking. One after the other, as they come.
    let reloadLane = BlockingLane(name: "reload", threads: 1, queueMax: 64)
    let statistics = ProcessStatistics()
    let audit: AuditTrail
    let throttle = LoginThrottle()
    let handshakeRate = HandshakeRate()
    let clientHandshakes = TLSStatistics(side: .clients)
    let serverHandshakes = TLSStatistics(side: .servers)
    /// How logins end, by provider.
    let providerUses: ProviderUses
    let loader: SettingsSource
    private let nextServerNumber = Atomic<UInt32>(0)
    private let nextClientNumber = Atomic<Int32>(0)
    let stopping = Atomic<Bool>(false)
    /// Clients that have a place among `max_connections`; see `Gateway+Limits.swift`.
    let admittedClients = Atomic<Int>(0)
    /// Servers that carry out what a client has asked for that is gone; see `ServerConnection.finishAlone`.
    let finishingServers = Atomic<Int>(0)
    /// Settings that take a restart, as they were at the start; see `Gateway+FixedSettings.swift`.
    let fixedSettings: [String: String]
    private(set) var frontDoor: FrontDoor?
    private var housekeeper: Housekeeper?
    /// Told by the main thread's signal loop what to do; see `ProcessEvents`.
    package let events = ProcessEvents()

    /// - Throws: a description of what keeps the gateway from starting.
    package init(source: SettingsSource, log: Logger) throws(GatewayStartError) {
        self.log = log
        self.loader = source
        self.resolver = HostResolver(warn: { host, reason in
            log.warning(
                "a server's name cannot be looked up: its last known addresses are used",
                metadata: ["host": .string(host), "reason": .string(reason)]
            )
        })
        self.providerUses = ProviderUses(source.registry)
        self.lookups = PolicyLookups(authQueries: self.authQueries)
        self.keyDerivations = KeyDerivations(on: self.lookups.authLanes)
        let snapshot = try source.load(self.lookups, previous: nil)
        self.current = Mutex(snapshot)
        self.loaded = Mutex(snapshot)
        self.fixedSettings = Self.fixedSettings(snapshot.settings)
        self.audit = AuditTrail(log: log)
        self.audit.apply(try Self.prepareAudit(snapshot.settings.general))
        self.lookups.authLanes.apply(AuthLanes.Limits(snapshot.settings.general))
        self.pools = PoolRegistry()
        self.interner = TextInterner(byteLimit: snapshot.settings.general.queryInternerMaxSize)
    }

    /// The settings in force. A snapshot, kept by whoever asks for as long as one decision takes.
    var snapshot: Snapshot { self.current.withLock { $0 } }

    // MARK: Start

    /// Opens the listeners, then starts the workers. Returns when clients can connect.
    package func start() throws(GatewayStartError) {
        let snapshot = self.snapshot
        for warning in snapshot.warnings { self.log.warning("\(warning)") }
        let general = snapshot.settings.general
        let count = general.workerThreads > 0 ? general.workerThreads : ProcessorCount.available
        self.checkDescriptorLimit(snapshot, workers: count)
        try Self.prepareDispatch()
        let address = try FrontDoor.address(host: general.host, port: general.port)
        let ioMethod: IOMethod
        do throws(ReactorError) {
            // `auto` is no method of its own.
            let made = try IOMethod.makeWorkers(count, wanted: IOMethod(rawValue: general.ioMethod))
            if let reason = made.whyNoRing {
                self.log.info("io_uring cannot be used", metadata: ["reason": .string(reason.description)])
            }
            ioMethod = made.method
            self.homes = made.workers.map { WorkerHome(worker: $0, gateway: self) }
            let door = try FrontDoor(general, at: address, gateway: self)
            self.frontDoor = door
            self.pools.apply(snapshot, gateway: self, home: nil)
            self.authQueries.apply(snapshot, gateway: self)
            let shared = count > 1 && general.shareThreads ? try SharedThreads(made.workers) : nil
            for home in self.homes {
                home.worker.execute { door.open(on: home) }
                self.threads.append(try WorkerThread.start(home.worker, among: shared))
            }
        } catch {
            throw GatewayStartError(description: error.description)
        }
        if let home = self.homes.first {
            let keeper = Housekeeper(gateway: self, home: home)
            self.housekeeper = keeper
            home.worker.execute { keeper.begin() }
        }
        self.log.notice(
            "pggateway \(Self.version) is ready",
            metadata: [
                "listening": .string(self.frontDoor?.description ?? ""),
                "io_method": .string(ioMethod.rawValue),
                "workers": .stringConvertible(self.homes.count),
                "pools": .stringConvertible(snapshot.plans.count),
            ]
        )
    }

    func makeClientNumber() -> Int32 {
        // Positive and never 0, also after two thousand million clients.
        let next = self.nextClientNumber.wrappingAdd(1, ordering: .relaxed).newValue & Int32.max
        return next == 0 ? self.makeClientNumber() : next
    }

    func makeServerNumber() -> UInt32 { self.nextServerNumber.wrappingAdd(1, ordering: .relaxed).newValue }

    var clientCount: Int {
        var count = 0
        // By index for the reason given in `leastLoaded`.
        for index in 0..<self.homes.count { count += self.homes[index].worker.clientCount.load(ordering: .acquiring) }
        return count
    }

    // MARK: Reload

    /// Reads the settings again. They apply whole or not at all. Blocks on files: not for workers.
    ///
    /// - Parameter done: called when policy and pools are in force, on a worker.
    package func reload(done: @escaping @Sendable () -> Void = {}) throws(GatewayStartError) {
        let result = self.loaded.withLock { last -> Result<Void, GatewayStartError> in
            do throws(GatewayStartError) {
                let snapshot = try self.loader.load(self.lookups, previous: last)
                let audit = try Self.prepareAudit(snapshot.settings.general)
                for warning in snapshot.warnings { self.log.warning("\(warning)") }
                self.warnOfFixedSettings(snapshot.settings)
                self.checkDescriptorLimit(snapshot, workers: self.homes.count)
                guard let home = self.homes.first else { return .success(()) }
                last = snapshot
                self.comeIntoForce(snapshot, audit, on: home, done: done)
                return .success(())
            } catch {
                return .failure(error)
            }
        }
        try result.get()
    }

    private func comeIntoForce(
        _ snapshot: Snapshot,
        _ audit: AuditTrail.Prepared,
        on home: WorkerHome,
        done: @escaping @Sendable () -> Void
    ) {
        home.worker.execute {
            self.audit.apply(audit)
            self.lookups.authLanes.apply(AuthLanes.Limits(snapshot.settings.general))
            self.frontDoor?.apply(snapshot.socketOptions)
            // Before the settings, so that whoever has seen a new database finds its query.
            self.authQueries.apply(snapshot, gateway: self)
            self.pools.apply(snapshot, gateway: self, home: home) {
                self.current.withLock { $0 = snapshot }
                self.settingsVersion.add(1, ordering: .releasing)
            }
            home.settingsChanged()
            for other in self.homes.dropFirst() { other.worker.execute { other.settingsChanged() } }
            self.log.notice("settings reloaded")
            done()
        }
    }

    // MARK: Stop

    /// Stops gracefully: no new clients, the others leave at the end of their transactions, and servers carry out what
    /// clients have asked for that are gone; after `shutdown_timeout` whoever is left is cut off. Blocks; on the main
    /// thread.
    package func stop() {
        self.log.notice("stopping")
        self.stopping.store(true, ordering: .releasing)
        let timeout = self.snapshot.settings.general.shutdownTimeout
        self.frontDoor?.close()
        for home in self.homes {
            home.worker.execute {
                for listener in home.listeners { listener.close() }
                for client in home.clients { client.askToLeave() }
            }
        }
        // In this order: a client that leaves its server to finish is counted until the server is.
        self.events.waitUntilEmpty(timeout: timeout) {
            self.clientCount + self.finishingServers.load(ordering: .relaxed)
        }
        self.warnOfThoseLeft()
        self.authQueries.stop()
        self.stopWorkers()
        for thread in self.threads { thread.join() }
        self.audit.stop(timeoutMilliseconds: Self.auditStopMilliseconds)
        self.log.notice("stopped")
    }

    /// One worker says goodbye to all idle servers, wherever they are, while all are still at work.
    private func stopWorkers() {
        guard let first = self.homes.first else { return }
        first.worker.execute {
            for pool in self.pools.all { pool.dismissServers(home: first) }
            for home in self.homes {
                home.worker.execute {
                    for client in home.clients { client.cutOff() }
                    home.worker.stop()
                }
            }
        }
    }

    private func warnOfThoseLeft() {
        let (clients, servers) = (self.clientCount, self.finishingServers.load(ordering: .relaxed))
        if clients > 0 {
            let count: Logger.MetadataValue = .stringConvertible(clients)
            self.log.warning("shutdown_timeout: clients cut off", metadata: ["clients": count])
        }
        if servers > 0 {
            let count: Logger.MetadataValue = .stringConvertible(servers)
            self.log.warning("shutdown_timeout: servers that finished alone cut off", metadata: ["servers": count])
        }
    }

    func clientLeft() {
        if self.stopping.load(ordering: .relaxed) { self.events.somebodyLeft() }
    }

    /// A server that carried out what a client had asked for that is gone has ended.
    func serverFinished() {
        self.finishingServers.subtract(1, ordering: .relaxed)
        if self.stopping.load(ordering: .relaxed) { self.events.somebodyLeft() }
    }
}

extension SocketOptions {
    init(_ general: GeneralSettings) {
        self.init()
        self.keepaliveIdleSeconds = general.tcpKeepalivesIdle.wholeSeconds
        self.keepaliveCount = Int32(clamping: general.tcpKeepalivesCount)
        self.keepaliveIntervalSeconds = general.tcpKeepalivesInterval.wholeSeconds
        self.userTimeoutMilliseconds = Int32(clamping: general.tcpUserTimeout.microseconds / 1000)
        self.deferAcceptSeconds = general.tcpDeferAccept.wholeSeconds
        self.bufferBytes = Int32(clamping: general.tcpSocketBufferSize)
        self.unixBufferBytes = Int32(clamping: general.unixSocketBufferSize)
        self.isNoDelay = general.tcpNoDelay
    }
}
