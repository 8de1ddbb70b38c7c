import AuthProviderTestKit
import Dispatch
import Foundation
import Sessions
import Synchronization
import Testing

@testable import AuthProviders

/// Runs its jobs one after the other, as a worker does.
private final class TestWorker: TaskExecutor {
    private let queue = DispatchQueue(label: "test worker")

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        self.queue.async { unsafe job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }
}

/// Providers that compute for long leave the worker: it serves others meanwhile. Logins run in tasks that prefer the
/// worker as their executor, and async functions honour that, `@concurrent` ones included. The tests hold the only
/// thread of the provider's lane, so that a login which waits for it cannot end by itself.
@Suite struct OffTheWorkerTests {
    private final class Flag: Sendable {
        private let value = Atomic<Bool>(false)

        var isSet: Bool { self.value.load(ordering: .sequentiallyConsistent) }
        func set() { self.value.store(true, ordering: .sequentiallyConsistent) }
    }

    private let lanes = AuthLanes(AuthLanes.Limits(threads: 1, queueMax: 8, timeout: .seconds(600)))
    private let worker = TestWorker()
    private let gate = DispatchSemaphore(value: 0)

    private func services() throws -> AuthServices {
        AuthServices(
            secrets: try TestSetting.secrets(),
            mock: MockAuthentication(key: SecretBytes("process key"), iterations: TestSetting.iterations),
            lanes: self.lanes
        )
    }

    /// Until the gate opens, nothing else runs on the lane.
    private func holdLane(_ kind: String) async -> Task<Void, any Error> {
        let (lanes, gate) = (self.lanes, self.gate)
        let holding: Task<Void, any Error> = Task { try await lanes.run(kind) { gate.wait() } }
        while lanes.load(of: kind).busy < 1 || lanes.load(of: kind).queued > 0 { await Task.yield() }
        return holding
    }

    private func begin(
        _ user: String,
        _ options: MethodOptions,
        _ password: String,
        _ ended: Flag
    ) throws -> Task<LoginOutcome, Never> {
        let provider = try AuthProviderRegistry.standard().makeProvider(options: options, services: self.services())
        let attempt = LoginAttempt(
            user: user, database: "db", peerAddress: "192.0.2.7", isLocal: false, isTLS: true,
            rule: LoginAttempt.Rule(options: options, file: "pg_hba.conf", line: 3)
        )
        return Task(executorPreference: self.worker) {
            defer { ended.set() }
            do throws(AuthFailure) {
                let client = ScriptedClient(user: user, .password(password))
                return .admitted(try await provider.authenticate(attempt, over: client))
            } catch {
                return .refused(error)
            }
        }
    }

    /// The outcome of a login that has let another job of its worker run before it ended.
    private func logIn(_ user: String, _ options: MethodOptions, _ password: String) async throws -> LoginOutcome {
        let holding = await self.holdLane(options.method)
        let ended = Flag()
        let login = try self.begin(user, options, password, ended)
        while self.lanes.load(of: options.method).queued < 1, !ended.isSet { await Task.yield() }
        await Task(executorPreference: self.worker) {}.value
        #expect(!ended.isSet, "the login has kept the worker to itself")
        self.gate.signal()
        try await holding.value
        return await login.value
    }

    @Test(arguments: ["scram", "md5", "empty", "nobody"])
    func passwordsAreCheckedElsewhere(_ user: String) async throws {
        let options = try MethodOptions(method: "password")
        let outcome = try await self.logIn(user, options, TestSetting.password)
        #expect((outcome.identity != nil) == (user == "scram" || user == "md5"))
    }

    @Test func tokensAreCheckedElsewhere() async throws {
        let workshop = try TokenWorkshop()
        let now = Int(Date.now.timeIntervalSince1970)
        let token = try workshop.token(["exp": now + 600, "iat": now])
        let options = try MethodOptions(method: "jwt", entries: [(name: "keys", value: try workshop.keyFile())])
        #expect(try await self.logIn("app", options, token).identity?.user == "app")
    }

    /// The client has left: its login does not wait for a thread.
    @Test func aCancelledLoginDoesNotWait() async throws {
        let holding = await self.holdLane("password")
        let ended = Flag()
        let login = try self.begin("scram", try MethodOptions(method: "password"), TestSetting.password, ended)
        while self.lanes.load(of: "password").queued < 1, !ended.isSet { await Task.yield() }
        login.cancel()
        #expect(await login.value.failure?.reason == .clientLeft)
        #expect(self.lanes.load(of: "password").queued == 0)
        self.gate.signal()
        try await holding.value
    }

    /// As with libraries that block.
    @Test func aFullLaneRefusesAtOnce() async throws {
        let lanes = self.lanes
        lanes.apply(AuthLanes.Limits(threads: 1, queueMax: 1, timeout: .seconds(600)))
        let holding = await self.holdLane("password")
        let waiting = Task { try await lanes.run("password") {} }
        while lanes.load(of: "password").queued < 1 { await Task.yield() }
        let login = try self.begin("scram", try MethodOptions(method: "password"), TestSetting.password, Flag())
        let failure = await login.value.failure
        #expect(failure?.reason == .serviceUnavailable && failure?.sqlStateText == "58000")
        #expect(failure?.clientText == "Authentication service unavailable")
        self.gate.signal()
        try await holding.value
        try await waiting.value
    }

    /// For `SHOW AUTH_PROVIDERS`.
    @Test func providersNameTheirLane() async throws {
        let options = try MethodOptions(method: "password")
        let provider = try AuthProviderRegistry.standard().makeProvider(options: options, services: self.services())
        #expect(provider.lane == nil)
        let holding = await self.holdLane("password")
        #expect(provider.lane === self.lanes.lane(of: "password"))
        self.gate.signal()
        try await holding.value
    }
}
