import Foundation
import Testing

/// Random conversations of several clients through the machine, compared with each client having a PostgreSQL of its
/// own.
///
/// `MACHINE_MODEL_MESSAGES` (default 20 000) says how many messages, `MACHINE_MODEL_SEED` (default 1) which. A
/// difference is cut down to the steps that it takes, and printed with the number of its conversation; with that as the
/// seed, it is the first one.
@Suite struct StatementMachineModelTests {
    private static let environment = ProcessInfo.processInfo.environment
    private static let messages = environment["MACHINE_MODEL_MESSAGES"].flatMap { Int($0) } ?? 20_000
    private static let seed = environment["MACHINE_MODEL_SEED"].flatMap { UInt64($0) } ?? 1
    /// Steps of one conversation.
    private static let steps = 40

    private static func shape(_ number: UInt64) -> MachineModel.Shape {
        var random = SeededRandom(seed: number)
        return MachineModel.Shape(
            servers: Int.random(in: 1...3, using: &random),
            serverMax: [1, 2, 1000].randomElement(using: &random) ?? 1,
            poolMax: [2, 1000].randomElement(using: &random) ?? 2,
            sharesUnnamed: random.chance(70),
            recentMax: [0, 2, 32].randomElement(using: &random) ?? 0,
            hashes: [0, 1, 3].randomElement(using: &random) ?? 0
        )
    }

    private struct Conversation {
        var shape: MachineModel.Shape
        var steps: [ModelStep] = []
        var falsehood: String?
        var tally = MachineModel.Tally()

        var messages: Int { self.steps.reduce(0) { $0 + $1.talks.count } }
    }

    /// Draws a conversation and has it.
    private func draw(_ number: UInt64) -> Conversation {
        let shape = Self.shape(number)
        let model = MachineModel(shape)
        var source = TalkSource(seed: number)
        var conversation = Conversation(shape: shape)
        while conversation.steps.count < Self.steps, model.falsehood == nil {
            let step = source.step(clients: 2 * shape.servers) { model.client($0).direct }
            conversation.steps.append(step)
            model.run(step)
        }
        model.finish()
        conversation.falsehood = model.falsehood
        conversation.tally = model.tally
        return conversation
    }

    private func falsehood(_ conversation: Conversation) -> String? {
        let model = MachineModel(conversation.shape)
        for step in conversation.steps where model.falsehood == nil { model.run(step) }
        model.finish()
        return model.falsehood
    }

    /// Leaves out what the difference does not need.
    private func shortened(_ conversation: Conversation) -> Conversation {
        var best = conversation
        var hasChanged = true
        func attempt(_ change: (inout Conversation) -> Void) -> Bool {
            var candidate = best
            change(&candidate)
            guard let falsehood = self.falsehood(candidate) else { return false }
            candidate.falsehood = falsehood
            best = candidate
            hasChanged = true
            return true
        }
        while hasChanged {
            hasChanged = false
            for index in best.steps.indices.reversed() where index < best.steps.count {
                if attempt({ $0.steps.remove(at: index) }) { continue }
                for talk in best.steps[index].talks.indices.reversed() {
                    _ = attempt { $0.steps[index].talks.remove(at: talk) }
                }
            }
        }
        return best
    }

    @Test func clientsSeeNoDifference() {
        var tally = MachineModel.Tally()
        var number = Self.seed < 1_000_000 ? Self.seed * 1_000_000 : Self.seed - 1
        while tally.messages < Self.messages {
            number += 1
            let conversation = self.draw(number)
            tally += conversation.tally
            guard conversation.falsehood != nil else { continue }
            let short = self.shortened(conversation)
            let steps = short.steps.map { "    \($0)" }.joined(separator: "\n")
            let found = "\(number), after \(tally.messages) messages: \(conversation.falsehood ?? "")"
            Issue.record("\(found)\n\(short.shape): \(short.falsehood ?? "")\n\(steps)")
            return
        }
        self.checkCoverage(tally)
    }

    /// The test says something only where what it is about has happened often.
    private func checkCoverage(_ tally: MachineModel.Tally) {
        let few = tally.messages / 200
        for count in [tally.injected, tally.dropped, tally.holds, tally.turns, tally.errors, tally.substituted] {
            #expect(count > few)
        }
        for count in [tally.hits, tally.misses, tally.evictions] { #expect(count > few) }
    }
}
