import Pooling
import Testing

/// Clients in a closed loop on a full pool under a deterministic schedule: how evenly they wait.
@Suite("Fairness")
struct FairnessTests {
    struct Load: Sendable {
        let name: String
        /// Clients of each worker.
        let clients: [Int]
        /// Shortest and longest transaction.
        let service: ClosedRange<Microseconds>
        var window = PoolLimits.defaultSameWorkerWindow
    }

    static let loads = [
        Load(name: "even", clients: [250, 250], service: 800...1_200),
        Load(name: "uneven", clients: [420, 80], service: 800...1_200),
        Load(name: "one client against many", clients: [499, 1], service: 800...1_200),
        Load(name: "varied transactions", clients: [250, 250], service: 100...4_000),
        Load(name: "four workers", clients: [125, 125, 125, 125], service: 800...1_200),
        Load(name: "strict order", clients: [250, 250], service: 800...1_200, window: 0),
    ]

    @Test("500 clients on 20 servers wait about equally long", arguments: loads)
    func tail(_ load: Load) throws {
        let result = try ClosedLoop(load: load, servers: 20, seed: 11).run(transactions: 30_000)
        #expect(result.waits.count == 30_000)
        #expect(Double(result.p99) / Double(result.p50) <= 1.5, "\(load.name): p50 \(result.p50), p99 \(result.p99)")
        // Nobody is left behind: in one full round of the queue everybody has had a turn.
        #expect(result.fewestTurns * 2 > result.mostTurns, "\(result.fewestTurns) to \(result.mostTurns) turns")
    }

    @Test("the window keeps most servers on their worker")
    func windowSavesMoves() throws {
        let preferring = try ClosedLoop(load: Self.loads[0], servers: 20, seed: 11).run(transactions: 20_000)
        let strict = try ClosedLoop(load: Self.loads[5], servers: 20, seed: 11).run(transactions: 20_000)
        #expect(preferring.moves * 4 < strict.moves, "\(preferring.moves) moves against \(strict.moves)")
    }
}
