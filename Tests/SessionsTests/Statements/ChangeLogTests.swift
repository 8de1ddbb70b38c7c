@testable import Sessions
import Testing

/// The log of changes against a plain list of them.
@Suite struct ChangeLogTests {
    private struct Mismatch: Error {}

    /// A log and the list it has to agree with, with batches and messages as a client's come.
    private final class Model {
        var log = ChangeLog()
        var list: [StatementChange] = []
        var batch = 0
        var sequence = 0

        static let subjects: [StatementChange.Subject] = {
            var subjects: [StatementChange.Subject] = [.unnamed, .serverUnnamed, .unwanted(1)]
            for name in UInt8(0)..<12 { subjects.append(.name([name])) }
            for id in StatementID(1)..<8 { subjects.append(.prepared(id)) }
            return subjects
        }()

        func append(_ subject: StatementChange.Subject) {
            let change = StatementChange(
                sequence: self.sequence,
                batch: self.batch,
                subject: subject,
                before: .isPrepared(false)
            )
            self.log.append(change)
            self.list.append(change)
        }

        func check() {
            #expect(self.log.map(\.sequence) == self.list.map(\.sequence))
            #expect(self.log.map(\.subject) == self.list.map(\.subject))
            #expect(self.log.firstBatch == self.list.first?.batch)
            for subject in Self.subjects {
                let found = self.log.batches(of: subject, open: self.batch)
                let same = self.list.filter { $0.subject == subject }
                let areEarlier = same.contains { $0.batch < self.batch }
                let isOpen = same.contains { $0.batch == self.batch }
                #expect(found.areEarlier == areEarlier)
                #expect(found.isOpen == isOpen)
            }
        }

        /// The message `failed` of the batch and all behind it are skipped.
        func takeBack(_ failed: Int, batch: Int) throws {
            let range = self.log.range(of: batch, from: failed)
            let skipped = self.list.filter { $0.batch == batch && $0.sequence >= failed }
            let sequences = range.map { self.log[$0].sequence }
            try #require(sequences == skipped.map(\.sequence))
            for subject in Self.subjects {
                let next = self.log.first(of: subject, from: range.upperBound, behind: batch)
                let later = self.list.first { $0.batch > batch && $0.subject == subject }
                let found = next.map { self.log[$0].sequence }
                #expect(found == later?.sequence)
            }
            self.log.remove(range)
            self.list.removeAll { $0.batch == batch && $0.sequence >= failed }
        }
    }

    @Test(arguments: UInt64(0)..<12) func itAgreesWithAList(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        let model = Model()
        // Short and long ones.
        let growth = Int.random(in: 30...80, using: &random)
        for _ in 0..<400 {
            model.sequence += 1
            if random.chance(growth) {
                for _ in 0..<Int.random(in: 1...3, using: &random) {
                    model.append(Model.subjects[Int.random(in: 0..<Model.subjects.count, using: &random)])
                }
            }
            if random.chance(30) { model.batch += 1 }
            guard let oldest = model.list.first else { continue }
            switch Int.random(in: 0..<20, using: &random) {
            case 0:
                model.log.removeAll(before: oldest.batch + 1)
                model.list.removeAll { $0.batch <= oldest.batch }
            case 1:
                let failed = Int.random(in: oldest.sequence...model.sequence, using: &random)
                try model.takeBack(failed, batch: oldest.batch)
            case 2:
                let answered = Int.random(in: oldest.sequence...(oldest.sequence + 5), using: &random)
                model.log.removeAll(beforeSequence: answered)
                model.list.removeAll { $0.sequence < answered }
            case 3 where random.chance(5):
                model.log.removeAll()
                model.list = []
            case 4...6: model.check()
            default: break
            }
        }
        model.check()
    }

    /// A failure in the oldest of many batches moves what stands of it, and nothing behind it.
    @Test func aFailureLeavesTheOthersInTheirPlaces() throws {
        let model = Model()
        for batch in 0..<50 {
            model.batch = batch
            for name in UInt8(0)..<10 {
                model.sequence += 1
                model.append(.name([name]))
            }
        }
        model.check()
        try model.takeBack(8, batch: 0)
        model.check()
        try model.takeBack(1, batch: 0)
        model.check()
        try model.takeBack(11, batch: 1)
        model.check()
    }

    @Test func whatIsBeforeIsSet() throws {
        let model = Model()
        model.append(.unnamed)
        model.batch = 1
        model.append(.unnamed)
        let next = model.log.first(of: .unnamed, from: 1, behind: 0)
        try #require(next == 1)
        model.log.setBefore(.isPrepared(true), at: 1)
        guard case .isPrepared(true) = model.log[1].before else { throw Mismatch() }
        guard case .isPrepared(false) = model.log[0].before else { throw Mismatch() }
    }
}
