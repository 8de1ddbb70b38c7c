import PGWire
import Sessions
import Testing

@testable import AuthProviders

@Suite struct AuthQueryServiceTests {
    private static let md5 = TestSetting.md5Text("u")

    @Test func manyLoginsOfOneUserCostOneQuery() async {
        let executor = ScriptedExecutor()
        let service = executor.service()
        #expect(service.secretAtHand(user: "u", database: "db") == nil)
        let found = await withTaskGroup(of: String.self) { group in
            for _ in 0..<50 { group.addTask { "\(await service.secret(user: "u", database: "db").name)" } }
            group.addTask {
                // The misses are counted under the lock under which the waiters join.
                while service.counters.misses < 50 { await Task.yield() }
                executor.answer(ScriptedExecutor.row(Self.md5))
                return "answered"
            }
            return await group.reduce(into: [String: Int]()) { $0[$1, default: 0] += 1 }
        }
        #expect(found == ["md5 fetched": 50, "answered": 1])
        #expect(executor.asked == ["u"])
        #expect(service.secretAtHand(user: "u", database: "db")?.name == "md5 cached")
        #expect(service.counters.entries == 1 && service.counters.executorQueries == 1)
    }

    @Test func impossibleNamesAreNeitherAskedNorKept() async {
        let executor = ScriptedExecutor(passwords: [:])
        let service = executor.service()
        for name in ["", String(repeating: "x", count: 64), String(repeating: "é", count: 32)] {
            #expect(service.secretAtHand(user: name, database: "db")?.name == "not found")
            #expect(await service.secret(user: name, database: "db").name == "not found")
            #expect(await service.secretAfresh(user: name, database: "db", insteadOf: nil) == nil)
            #expect(await service.roles(of: name) == .known([]))
        }
        #expect(executor.asked.isEmpty && service.counters.entries == 0)
    }

    @Test func aServerThatIsDown() async {
        let executor = ScriptedExecutor(passwords: ["u": Self.md5])
        let service = executor.service()
        executor.setDown(true)
        #expect(await service.secret(user: "u", database: "db").name == "unavailable: down")
        executor.setDown(false)
        #expect(await service.secret(user: "u", database: "db").name == "md5 fetched")
        executor.setDown(true)
        executor.pass(seconds: 100)
        #expect(service.secretAtHand(user: "u", database: "db")?.name == "md5 cached")
        service.invalidate(user: "u")
        #expect(await service.secret(user: "u", database: "db").name == "unavailable: down")
        #expect(service.counters.executorErrors == 2)
    }

    @Test func aRefusedNameIsNobody() async {
        let executor = ScriptedExecutor()
        let service = executor.service()
        async let lookup = service.secret(user: "odd", database: "db")
        while executor.heldCount == 0 { await Task.yield() }
        executor.answer(.refused("ERROR 22021: bad"))
        #expect(await lookup.name == "not found")
        #expect(executor.warnings.count == 1 && service.counters.executorErrors == 0)
    }

    @Test func startupParametersInDedicatedModeAreIgnoredWithOneWarning() async {
        let executor = ScriptedExecutor()
        let service = executor.service(lifetime: 0, isDedicated: true)
        let rows = AuthQueryRows(
            columns: ["passwd", "startup_parameters"],
            rows: [[Array(Self.md5.utf8), Array("{\"jit\": \"off\"}".utf8)]]
        )
        for _ in 0..<3 {
            async let lookup = service.secret(user: "u", database: "db")
            while executor.heldCount == 0 { await Task.yield() }
            executor.answer(.rows(rows))
            guard case .found(_, let origin) = await lookup else { return #expect(Bool(false)) }
            #expect(origin.startupParameters == nil)
        }
        #expect(executor.warnings == ["u: per-user startup_parameters ignored in dedicated mode"])
        let plain = executor.service()
        async let lookup = plain.secret(user: "u", database: "db")
        while executor.heldCount == 0 { await Task.yield() }
        executor.answer(.rows(rows))
        guard case .found(_, let origin) = await lookup else { return #expect(Bool(false)) }
        #expect(origin.startupParameters == ["jit": "off"])
    }

    @Test func roles() async {
        let executor = ScriptedExecutor()
        let service = executor.service()
        #expect(service.rolesAtHand(of: "u") == nil)
        let answers = await withTaskGroup(of: RoleLookup?.self) { group in
            for _ in 0..<20 { group.addTask { await service.roles(of: "u") } }
            group.addTask {
                while executor.heldCount == 0 { await Task.yield() }
                let rows = ["u", "staff"].map { [Array($0.utf8) as [UInt8]?] }
                executor.answer(.rows(AuthQueryRows(columns: ["rolname"], rows: rows)))
                return nil
            }
            return await group.reduce(into: [RoleLookup?]()) { $0.append($1) }
        }
        #expect(answers.compactMap { $0 }.allSatisfy { $0 == .known(["u", "staff"]) })
        #expect(service.rolesAtHand(of: "u") == .known(["u", "staff"]))
        #expect(executor.asked == ["u"])
        executor.pass(seconds: 60)
        #expect(service.rolesAtHand(of: "u") == nil)
        executor.setDown(true)
        #expect(await service.roles(of: "u") == .unavailable("down"))
    }

    /// A rule may reject the members of a role: no answer does not say that somebody is none.
    @Test func aRefusedNameHasNoKnownRoles() async {
        let executor = ScriptedExecutor()
        let service = executor.service()
        async let lookup = service.roles(of: "odd")
        while executor.heldCount == 0 { await Task.yield() }
        executor.answer(.refused("ERROR 22021: bad"))
        #expect(await lookup == .unavailable("ERROR 22021: bad"))
        #expect(service.rolesAtHand(of: "odd") == nil)
        #expect(service.counters.executorErrors == 1)
    }

    @Test func tooManyRoles() async {
        let executor = ScriptedExecutor()
        let service = executor.service()
        async let lookup = service.roles(of: "u")
        while executor.heldCount == 0 { await Task.yield() }
        let rows = (0...AuthQueryService.rolesMax).map { [Array("r\($0)".utf8) as [UInt8]?] }
        executor.answer(.rows(AuthQueryRows(columns: ["rolname"], rows: rows)))
        guard case .unavailable = await lookup else { return #expect(Bool(false)) }
        #expect(service.rolesAtHand(of: "u") == nil)
    }
}

extension SecretLookup {
    var name: String {
        switch self {
        case .found(let secret, let origin): "\(secret.kindName) \(origin.freshness)"
        case .notFound: "not found"
        case .unavailable(let reason): "unavailable: \(reason)"
        }
    }
}
