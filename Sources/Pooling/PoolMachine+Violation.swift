/// The pool's promises, checked from first principles. For tests: it walks over everything.
extension PoolMachine {
    /// A sentence about the first promise found broken, or nil.
    package func violation() -> String? {
        self.countViolation() ?? self.idleViolation() ?? self.waiters.violation()
    }

    private func countViolation() -> String? {
        var counted = PoolCounts()
        for slot in self.servers.slots {
            if let state = slot.state { counted.add(1, to: state) }
        }
        guard counted == self.servers.counts else {
            return "slots say \(counted), counters say \(self.servers.counts)"
        }
        if self.waiters.count > 0 && counted.idle > 0 {
            return "\(self.waiters.count) wait while \(counted.idle) are idle"
        }
        if counted.idle > 0 && counted.staying > self.limits.poolSize {
            return "\(counted.idle) idle servers are kept in a pool that is over its size"
        }
        if self.isDraining && counted.idle > 0 {
            return "a draining pool keeps \(counted.idle) idle servers"
        }
        return nil
    }

    private func idleViolation() -> String? {
        var walked = 0
        var cursor = self.idle.first
        var ownCursors = (0..<self.workerCount).map { self.idle.first(of: $0) }
        while let index = cursor {
            let slot = self.servers[index]
            guard slot.state == .idle else { return "server \(index) is listed as idle and is not" }
            guard slot.epoch == self.epoch else { return "server \(index) is idle though it is of an earlier epoch" }
            guard !slot.isLeft else { return "server \(index) is idle though it is left" }
            guard ownCursors[Int(slot.worker)] == index else { return "server \(index) is out of its worker's order" }
            ownCursors[Int(slot.worker)] = self.idle.nextOfSameWorker(after: index)
            walked += 1
            cursor = self.idle.next(after: index)
        }
        guard ownCursors.allSatisfy({ $0 == nil }) else { return "a worker's idle servers hold a stranger" }
        guard walked == self.servers.counts.idle else {
            return "\(self.servers.counts.idle) idle servers counted, \(walked) listed"
        }
        return nil
    }
}
