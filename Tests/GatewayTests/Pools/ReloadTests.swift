import AuthProviders
import Dispatch
import Foundation
import Logging
import PGWire
import Reactor
import Sessions
import Settings
import Synchronization
import Testing

@testable import Gateway

/// Settings and the pools made by them come into force together.
@Suite struct ReloadTests {
    private let folder = FileManager.default.temporaryDirectory.appendingPathComponent("reload-\(UUID())")

    /// A gateway whose one database has no users but those whom a query finds.
    private func gateway(port: Int = 6432) throws -> Gateway {
        try FileManager.default.createDirectory(at: self.folder, withIntermediateDirectories: true)
        let file = self.folder.appendingPathComponent("settings.yaml").path
        try Self.text(port: port, database: "one").write(toFile: file, atomically: true, encoding: .utf8)
        let source = SettingsSource(path: file, environment: [:], registry: try .standard())
        return try Gateway(source: source, log: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    private static func text(
        port: Int = 6432,
        database: String,
        users: String = "[]",
        query: String = "auth_query: {user: u}"
    ) -> String {
        """
        general:
          host: 127.77.31.5
          port: \(port)
          worker_threads: 1
          admin_username: a
          admin_password: b
        pools:
          app:
            server_host: 127.0.0.1
            server_port: 1
            server_database: \(database)
            users: \(users)
            \(query)
        """
    }

    private func snapshot(after previous: Snapshot, of gateway: Gateway, database: String) throws -> Snapshot {
        try self.snapshot(of: Self.text(database: database), after: previous, gateway)
    }

    private func snapshot(of text: String, after previous: Snapshot, _ gateway: Gateway) throws -> Snapshot {
        let settings = try SettingsLoader.load(text: text, format: .yaml, path: "/etc/gw/main.yaml", environment: [:])
        return try Snapshot(
            settings: settings, registry: .standard(), lookups: gateway.lookups, previous: previous)
    }

    private func route(_ snapshot: Snapshot) -> Snapshot.Route {
        let identity = AuthenticatedIdentity(user: "ann", credential: .none, provider: "password", method: "md5")
        return snapshot.route(identity, database: "app")
    }

    /// Settings on files that do not answer: who reloads waits or is refused, and who looks is answered.
    @Test func reloadsThatHangKeepNobodyFromLooking() async throws {
        let gateway = try self.gateway()
        defer { try? FileManager.default.removeItem(at: self.folder) }
        let home = WorkerHome(worker: try Worker(index: 0), gateway: gateway)
        let gate = DispatchSemaphore(value: 0)
        var waiting = 0
        while gateway.reloadLane.start({ gate.wait() }) == nil { waiting += 1 }
        if case .failure(let fields) = await gateway.answer(.reload, [], limit: nil, home: home) {
            #expect(fields.sqlState == .insufficientResources)
        } else {
            Issue.record("a RELOAD that nobody can take was not refused")
        }
        if case .table = await gateway.answer(.hba, [], limit: nil, home: home) {} else {
            Issue.record("SHOW HBA was not answered")
        }
        for _ in 0..<waiting { gate.signal() }
    }

    @Test func aPoolIsNotMadeFromSettingsJustReplaced() throws {
        let gateway = try self.gateway()
        defer { try? FileManager.default.removeItem(at: self.folder) }
        let home = WorkerHome(worker: try Worker(index: 0), gateway: gateway)
        let old = gateway.snapshot
        let new = try self.snapshot(after: old, of: gateway, database: "two")
        #expect((old.generation, new.generation) == (1, 2))
        gateway.pools.apply(old, gateway: gateway, home: nil)
        let route = self.route(old)
        // The login has asked the old settings; then comes the reload.
        gateway.pools.apply(new, gateway: gateway, home: home)
        guard case .outdated = gateway.pools.pin(route, of: old.generation, gateway: gateway, home: home) else {
            Issue.record("a pool of the old settings was made")
            return
        }
        #expect(gateway.pools.all.isEmpty)
        let found = gateway.pools.pin(self.route(new), of: new.generation, gateway: gateway, home: home)
        guard case .pool(let pool) = found else {
            Issue.record("the user has no pool")
            return
        }
        #expect(pool.plan.serverDatabase == "two")
    }

    /// A name that a query had found is listed while its login is under way: the proof is good for the role alone.
    @Test(arguments: ["auth_query: {user: u}", ""]) func whoWasFoundIsNotWhatTheNameIsListedAs(query: String) throws {
        let gateway = try self.gateway()
        defer { try? FileManager.default.removeItem(at: self.folder) }
        let identity = AuthenticatedIdentity(
            user: "ann",
            credential: .none,
            provider: "password",
            method: "md5",
            secretOrigin: SecretOrigin(name: "auth_query", freshness: .fetched)
        )
        for role in ["ann", "other"] {
            let users = "[{username: ann, password: \"\", server_username: \(role), server_password: y}]"
            let text = Self.text(database: "one", users: users, query: query)
            let new = try self.snapshot(of: text, after: gateway.snapshot, gateway)
            let isNowhere = if case .nowhere = new.route(identity, database: "app") { true } else { false }
            #expect(isNowhere == (role == "other"))
        }
    }

    /// A directory or a token may prove a name that is too long for a role: PostgreSQL would cut it.
    @Test(arguments: ["auth_query: {user: u}", "server_users: [{auth_providers: [ldap], pool_size: 1}]"])
    func aNameThatNoRoleCanHaveWorksAsNobody(way: String) throws {
        let gateway = try self.gateway()
        defer { try? FileManager.default.removeItem(at: self.folder) }
        let text = Self.text(database: "one", query: way)
        let snapshot = try self.snapshot(of: text, after: gateway.snapshot, gateway)
        for length in [63, 64] {
            let user = String(repeating: "x", count: length)
            let identity = AuthenticatedIdentity(user: user, credential: .none, provider: "ldap", method: "ldap")
            switch snapshot.route(identity, database: "app") {
            case .dynamic(let pool): #expect(length == 63 && pool.key.user == user)
            case .nowhere: #expect(length == 64)
            case .settings: Issue.record("there is no such pool in the settings")
            }
        }
    }

    /// Whoever has seen the new settings waits for their pools.
    @Test func settingsAreNotSeenBeforeTheirPools() throws {
        let gateway = try self.gateway()
        defer { try? FileManager.default.removeItem(at: self.folder) }
        let home = WorkerHome(worker: try Worker(index: 0), gateway: gateway)
        gateway.pools.apply(gateway.snapshot, gateway: gateway, home: nil)
        let new = try self.snapshot(after: gateway.snapshot, of: gateway, database: "two")
        let begun = DispatchSemaphore(value: 0)
        let seen = Generations()
        gateway.pools.apply(new, gateway: gateway, home: home) {
            // A login on another worker that sees them now.
            DispatchQueue.global().async {
                begun.signal()
                let found = gateway.pools.pin(self.route(new), of: new.generation, gateway: gateway, home: home)
                if case .pool(let pool) = found, pool.plan.serverDatabase == "two" {
                    seen.note(new.generation)
                } else {
                    seen.note(0)
                }
            }
            begun.wait()
        }
        seen.wait(for: 1)
        #expect(seen.all == [2])
    }

    /// SIGHUP and RELOAD come on different threads.
    @Test func reloadsAtOnceComeIntoForceInOrder() throws {
        let gateway = try self.gateway(port: 54_329)
        defer { try? FileManager.default.removeItem(at: self.folder) }
        try gateway.start()
        defer { gateway.stop() }
        let count = 8
        let seen = Generations()
        DispatchQueue.concurrentPerform(iterations: count) { _ in
            do {
                try gateway.reload { seen.note(gateway.snapshot.generation) }
            } catch {
                seen.note(0)
            }
        }
        seen.wait(for: count)
        #expect(seen.all == (2...UInt64(count + 1)).map { $0 })
    }

    private final class Generations: @unchecked Sendable {
        private let numbers = Mutex<[UInt64]>([])
        private let noted = DispatchSemaphore(value: 0)

        var all: [UInt64] { self.numbers.withLock { $0 } }

        func note(_ number: UInt64) {
            self.numbers.withLock { $0.append(number) }
            self.noted.signal()
        }

        func wait(for count: Int) { for _ in 0..<count { self.noted.wait() } }
    }
}
