import PGWire
import Reactor
import Testing

@testable import Gateway

/// What is known of the names of servers; times in seconds.
@Suite struct HostAnswersTests {
    /// Who waits is known by a number.
    private struct Names {
        private var answers = HostAnswers<Int>()

        /// The addresses, or "wait"; a star where a look-up begins.
        mutating func ask(_ name: ExactName = "db", at second: Int64, waiter: Int = 0) -> String {
            let (known, begins) = self.answers.ask(name, now: second * 1_000_000, waiter: waiter)
            return (known.isEmpty ? "wait" : HostAnswersTests.text(known)) + (begins ? "*" : "")
        }

        mutating func lastKnown(_ name: ExactName = "db", at second: Int64) -> String {
            let (known, isNews) = self.answers.lastKnown(name, now: second * 1_000_000)
            return HostAnswersTests.text(known) + (isNews ? "!" : "")
        }

        mutating func follow(_ name: ExactName = "db", at second: Int64) -> Bool {
            self.answers.follow(name, now: second * 1_000_000)
        }

        /// The name is found to lead there, and whether that is elsewhere.
        mutating func moves(to addresses: Int..., at second: Int64) -> Bool {
            _ = self.answers.follow("db", now: second * 1_000_000)
            _ = self.ended(HostAnswersTests.found(addresses), from: second, to: second)
            return self.answers.takeMoved() == ["db"]
        }

        /// The last numbers of the addresses that the name has no more.
        var left: String {
            let hosts = (self.answers.left["db"] ?? []).compactMap { $0.split(separator: ":").first }
            return hosts.compactMap { $0.split(separator: ".").last }.sorted().joined(separator: " ")
        }

        mutating func forget() { self.answers.forget() }

        /// Who is told what; an exclamation mark where last known addresses are used from now on.
        mutating func ended(
            _ resolution: SocketAddress.Resolution,
            of name: ExactName = "db",
            from began: Int64,
            to second: Int64
        ) -> String {
            let (told, isNews) = self.answers.ended(
                name, resolution, began: began * 1_000_000, now: second * 1_000_000
            )
            let texts = told.map { waiter, outcome in
                switch outcome {
                case .success(let addresses): "\(waiter): \(HostAnswersTests.text(addresses))"
                case .failure(let failure): "\(waiter): \(failure.reason)"
                }
            }
            return texts.joined(separator: ", ") + (isNews ? "!" : "")
        }
    }

    private static let outage = SocketAddress.Resolution.unavailable("outage")

    /// The last numbers of addresses.
    private static func text(_ addresses: [SocketAddress]) -> String {
        addresses.map { "\($0.addressBytes.last ?? 0)" }.joined(separator: " ")
    }

    private static func found(_ last: Int...) -> SocketAddress.Resolution { self.found(last) }

    private static func found(_ last: [Int]) -> SocketAddress.Resolution {
        .found(last.compactMap { SocketAddress(numericHost: "192.0.2.\($0)", port: 5432) })
    }

    /// A name that was looked up at 100.
    private static func known() -> Names {
        var names = Names()
        _ = names.ask(at: 100)
        _ = names.ended(Self.found(1), from: 100, to: 100)
        return names
    }

    @Test func anAnswerIsUsedForAWhile() {
        var names = Names()
        #expect(names.ask(at: 100, waiter: 1) == "wait*")
        #expect(names.ask(at: 101, waiter: 2) == "wait")
        #expect(names.ended(Self.found(1, 2), from: 100, to: 102) == "1: 1 2, 2: 2 1")
        #expect(names.ask(at: 116) == "1 2")
        #expect(names.ask(at: 118, waiter: 3) == "wait*")
        #expect(names.ended(Self.found(3), from: 118, to: 118) == "3: 3")
    }

    /// Nobody waits for what will not come; that it has come is seen all the same.
    @Test func anOutage() {
        var names = Self.known()
        #expect(names.ask(at: 120, waiter: 1) == "wait*")
        #expect(names.ended(Self.outage, from: 120, to: 121) == "1: 1!")
        #expect(names.ask(at: 135) == "1")
        for second: Int64 in [140, 160] {
            #expect(names.ask(at: second) == "1*")
            #expect(names.ask(at: second + 1) == "1")
            #expect(names.ended(Self.outage, from: second, to: second + 2) == "")
        }
        #expect(names.ask(at: 180) == "1*")
        #expect(names.ended(Self.found(2), from: 180, to: 181) == "")
        #expect(names.ask(at: 182) == "2")
        #expect(names.ask(at: 200, waiter: 2) == "wait*")
        #expect(names.ended(Self.outage, from: 200, to: 201) == "2: 2!", "another outage")
    }

