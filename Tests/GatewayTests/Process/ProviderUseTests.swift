import AuthProviders
import Testing

@testable import Gateway

/// What SHOW AUTH_PROVIDERS counts.
@Suite struct ProviderUseTests {
    private static func refuse() throws -> any AuthProvider {
        try AuthProviderRegistry.standard()
            .makeProvider(options: MethodOptions(method: "reject"), services: AuthServices(secrets: StaticSecrets([:])))
    }

    @Test func providersOfOneNameShareARow() throws {
        let rows = ProviderUses(try .standard()).rows(lanes: [:])
        #expect(Set(rows.map(\.name)).count == rows.count)
        #expect(rows.first { $0.name == "password" }?.methods == ["trust", "scram-sha-256", "md5", "password"])
        #expect(Set(rows.flatMap(\.methods)) == Set(try AuthProviderRegistry.standard().hbaMethods))
    }

    @Test func verdictsAreCountedByReasonInTheOrderOfTheTable() throws {
        let uses = ProviderUses(try .standard())
        let use = try #require(uses.use(of: try Self.refuse()))
        #expect(use.name == "reject")
        use.note(nil, after: 100)
        use.note(.clientLeft, after: 3)
        use.note(.ruleRejects, after: 3)
        use.note(.clientLeft, after: 3)
        let row = try #require(uses.rows(lanes: [:]).first { $0.name == "reject" })
        #expect((row.logins, row.p50Microseconds) == (1, 3))
        #expect((100...112).contains(row.p99Microseconds ?? 0))
        #expect(row.values[3...4] == [.int(3), .text("rule_rejects=1, client_left=2")])
        let others = uses.rows(lanes: [:]).filter { $0.name != "reject" }
        #expect(others.allSatisfy { $0.logins == 0 && $0.failures.isEmpty && $0.p50Microseconds == nil })
    }

    @Test func everyReasonIsCounted() throws {
        let uses = ProviderUses(try .standard())
        let use = try #require(uses.use(of: try Self.refuse()))
        for reason in AuthFailure.Reason.allCases { use.note(reason, after: 0) }
        let row = try #require(uses.rows(lanes: [:]).first { $0.name == "reject" })
        #expect(row.failures.map(\.reason) == AuthFailure.Reason.allCases.map(\.rawValue))
        #expect(row.failures.allSatisfy { $0.count == 1 })
    }

    @Test func lanesTellTheirLoad() async throws {
        let lane = BlockingLane(name: "test", threads: 1, queueMax: 4)
        let uses = ProviderUses(try .standard())
        let seen = await lane.run(within: .seconds(60)) {
            uses.rows(lanes: ["peer": [lane]]).first { $0.name == "peer" }
        }
        let row = try #require(try seen.get())
        #expect((row.busy, row.queued) == (1, 0))
        #expect(lane.load.queued == 0)
    }
}
