import Reactor
import Testing

@testable import Gateway

@Suite("Whether clients come for a moment only")
struct BriefVisitsTests {
    private struct Scene {
        var visits = BriefVisits()
        var now: MonotonicMicroseconds = 1_000_000

        var areTheRule: Bool { self.visits.areTheRule(at: self.now) }

        mutating func leave(
            after duration: MonotonicMicroseconds = 2000,
            isSecured: Bool = false,
            apart: MonotonicMicroseconds = 500
        ) {
            self.now += apart
            self.visits.noteDeparture(after: duration, isSecured: isSecured, at: self.now)
        }

        mutating func visit(_ count: Int, together: Int = 1, apart: MonotonicMicroseconds = 500) {
            for _ in 0..<count {
                for _ in 0..<together { self.visits.noteArrival() }
                for _ in 0..<together { self.leave(apart: apart) }
            }
        }
    }

    @Test("a few are not the rule, many are", arguments: [(0, false), (3, false), (8, true), (800, true)])
    func succession(count: Int, expected: Bool) {
        var scene = Scene()
        scene.visit(count)
        #expect(scene.areTheRule == expected)
    }

    @Test("several at once are no less the rule", arguments: 1...5)
    func together(count: Int) {
        var scene = Scene()
        scene.visit(20, together: count)
        for _ in 0..<count {
            #expect(scene.areTheRule)
            scene.visits.noteArrival()
        }
    }

    @Test("they are forgotten when none has come for a while")
    func pause() {
        var scene = Scene()
        scene.visit(20)
        #expect(scene.visits.areTheRule(at: scene.now + BriefVisits.pause - 1))
        #expect(!scene.visits.areTheRule(at: scene.now + BriefVisits.pause))
        scene.leave(apart: BriefVisits.pause)
        #expect(!scene.areTheRule)
    }

    @Test("those far apart do not add up")
    func apart() {
        var scene = Scene()
        scene.visit(100, apart: BriefVisits.pause)
        #expect(!scene.areTheRule)
    }

    @Test("those who come and stay end the rule, however many have left before")
    func staying() {
        var scene = Scene()
        for _ in 0..<1000 { scene.leave() }
        for _ in 0..<4 { scene.visits.noteArrival() }
        #expect(scene.areTheRule)
        scene.visits.noteArrival()
        #expect(!scene.areTheRule)
    }

    @Test("a client that stayed, or whose handshake cost much, ends the rule")
    func others() {
        for (duration, isSecured) in [(BriefVisits.longest, false), (2000, true)] {
            var scene = Scene()
            scene.visit(20)
            scene.leave(after: duration, isSecured: isSecured)
            #expect(!scene.areTheRule)
            for _ in 0..<4 { scene.leave(after: BriefVisits.longest - 1) }
            #expect(scene.areTheRule)
        }
    }

    @Test("who has been here for many times as long as the others is none of them")
    func longest() {
        var scene = Scene()
        for _ in 0..<100 { scene.leave(after: 4000) }
        #expect((40_000...42_000).contains(scene.visits.usualLongest))
        for _ in 0..<100 { scene.leave(after: 900_000) }
        #expect(scene.visits.usualLongest == BriefVisits.longest)
    }
}
