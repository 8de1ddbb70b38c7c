import Testing

@testable import Reactor

/// Deadlines as endpoints see them; the wheel itself is tested in `TimerWheelTests`.
@Suite(.eachDriver, .namesDriver) struct DeadlineTests {
    private func timer(on worker: Worker) -> Probe {
        let probe = Probe(descriptor: -1, worker: worker)
        worker.attach(probe)
        return probe
    }

    @Test func firesOnceAndNeverEarly() throws {
        let worker = try Worker.immortal(index: 0)
        let probe = self.timer(on: worker)
        #expect(probe.isOpen && probe.descriptor == -1)
        let deadline = MonotonicClock.now() + 40_000
        probe.setDeadline(deadline)
        probe.onHappening = { _, _ in worker.stop() }
        worker.run()
        #expect(MonotonicClock.now() >= deadline)
        settle(worker)
        #expect(probe.happenings == [.deadline])
        probe.close()
        #expect(!probe.isOpen)
    }

    @Test func movedClearedAndClosed() throws {
        let worker = try Worker.immortal(index: 0)
        let probes = (0..<4).map { _ in self.timer(on: worker) }
        let now = MonotonicClock.now()
        for probe in probes { probe.setDeadline(now + 1) }
        probes[1].setDeadline(now + 60_000_000)
        probes[2].clearDeadline()
        probes[3].close()
        #expect(pump(worker) { probes[0].happenings == [.deadline] })
        settle(worker)
        for probe in probes[1...] { #expect(probe.happenings.isEmpty) }
    }

    /// All are due in the same round; the first to be told takes the others out.
    @Test func dueDeadlinesMayBeTakenBack() throws {
        let worker = try Worker.immortal(index: 0)
        let probes = (0..<5).map { _ in self.timer(on: worker) }
        var successor: Probe?
        for probe in probes {
            probe.onHappening = { told, _ in
                let others = probes.filter { $0 !== told }
                others[0].clearDeadline()
                others[1].setDeadline(MonotonicClock.now() + 60_000_000)
                others[2].close()
                others[3].close()
                // Takes over a slot whose deadline was due.
                successor = self.timer(on: worker)
            }
            probe.setDeadline(1)
        }
        #expect(pump(worker) { successor != nil })
        settle(worker)
        #expect(probes.reduce(0) { $0 + $1.happenings.count } == 1)
        #expect(successor?.happenings == [])
    }

    @Test func rearmedFromItsOwnCallback() throws {
        let worker = try Worker.immortal(index: 0)
        let probe = self.timer(on: worker)
        probe.onHappening = { probe, _ in
            if probe.happenings.count < 3 { probe.setDeadline(0) }
        }
        probe.setDeadline(0)
        #expect(pump(worker) { probe.happenings.count == 3 })
        settle(worker)
        #expect(probe.happenings == [.deadline, .deadline, .deadline])
    }

    @Test func slotReuseDoesNotInheritADeadline() throws {
        let worker = try Worker.immortal(index: 0)
        let first = self.timer(on: worker)
        let slot = first.channel.slot
        first.setDeadline(0)
        first.close()
        let second = self.timer(on: worker)
        #expect(second.channel.slot == slot)
        settle(worker)
        #expect(first.happenings.isEmpty && second.happenings.isEmpty)
    }

    @Test func sharedEndpointHasNoDeadline() throws {
        let worker = try Worker.immortal(index: 0)
        let probe = self.timer(on: worker)
        probe.setDeadline(0)
        worker.share(probe)
        settle(worker)
        #expect(probe.happenings.isEmpty)
    }
}
