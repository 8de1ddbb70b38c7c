import Testing

@testable import AuthProviders

/// Which connection runs what.
@Suite struct AuthQueryDispatcherTests {
    private typealias Dispatcher = AuthQueryDispatcher<Int>
    private static let second: Int64 = 1_000_000

    private static func dispatcher(connections: Int = 2) -> Dispatcher {
        Dispatcher(limits: Dispatcher.Limits(connections: connections, timeout: 5 * Self.second))
    }

    private static func text(_ actions: [Dispatcher.Action]) -> String {
        actions.map { action in
            switch action {
            case .open(let id): "open \(id)"
            case .run(let request, let id, _): "run \(request) on \(id)"
            case .fail(let request, _): "fail \(request)"
            case .close(let id): "close \(id)"
            }
        }.joined(separator: ", ")
    }

    @Test func connectionsAreOpenedWhenNeededAndKept() {
        var machine = Self.dispatcher()
        #expect(Self.text(machine.submit(1, now: 0)) == "open 1")
        #expect(Self.text(machine.opened(1, now: 1)) == "run 1 on 1")
        #expect(Self.text(machine.submit(2, now: 2)) == "open 2")
        #expect(Self.text(machine.submit(3, now: 2)) == "")
        let (request, actions) = machine.answered(1, now: 3)
        #expect(request == 1 && Self.text(actions) == "run 2 on 1")
        #expect(Self.text(machine.opened(2, now: 3)) == "run 3 on 2")
        #expect(Self.text(machine.answered(2, now: 4).actions) == "")
        #expect(Self.text(machine.submit(4, now: 5)) == "run 4 on 2")
        #expect(machine.connectionCount == 2)
    }

    @Test func aRequestIsGivenToAnotherConnectionOnce() {
        var machine = Self.dispatcher()
        _ = machine.submit(1, now: 0)
        _ = machine.opened(1, now: 0)
        #expect(Self.text(machine.lost(1, now: 1, reason: "gone")) == "open 2")
        #expect(Self.text(machine.opened(2, now: 2)) == "run 1 on 2")
        #expect(Self.text(machine.lost(2, now: 3, reason: "gone")) == "fail 1")
        #expect(machine.answered(2, now: 4).request == nil)
    }

    @Test func anIdleConnectionTakesOver() {
        var machine = Self.dispatcher()
        _ = machine.submit(1, now: 0)
        _ = machine.submit(2, now: 0)
        _ = machine.opened(1, now: 0)
        _ = machine.opened(2, now: 0)
        _ = machine.answered(2, now: 0)
        #expect(Self.text(machine.lost(1, now: 1, reason: "gone")) == "run 1 on 2")
    }

    @Test func aTimeoutIsNotRetried() {
        var machine = Self.dispatcher()
        _ = machine.submit(1, now: 0)
        _ = machine.opened(1, now: 0)
        #expect(Self.text(machine.lost(1, now: 1, reason: "late", mayRetry: false)) == "fail 1")
    }

    /// So many connections that have been opened, and are idle since second 0; doubted after 5 s.
    private static func idleDispatcher(connections: Int) -> Dispatcher {
        var machine = Self.dispatcher(connections: connections)
        machine.ageing.doubtAfter = 5 * Self.second
        for request in 1...connections { _ = machine.submit(-request, now: 0) }
        for id in 1...connections { _ = machine.opened(UInt64(id), now: 0) }
        for id in 1...connections { _ = machine.answered(UInt64(id), now: 0) }
        return machine
    }

    private static func deadline(_ actions: [Dispatcher.Action]) -> Int64? {
        guard case .run(_, _, let deadline)? = actions.first else { return nil }
        return deadline
    }

    /// When requests begin that find connections idle for 6 s.
    private static let began = 6 * Self.second
    private static let half = Self.began + 5 * Self.second / 2
    private static let end = Self.began + 5 * Self.second