    @Test func anOutageOfMoreThanAnHour() {
        var names = Self.known()
        #expect(names.lastKnown(at: 3699) == "1!")
        #expect(names.lastKnown(at: 3700) == "")
        #expect(names.ask(at: 3700, waiter: 1) == "wait*")
        #expect(names.ended(Self.outage, from: 3700, to: 3701) == "1: outage")
    }

    /// That it does not exist is an answer.
    @Test func aNameThatIsGone() {
        var names = Self.known()
        #expect(names.ask(at: 120, waiter: 1) == "wait*")
        #expect(names.ended(.failed("unknown"), from: 120, to: 121) == "1: unknown")
        #expect(names.lastKnown(at: 122) == "")
        #expect(names.ask(at: 122) == "wait*")
    }

    @Test func whoHasWaitedLongEnough() {
        var names = Self.known()
        #expect(names.lastKnown("other", at: 101) == "")
        #expect(names.ask(at: 120, waiter: 1) == "wait*")
        #expect(names.lastKnown(at: 121) == "1!")
        #expect(names.lastKnown(at: 121) == "1")
        #expect(names.ask(at: 122) == "1", "nor do others wait")
        #expect(names.ended(Self.found(2), from: 120, to: 123) == "1: 2")
        #expect(names.ask(at: 124) == "2")
    }

    @Test func namesAreFollowed() {
        var names = Names()
        #expect(names.follow(at: 100) == true)
        #expect(names.follow(at: 101) == false, "it is being looked up")
        #expect(names.ended(Self.found(1, 2), from: 100, to: 102) == "")
        #expect(names.follow(at: 116) == false, "it is known")
        #expect(names.ask(at: 116) == "1 2")
        #expect(names.follow(at: 117) == true)
        #expect(names.ask(at: 118, waiter: 1) == "wait")
        #expect(names.ended(Self.outage, from: 117, to: 119) == "1: 2 1!")
    }

    @Test func aNameLeadsElsewhere() {
        var names = Names()
        #expect(names.moves(to: 1, 2, at: 100) == false)
        #expect(names.moves(to: 2, 3, at: 120) == false, "one has stayed")
        #expect(names.moves(to: 3, at: 140) == false)
        #expect(names.left == "")
        #expect(names.moves(to: 4, 5, at: 160) == true)
        #expect(names.left == "1 2 3")
        #expect(names.moves(to: 5, at: 180) == false)
        #expect(names.left == "1 2 3", "4 may come back")
        #expect(names.moves(to: 6, at: 200) == true)
        #expect(names.left == "1 2 3 4 5")
    }

    /// Resolvers without a common cache: what is opened at the old address meanwhile is left some minutes later.
    @Test func anOldAnswerAfterAMove() {
        var names = Names()
        #expect(names.moves(to: 1, at: 100) == false)
        #expect(names.moves(to: 2, at: 120) == true)
        #expect(names.left == "1")
        #expect(names.moves(to: 1, at: 135) == false)
        #expect(names.left == "")
        for second in stride(from: Int64(155), to: 435, by: 20) {
            #expect(names.moves(to: 2, at: second) == false)
            #expect(names.left == "")
        }
        #expect(names.moves(to: 2, at: 435) == false)
        #expect(names.left == "1")
        for second in stride(from: Int64(455), to: 735, by: 20) { _ = names.moves(to: 2, at: second) }
        #expect(names.left == "1")
        _ = names.moves(to: 2, at: 735)
        #expect(names.left == "", "nobody is there any more")
    }

    /// That there was no answer says nothing about the addresses.
    @Test func whatWasThereBeforeALongOutage() {
        var names = Names()
        _ = names.moves(to: 1, at: 100)
        _ = names.moves(to: 1, 2, at: 120)
        #expect(names.moves(to: 2, at: 1200) == false)
        #expect(names.left == "")
        for second in stride(from: Int64(1220), to: 1500, by: 20) { _ = names.moves(to: 2, at: second) }
        #expect(names.left == "")
        #expect(names.moves(to: 3, at: 3000) == true)
        #expect(names.left == "1 2")
    }

