import HBA
import Synchronization
import Testing

@testable import Gateway

/// What `samehost` and `samenet` are decided by.
struct OwnAddressesTests {
    /// Gives one answer after the other, and the last one for ever.
    private final class System: Sendable {
        private let answers: Mutex<[HBAFacts.Answer<[HBAInterface]>]>
        private let count = Mutex(0)

        init(_ answers: [HBAFacts.Answer<[HBAInterface]>]) { self.answers = Mutex(answers) }

        var asked: Int { self.count.withLock { $0 } }

        func ask() -> HBAFacts.Answer<[HBAInterface]> {
            self.count.withLock { $0 += 1 }
            return self.answers.withLock { answers in
                answers.count > 1 ? answers.removeFirst() : answers.first ?? .notAsked
            }
        }
    }

    private static func word(_ answer: HBAFacts.Answer<[HBAInterface]>) -> String {
        switch answer {
        case .notAsked: "not asked"
        case .known(let interfaces): "\(interfaces.count)"
        case .unavailable(let reason): reason
        }
    }

    @Test func aFailureIsNotRemembered() throws {
        let address = try #require(IPAddress("10.0.0.1"))
        let interface = try #require(HBAInterface(address: address, prefixLength: 8))
        let system = System([.unavailable("down"), .unavailable("still down"), .known([interface])])
        let addresses = OwnAddresses(asking: { system.ask() })
        #expect(Self.word(addresses.answer(now: 1)) == "down")
        #expect(Self.word(addresses.answer(now: 1)) == "still down")
        #expect(Self.word(addresses.answer(now: 1)) == "1")
        #expect(Self.word(addresses.answer(now: OwnAddresses.lifetime)) == "1")
        #expect(system.asked == 3, "what is known is remembered")
        #expect(Self.word(addresses.answer(now: OwnAddresses.lifetime + 1)) == "1")
        #expect(system.asked == 4)
    }

    /// Old addresses do not outlive a failure: a rule could be skipped by them.
    @Test func aFailureReplacesWhatWasKnown() {
        let system = System([.known([]), .unavailable("down")])
        let addresses = OwnAddresses(asking: { system.ask() })
        #expect(Self.word(addresses.answer(now: 1)) == "0")
        #expect(Self.word(addresses.answer(now: OwnAddresses.lifetime + 1)) == "down")
    }

    @Test func thisMachineHasAddresses() {
        guard case .known = PolicyFiles.interfaces() else {
            Issue.record("the system does not tell")
            return
        }
    }
}