    /// The way to the server is gone without a word.
    @Test func whatFellSilentWhileIdleCostsHalfTheTimeOnce() {
        var machine = Self.idleDispatcher(connections: 3)
        let actions = machine.submit(1, now: Self.began)
        #expect(Self.text(actions) == "run 1 on 3")
        #expect(Self.deadline(actions) == Self.end)
        #expect(machine.nextDeadline == Self.half)
        #expect(Self.text(machine.expire(now: Self.half - 1)) == "")
        #expect(Self.text(machine.expire(now: Self.half)) == "close 1, close 2, open 4")
        let again = machine.opened(4, now: Self.half)
        #expect(Self.text(again) == "run 1 on 4")
        #expect(Self.deadline(again) == Self.end)
        #expect(machine.nextDeadline == nil, "what is slow is not looked at again")
        let (request, closing) = machine.answered(4, now: Self.half)
        #expect(request == 1 && Self.text(closing) == "close 3")
        #expect(machine.answered(3, now: Self.half).request == nil)
        #expect(Self.text(machine.lost(3, now: Self.half, reason: "gone")) == "")
        #expect(machine.connectionCount == 1)
    }

    /// The lookup takes more than half the time: it is answered all the same, by whoever is first.
    @Test(arguments: ["opening", "running", "lost"])
    func whatIsSlowMayStillAnswer(second: String) {
        var machine = Self.idleDispatcher(connections: 1)
        #expect(Self.text(machine.submit(1, now: Self.began)) == "run 1 on 1")
        #expect(Self.text(machine.expire(now: Self.half)) == "open 2", "the slow one does not count")
        #expect(machine.connectionCount == 2)
        if second != "opening" { #expect(Self.text(machine.opened(2, now: Self.half)) == "run 1 on 2") }
        if second == "lost" { #expect(Self.text(machine.lost(2, now: Self.half, reason: "gone")) == "") }
        let (request, actions) = machine.answered(1, now: Self.end - 1)
        #expect(request == 1)
        // There is room for one: who is there already, or is being opened, or the slow one.
        let closing = ["opening": "close 1", "running": "close 2"]
        #expect(Self.text(actions) == closing[second, default: ""])
        #expect(machine.connectionCount == 1 && machine.waitingCount == 0)
        #expect(Self.text(machine.opened(2, now: Self.end)) == "")
        let next = second == "opening" ? "run 2 on 2" : "run 2 on 1"
        #expect(Self.text(machine.submit(2, now: Self.end)) == next)
    }

    /// Neither answers: one failure, by whoever is last.
    @Test(arguments: [[UInt64(1), 2], [2, 1]])
    func whatIsRunTwiceFailsOnce(order: [UInt64]) {
        var machine = Self.idleDispatcher(connections: 1)
        _ = machine.submit(1, now: Self.began)
        _ = machine.expire(now: Self.half)
        _ = machine.opened(2, now: Self.half)
        #expect(Self.text(machine.lost(order[0], now: Self.end, reason: "late")) == "")
        #expect(Self.text(machine.lost(order[1], now: Self.end, reason: "late")) == "fail 1")
        #expect(machine.connectionCount == 0)
    }

    /// No second connection can be opened: whoever has a slow one waits for it, the others are told at once.
    @Test func whatIsSlowIsWaitedFor() {
        var machine = Self.idleDispatcher(connections: 1)
        _ = machine.submit(1, now: Self.began)
        #expect(Self.text(machine.submit(2, now: Self.began + 1)) == "")
        #expect(Self.text(machine.expire(now: Self.half)) == "open 2")
        let refused = machine.lost(2, now: Self.half, reason: "refused", random: 200)
        #expect(Self.text(refused) == "fail 2")
        #expect(machine.waitingCount == 1 && machine.nextDeadline == Self.half + 100_000)
        #expect(Self.text(machine.expire(now: Self.half + 100_000)) == "open 3")
        #expect(Self.text(machine.stop(reason: "bye")) == "close 3, fail 1, close 1")
    }

    @Test func whatIsSlowEndsWithItsTime() {
        var machine = Self.idleDispatcher(connections: 1)
        _ = machine.submit(1, now: Self.began)
        #expect(Self.text(machine.expire(now: Self.half)) == "open 2")
        #expect(Self.text(machine.expire(now: Self.end)) == "", "it comes back by the slow one")
        #expect(machine.waitingCount == 0)
        #expect(Self.text(machine.lost(1, now: Self.end, reason: "late")) == "fail 1")
        #expect(Self.text(machine.opened(2, now: Self.end)) == "")
    }

    /// Whoever has answered during the trial is there, however long ago that was; and a bad answer is one.
    @Test func onlyWhatWasIdleBeforeTheTrialIsClosed() {
        var machine = Self.idleDispatcher(connections: 3)
        machine.ageing.doubtAfter = Self.second
        _ = machine.submit(1, now: Self.began)
        _ = machine.submit(2, now: Self.began)
        #expect(machine.answered(2, now: Self.began + 1).request == 2)
        #expect(Self.text(machine.expire(now: Self.half)) == "close 1, run 1 on 2")
        var other = Self.idleDispatcher(connections: 2)
        _ = other.submit(1, now: Self.began)
        #expect(Self.text(other.lost(2, now: Self.began, reason: "odd", mayRetry: false)) == "fail 1")
        #expect(other.connectionCount == 1)
    }

    @Test func whatWasUsedLatelyTakesOver() {
        var machine = Self.idleDispatcher(connections: 3)
        #expect(Self.text(machine.submit(1, now: 6 * Self.second)) == "run 1 on 3")
        #expect(Self.text(machine.submit(2, now: 6 * Self.second)) == "run 2 on 2")
        #expect(machine.answered(2, now: 7 * Self.second).request == 2)
        #expect(Self.text(machine.lost(3, now: 8 * Self.second, reason: "gone")) == "close 1, run 1 on 2")
    }

    @Test func whatIsInUseIsNotDoubted() {
        var machine = Self.idleDispatcher(connections: 1)
        let actions = machine.submit(1, now: 5 * Self.second)
        #expect(Self.deadline(actions) == 10 * Self.second)
        #expect(Self.text(machine.lost(1, now: 10 * Self.second, reason: "late")) == "fail 1", "no time is left")
        var other = Self.idleDispatcher(connections: 1)
        other.ageing.doubtAfter = 0
        #expect(Self.deadline(other.submit(1, now: 99 * Self.second)) == 104 * Self.second)
    }

    @Test func whatIsTooOldIsNotUsedAgain() {
        var machine = Self.dispatcher(connections: 1)
        machine.ageing.lifetime = 60 * Self.second
        _ = machine.submit(1, now: 0)
        _ = machine.opened(1, now: 0)
        #expect(Self.text(machine.answered(1, now: 60 * Self.second).actions) == "")
        #expect(Self.text(machine.submit(2, now: 60 * Self.second)) == "run 2 on 1")
        #expect(Self.text(machine.answered(1, now: 60 * Self.second).actions) == "")
        #expect(Self.text(machine.submit(3, now: 61 * Self.second)) == "close 1, open 2")
        #expect(Self.text(machine.opened(2, now: 61 * Self.second)) == "run 3 on 2")
        #expect(Self.text(machine.submit(4, now: 121 * Self.second)) == "")
        let (request, actions) = machine.answered(2, now: 122 * Self.second)
        #expect(request == 3 && Self.text(actions) == "close 2, open 3")
        #expect(Self.text(machine.opened(3, now: 122 * Self.second)) == "run 4 on 3")
    }

    /// The server is down: who has a connection keeps it.
    @Test func whatIsTooOldIsUsedWhileThereIsNothingElse() {
        var machine = Self.dispatcher(connections: 2)
        machine.ageing.lifetime = Self.second
        _ = machine.submit(1, now: 0)
        _ = machine.opened(1, now: 0)
        #expect(Self.text(machine.submit(2, now: 0)) == "open 2")
        #expect(Self.text(machine.answered(1, now: 0).actions) == "run 2 on 1")
        #expect(Self.text(machine.answered(1, now: 0).actions) == "")
        #expect(Self.text(machine.lost(2, now: 2 * Self.second, reason: "refused", random: 200)) == "")
        #expect(Self.text(machine.submit(3, now: 2 * Self.second)) == "run 3 on 1")
        #expect(Self.text(machine.answered(1, now: 3 * Self.second).actions) == "close 1")
    }

    @Test func noConnectionOfBeforeAReconnectIsUsedAgain() {
        var machine = Self.dispatcher(connections: 3)
        for request in 1...3 { _ = machine.submit(request, now: 0) }
        _ = machine.opened(1, now: 0)
        _ = machine.opened(2, now: 0)
        #expect(Self.text(machine.answered(1, now: 0).actions) == "run 3 on 1")
        _ = machine.answered(1, now: 0)
        // One is idle, one is busy, one is being opened.
        #expect(Self.text(machine.reconnect()) == "close 1")
        #expect(Self.text(machine.opened(3, now: 1)) == "close 3")
        #expect(Self.text(machine.submit(4, now: 1)) == "open 4")
        #expect(Self.text(machine.opened(4, now: 2)) == "run 4 on 4")
        #expect(Self.text(machine.answered(4, now: 3).actions) == "")
        let (request, actions) = machine.answered(2, now: 4)
        #expect(request == 2 && Self.text(actions) == "close 2")
        #expect(Self.text(machine.submit(5, now: 5)) == "run 5 on 4")
    }

    /// While the server is down requests fail at once; attempts come at growing intervals.
    @Test func backoff() {
        var machine = Self.dispatcher()
        var now: Int64 = 0
        var delays: [Int64] = []
        for attempt in 1...10 {
            let began = now
            while Self.text(machine.submit(attempt, now: now)) == "fail \(attempt)" { now += 50_000 }
            if attempt > 1 { delays.append(now - began) }
            let lost = machine.lost(UInt64(attempt), now: now, reason: "refused", random: 200)
            #expect(Self.text(lost) == "fail \(attempt)")
        }
        #expect(delays == [100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000].map { Int64($0) * 1000 })
    }

    /// Who came during a rest need not wait for a connection that is busy.
    @Test func theEndOfARestOpensForThoseWhoWait() {
        var machine = Self.dispatcher()
        _ = machine.submit(1, now: 0)
        _ = machine.opened(1, now: 0)
        #expect(Self.text(machine.submit(2, now: 0)) == "open 2")
        #expect(Self.text(machine.lost(2, now: 0, reason: "refused", random: 200)) == "")
        #expect(Self.text(machine.submit(3, now: 10)) == "")
        #expect(machine.nextDeadline == 100_000)
        #expect(Self.text(machine.expire(now: 99_999)) == "")
        #expect(Self.text(machine.expire(now: 100_000)) == "open 3")
        #expect(machine.nextDeadline == 5 * Self.second)
    }

    @Test func recoveryForgetsTheFailures() {
        var machine = Self.dispatcher()
        var now: Int64 = 0
        for attempt in 1...8 {
            _ = machine.submit(attempt, now: now)
            _ = machine.lost(UInt64(attempt), now: now, reason: "refused", random: 400)
            now += 6 * Self.second + Self.second
        }
        #expect(Self.text(machine.submit(9, now: now)) == "open 9")
        #expect(Self.text(machine.opened(9, now: now)) == "run 9 on 9")
        #expect(machine.answered(9, now: now).request == 9)
        #expect(Self.text(machine.lost(9, now: now, reason: "restart")) == "")
        #expect(Self.text(machine.submit(10, now: now)) == "open 10")
    }

    @Test func theQueueIsBoundedInLengthAndTime() {
        var machine = Self.dispatcher(connections: 1)
        #expect(Self.text(machine.submit(0, now: 0)) == "open 1")
        for request in 1..<1024 { #expect(machine.submit(request, now: Int64(request)).isEmpty) }
        #expect(Self.text(machine.submit(9999, now: 2000)) == "fail 9999")
        #expect(machine.nextDeadline == 5 * Self.second)
        #expect(Self.text(machine.expire(now: 5 * Self.second + 1)) == "fail 0, fail 1")
        #expect(machine.waitingCount == 1022)
    }

    @Test func closingWaitsForWhatIsUnderWay() {
        var machine = Self.dispatcher()
        _ = machine.submit(1, now: 0)
        _ = machine.submit(2, now: 0)
        _ = machine.opened(1, now: 0)
        _ = machine.opened(2, now: 0)
        _ = machine.answered(2, now: 0)
        #expect(Self.text(machine.close()) == "close 2")
        #expect(Self.text(machine.submit(3, now: 1)) == "open 3")
        #expect(Self.text(machine.answered(1, now: 2).actions) == "run 3 on 1")
        #expect(Self.text(machine.opened(3, now: 2)) == "close 3")
        #expect(Self.text(machine.answered(1, now: 3).actions) == "close 1")
        #expect(machine.connectionCount == 0)
    }

    @Test func stopping() {
        var machine = Self.dispatcher(connections: 1)
        _ = machine.submit(1, now: 0)
        _ = machine.opened(1, now: 0)
        _ = machine.submit(2, now: 0)
        #expect(Self.text(machine.stop(reason: "bye")) == "fail 1, close 1, fail 2")
        #expect(Self.text(machine.submit(3, now: 0)) == "fail 3")
        #expect(machine.answered(1, now: 1).request == nil)
    }

    /// Random walks: every request comes back exactly once, connections stay within their number, no request waits
    /// without anybody who could serve it.
    @Test(arguments: [UInt64(1), 2, 3, 4, 5, 6], [1, 2, 5])
    func walk(seed: UInt64, connections: Int) {
        var random = SeededRandom(seed)
        var machine = Self.dispatcher(connections: connections)
        var now: Int64 = 0
        var open: [Int] = []
        var opening: [UInt64] = []
        var running: [UInt64: Int] = [:]
        var runs: [Int: Int] = [:]
        var next = 0
        var ends: [String: Int] = [:]
        func finish(_ request: Int, _ how: String) {
            #expect(open.contains(request))
            open.removeAll { $0 == request }
            ends[how, default: 0] += 1
        }
        func perform(_ actions: [Dispatcher.Action]) {
            for action in actions {
                switch action {
                case .open(let id): opening.append(id)
                case .run(let request, let id, let deadline):
                    #expect(deadline > now && running[id] == nil)
                    running[id] = request
                    runs[request, default: 0] += 1
                    #expect(runs[request, default: 0] <= 2)
                case .fail(let request, _): finish(request, "fail")
                case .close: #expect(Bool(false))
                }
            }
        }
        for step in 0..<10_000 {
            now += Int64(random.below(random.chance(2) ? 6_000_000 : 40_000))
            // Long calm and long trouble by turns.
            let isBad = (step / 500) % 2 == 1
            perform(machine.expire(now: now))
            switch random.below(6) {
            case 0, 1:
                next += 1
                open.append(next)
                perform(machine.submit(next, now: now))
            case 2 where !opening.isEmpty:
                let id = opening.remove(at: random.below(opening.count))
                if isBad, random.chance(80) {
                    perform(machine.lost(id, now: now, reason: "refused", random: random.next()))
                } else {
                    perform(machine.opened(id, now: now))
                }
            case 3, 4:
                guard let id = running.keys.sorted().first else { continue }
                running[id] = nil
                if random.chance(isBad ? 60 : 2) {
                    perform(machine.lost(id, now: now, reason: "x", mayRetry: random.chance(70), random: random.next()))
                } else {
                    let (request, actions) = machine.answered(id, now: now)
                    if let request { finish(request, "answer") }
                    perform(actions)
                }
            default: continue
            }
            #expect(machine.connectionCount <= connections)
            #expect(machine.waitingCount == 0 || machine.connectionCount > 0)
            #expect(open.count == machine.waitingCount + running.count)
        }
        perform(machine.stop(reason: "end").filter { if case .close = $0 { false } else { true } })
        #expect(open.isEmpty)
        #expect(ends["answer", default: 0] > 100 && ends["fail", default: 0] > 100)
    }

    /// Random walks with slow answers on doubtful connections: every request comes back exactly once, on at most two
    /// connections, and all that are opened are closed or lost.
    @Test(arguments: [UInt64(1), 2, 3, 4, 5, 6], [1, 2, 5])
    func walkWithTrials(seed: UInt64, connections: Int) {
        var random = SeededRandom(seed)
        var machine = Self.dispatcher(connections: connections)
        machine.ageing.doubtAfter = Self.second / 10
        var now: Int64 = 0
        var open: Set<Int> = []
        var live: Set<UInt64> = []
        var opening: [UInt64] = []
        var running: [UInt64: Int] = [:]
        var deadlines: [UInt64: Int64] = [:]
        var runs: [Int: Int] = [:]
        var twice = 0
        func finish(_ request: Int?) {
            let wasOpen = request.map { open.remove($0) != nil }
            #expect(wasOpen == true)
        }
        func perform(_ actions: [Dispatcher.Action]) {
            for action in actions {
                switch action {
                case .open(let id):
                    opening.append(id)
                    live.insert(id)
                case .run(let request, let id, let deadline):
                    #expect(deadline > now && running[id] == nil && live.contains(id))
                    if running.values.contains(request) { twice += 1 }
                    running[id] = request
                    deadlines[id] = deadline
                    runs[request, default: 0] += 1
                    #expect(runs[request, default: 0] <= 2)
                case .fail(let request, _): finish(request)
                case .close(let id):
                    live.remove(id)
                    running[id] = nil
                    opening.removeAll { $0 == id }
                }
            }
        }
        func lose(_ id: UInt64, mayRetry: Bool = true) {
            running[id] = nil
            live.remove(id)
            perform(machine.lost(id, now: now, reason: "x", mayRetry: mayRetry, random: random.next()))
        }
        for step in 1...10_000 {
            now += Int64(random.below(random.chance(10) ? 3_000_000 : 40_000))
            let busy = running.keys.sorted()
            for id in busy where running[id] != nil && deadlines[id, default: 0] <= now { lose(id) }
            if let due = machine.nextDeadline, due <= now { perform(machine.expire(now: now)) }
            switch random.below(4) {
            case 0:
                open.insert(step)
                perform(machine.submit(step, now: now))
            case 1 where !opening.isEmpty:
                let id = opening.remove(at: random.below(opening.count))
                if random.chance(20) { lose(id) } else { perform(machine.opened(id, now: now)) }
            default:
                // Fast and slow answers by turns.
                guard random.chance((step / 50) % 2 == 0 ? 90 : 10) else { continue }
                guard let id = running.keys.sorted().randomElement(using: &random) else { continue }
                if random.chance(10) {
                    lose(id, mayRetry: random.chance(70))
                } else {
                    running[id] = nil
                    let (request, actions) = machine.answered(id, now: now)
                    finish(request)
                    perform(actions)
                }
            }
            #expect(machine.connectionCount == live.count && live.count <= 2 * connections)
            #expect(machine.waitingCount == 0 || machine.connectionCount > 0)
        }
        perform(machine.stop(reason: "end"))
        #expect(open.isEmpty && live.isEmpty && twice > 0)
    }
}