    /// A name of several servers may be given one of them at a time.
    @Test func aNameThatIsGivenItsServersByTurns() {
        var names = Names()
        #expect(names.moves(to: 1, at: 100) == false)
        #expect(names.moves(to: 2, at: 120) == true, "as if the server had moved, once")
        for second in stride(from: Int64(140), to: 1000, by: 40) {
            #expect(names.moves(to: 1, at: second) == false)
            #expect(names.moves(to: 2, at: second + 20) == false)
            #expect(names.left == "")
        }
    }

    /// Each of them for long: only the first times look as if the server had moved.
    @Test func aNameThatHasLongTurns() {
        var names = Names()
        var moves: [Int64] = []
        func turn(to address: Int, from start: Int64) {
            for second in stride(from: start, to: start + 400, by: 20) where names.moves(to: address, at: second) {
                moves.append(second)
            }
        }
        for round: Int64 in 0..<6 { turn(to: round % 2 == 0 ? 1 : 2, from: 1000 + 400 * round) }
        #expect(moves == [1400, 1800])
        #expect(names.left == "1", "what has gone for so long is left all the same")
        for second in stride(from: Int64(3400), to: 7000, by: 20) { _ = names.moves(to: 2, at: second) }
        #expect(names.moves(to: 1, at: 7000) == true, "it was quiet for an hour")
    }

    /// One address of four at a time, by chance.
    @Test func aNameThatIsGivenItsServersByChance() {
        var names = Names()
        let picks = [1, 2, 3, 4, 2, 1, 1, 4, 3, 3, 1, 2, 4]
        var moves = 0
        for step in 0..<60 where names.moves(to: picks[step % picks.count], at: Int64(100 + step * 20)) { moves += 1 }
        #expect(moves == 2)
        #expect(names.left == "")
    }

    /// Where it led is not forgotten with it.
    @Test func aNameThatWasGoneForAWhile() {
        var names = Names()
        #expect(names.moves(to: 1, at: 100) == false)
        _ = names.follow(at: 120)
        _ = names.ended(.failed("unknown"), from: 120, to: 120)
        #expect(names.moves(to: 2, at: 140) == true)
    }

    @Test func forgetting() {
        var names = Self.known()
        #expect(names.ask(at: 101) == "1")
        names.forget()
        #expect(names.ask(at: 102, waiter: 1) == "wait*")
        #expect(names.ended(Self.outage, from: 102, to: 103) == "1: 1!")
        names.forget()
        #expect(names.ask(at: 104, waiter: 2) == "wait*")
        #expect(names.ended(Self.found(2), from: 104, to: 105) == "2: 2")
    }

    /// A look-up may hang for longer than the outage: others are begun beside it, but not many.
    @Test func aLookUpThatHangs() {
        var names = Names()
        #expect(names.ask(at: 100, waiter: 1) == "wait*")
        #expect(names.ask(at: 105, waiter: 2) == "wait")
        #expect(names.ask(at: 106, waiter: 3) == "wait*")
        #expect(names.ask(at: 111, waiter: 4) == "wait")
        #expect(names.ask(at: 112, waiter: 5) == "wait*")
        #expect(names.ask(at: 200, waiter: 6) == "wait")
        #expect(names.ended(Self.outage, from: 100, to: 201) == "", "others are under way")
        #expect(names.ended(Self.found(2), from: 112, to: 202) == "1: 2, 2: 2, 3: 2, 4: 2, 5: 2, 6: 2")
        #expect(names.ended(Self.found(1), from: 106, to: 203) == "", "what was asked earlier is not newer")
        #expect(names.ask(at: 204) == "2")
        #expect(names.ask(at: 220, waiter: 7) == "wait*")
    }

    /// Each has a thread.
    @Test func manyLookUpsThatHang() {
        var names = Names()
        let all = (0..<20).map { ExactName("host \($0)") }
        func begun(at second: Int64) -> Int { all.count { names.ask($0, at: second).hasSuffix("*") } }
        #expect(begun(at: 100) == 20)
        #expect(begun(at: 110) == 8)
        #expect(begun(at: 120) == 0)
        #expect(names.ended(Self.outage, of: all[0], from: 100, to: 130) == "")
        #expect(begun(at: 131) == 1)
        #expect(names.ask("another", at: 131) == "wait*")
    }
}
