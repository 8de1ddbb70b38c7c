import AuthProviders
import Dispatch
import Sessions
import Synchronization
import Testing

@testable import Gateway

/// Costly keys of SCRAM: computed once for all who wait for them, and for nobody who has left.
struct KeyDerivationsTests {
    /// What happened, in order.
    private final class Notes<Note: Sendable>: Sendable {
        private let notes = Mutex<[Note]>([])

        var all: [Note] { self.notes.withLock { $0 } }

        func add(_ note: Note) { self.notes.withLock { $0.append(note) } }

        func reach(_ count: Int) async { while self.all.count < count { await Task.yield() } }
    }

    private let lanes = AuthLanes(AuthLanes.Limits(threads: 1, queueMax: 8, timeout: .seconds(600)))
    private let derivations: KeyDerivations
    /// The derivations that a thread got to.
    private let begun = Notes<String>()

    init() { self.derivations = KeyDerivations(on: self.lanes) }

    private func derivation(_ password: String, rounds: Int = 2) -> SCRAMDerivation {
        SCRAMDerivation(password: SecretBytes(password), salt: [1, 2, 3, 4], iterations: rounds)
    }

    /// - Parameter gate: what its computation waits for on its thread.
    private func begin(
        _ password: String,
        rounds: Int = 2,
        told: Notes<SCRAMKeys?>,
        behind gate: DispatchSemaphore? = nil
    ) -> KeyDerivations.Ticket {
        let begun = self.begun
        return self.derivations.begin(self.derivation(password, rounds: rounds)) {
            begun.add(password)
            gate?.wait()
            return nil
        } then: { answer in
            told.add(try? answer.get())
        }
    }

    /// Keeps the only thread of the lane busy until `gate` opens.
    private func occupy(until gate: DispatchSemaphore) async {
        _ = self.begin("in front", told: Notes<SCRAMKeys?>(), behind: gate)
        await self.begun.reach(1)
    }

    private func reachQueue(of count: Int) async {
        while self.lanes.load(of: KeyDerivations.laneName).queued != count { await Task.yield() }
    }

    @Test func whatManyAskForIsComputedOnce() async {
        let (gate, told) = (DispatchSemaphore(value: 0), Notes<SCRAMKeys?>())
        await self.occupy(until: gate)
        for _ in 0..<5 { _ = self.begin("secret", told: told) }
        _ = self.begin("another", told: told)
        _ = self.begin("secret", rounds: 3, told: told)
        await self.reachQueue(of: 3)
        gate.signal()
        await told.reach(7)
        #expect(self.begun.all.sorted() == ["another", "in front", "secret", "secret"])
        let secret = self.derivation("secret").keys
        let another = self.derivation("another").keys
        let longer = self.derivation("secret", rounds: 3).keys
        let counts = [secret, another, longer].map { keys in told.all.count { $0 == keys } }
        #expect(counts == [5, 1, 1])
    }

    @Test func whatNobodyWaitsForIsNotComputed() async {
        let gate = DispatchSemaphore(value: 0)
        let (left, stayed) = (Notes<SCRAMKeys?>(), Notes<SCRAMKeys?>())
        await self.occupy(until: gate)
        let tickets = (0..<2).map { _ in self.begin("given up", told: left) }
        await self.reachQueue(of: 1)
        for ticket in tickets { ticket.giveUp() }
        await self.reachQueue(of: 0)
        _ = self.begin("wanted", told: stayed)
        gate.signal()
        await stayed.reach(1)
        #expect(self.begun.all == ["in front", "wanted"])
        #expect(left.all.isEmpty)
    }

    @Test func whoLeavesTakesNothingFromTheOthers() async {
        let gate = DispatchSemaphore(value: 0)
        let (left, stayed) = (Notes<SCRAMKeys?>(), Notes<SCRAMKeys?>())
        await self.occupy(until: gate)
        let first = self.begin("secret", told: left)
        _ = self.begin("secret", told: stayed)
        await self.reachQueue(of: 1)
        first.giveUp()
        first.giveUp()
        gate.signal()
        await stayed.reach(1)
        let expected: [SCRAMKeys?] = [self.derivation("secret").keys]
        #expect(stayed.all == expected)
        #expect(left.all.isEmpty)
    }

    /// An opening that ran out of time is tried again, and asks for the same.
    @Test func whatHasBegunIsThereForWhoeverComesNext() async {
        let gate = DispatchSemaphore(value: 0)
        let (left, came) = (Notes<SCRAMKeys?>(), Notes<SCRAMKeys?>())
        let first = self.begin("secret", told: left, behind: gate)
        await self.begun.reach(1)
        first.giveUp()
        _ = self.begin("secret", told: came)
        gate.signal()
        await came.reach(1)
        let expected: [SCRAMKeys?] = [self.derivation("secret").keys]
        #expect(came.all == expected)
        #expect(self.begun.all == ["secret"] && left.all.isEmpty)
    }

    @Test func whatCameTooLateIsThereForTheNextAttempt() async {
        let gate = DispatchSemaphore(value: 0)
        let (left, came) = (Notes<SCRAMKeys?>(), Notes<SCRAMKeys?>())
        let first = self.begin("secret", told: left, behind: gate)
        await self.begun.reach(1)
        first.giveUp()
        gate.signal()
        while self.derivations.spareCount < 1 { await Task.yield() }
        let second = self.begin("secret", told: came)
        await came.reach(1)
        second.giveUp()
        let expected: [SCRAMKeys?] = [self.derivation("secret").keys]
        #expect(came.all == expected)
        #expect(self.begun.all == ["secret"] && left.all.isEmpty)
        #expect(self.derivations.spareCount == 0, "once: whoever has logged in knows them")
    }

    @Test func keysThatAreKnownByThenSpareTheWork() async throws {
        let told = Notes<SCRAMKeys?>()
        let known = try #require(
            SCRAMKeys(
                clientKey: SecretBytes([UInt8](repeating: 7, count: 32)),
                serverKey: nil,
                salt: [1, 2, 3, 4],
                iterations: 2
            )
        )
        for rounds in [2, 3] {
            let derivation = self.derivation("secret", rounds: rounds)
            _ = self.derivations.begin(derivation, unless: { known }, then: { told.add(try? $0.get()) })
            await told.reach(rounds - 1)
        }
        let expected: [SCRAMKeys?] = [known, self.derivation("secret", rounds: 3).keys]
        #expect(told.all == expected)
    }
}
