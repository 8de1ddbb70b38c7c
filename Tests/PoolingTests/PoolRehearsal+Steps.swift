import Pooling

/// The steps of a rehearsal: each does one thing to the machine and to the reference, and compares what they say.
extension PoolRehearsal {
    mutating func checkout(worker: Int, since: Microseconds?) throws {
        let expected = self.reference.checkout(worker: worker, now: self.now)
        let outcome = self.machine.checkout(worker: worker, since: since, now: self.now)
        switch (outcome, expected) {
        case (.server(let server, _), .exactly(let exactly)) where outcome == exactly:
            self.arrivals[server] = since ?? self.now
            self.note("server")
        case (.stale(let server, _), .exactly(let exactly)) where outcome == exactly:
            self.note("stale")
            self.close(server)
            try self.checkout(worker: worker, since: since ?? self.now)
        case (.open(let server, let waiter), .open):
            self.note("open")
            try self.begin(server)
            try self.enqueue(waiter, worker: worker, since: since)
        case (.wait(let waiter), .wait):
            self.note("wait")
            try self.enqueue(waiter, worker: worker, since: since)
        default:
            throw Unexpected("checkout: \(outcome), expected \(expected)")
        }
    }

    mutating func checkin() throws {
        guard let server = self.dice.pick(self.reference.names(.busy)) else { return }
        let worker = self.machine.record(of: server)?.worker ?? 0
        try self.giveBack(server, worker: worker)
    }

    mutating func giveBack(_ server: ServerID, worker: Int) throws {
        self.arrivals[server] = nil
        let outcome = self.machine.checkin(server, worker: worker, now: self.now)
        try self.same(outcome, self.reference.checkin(server, worker: worker, now: self.now), "checkin")
        try self.settled(outcome, server)
    }

    mutating func finishOpening() throws {
        guard let server = self.dice.pick(self.reference.names(.opening)) else { return }
        if self.dice.chance(self.setting.openFailures) {
            let outcome = self.machine.openFailed(server, now: self.now)
            try self.same(outcome, self.reference.openFailed(server, now: self.now), "openFailed")
            if case .failWaiter(let waiter, _) = outcome { try self.end(waiter, .failed) }
            self.note("openFailed")
        } else {
            let worker = self.machine.record(of: server)?.worker ?? 0
            let outcome = self.machine.opened(server, worker: worker, now: self.now)
            try self.same(outcome, self.reference.opened(server, worker: worker, now: self.now), "opened")
            try self.settled(outcome, server)
        }
    }

    mutating func settled(_ outcome: Checkin, _ server: ServerID) throws {
        switch outcome {
        case .idle: self.note("idle")
        case .grant(let waiter, _):
            self.arrivals[server] = self.sinceOf[waiter]
            try self.end(waiter, .granted)
        case .close(let reason): self.note(reason.rawValue)
        }
    }

    mutating func finishClosing() {
        if let server = self.dice.pick(self.reference.names(.closing)) { self.close(server) }
    }

    /// A connection breaks while it is busy or idle.
    mutating func serverDies() {
        if let server = self.dice.pick(self.reference.names(.busy) + self.reference.names(.idle)) { self.close(server) }
    }

    /// A client finds the server it was given dead and asks again, in its old place.
    mutating func serverTurnsOutDead() throws {
        guard let server = self.dice.pick(self.reference.names(.busy)) else { return }
        guard let since = self.arrivals[server], let worker = self.machine.record(of: server)?.worker else { return }
        self.close(server)
        self.note("returned")
        try self.checkout(worker: worker, since: since)
    }

    mutating func claim() throws {
        guard let server = self.dice.pick(self.reference.names(.idle)) else { return }
        let worker = self.machine.record(of: server)?.worker ?? 0
        try self.same(self.machine.claimIdle(server), self.reference.claim(server), "claimIdle")
        if self.dice.chance(50) { self.close(server) } else { try self.giveBack(server, worker: worker) }
    }

    mutating func cancel() throws {
        if let ended = self.lastEnded {
            try self.same(self.machine.cancelWait(ended), false, "cancel after the end")
        }
        guard let waiter = self.dice.pick(self.reference.queue.map(\.id)) else { return }
        try self.same(self.machine.cancelWait(waiter), self.reference.cancel(waiter), "cancel")
        try self.end(waiter, .cancelled)
    }

    mutating func expire() throws {
        for worker in 0..<self.setting.workers {
            while true {
                let waiter = self.machine.expireWaiters(worker: worker, now: self.now)
                try self.same(waiter, self.reference.expire(worker: worker, now: self.now), "expire")
                guard let waiter else { break }
                try self.end(waiter, .expired)
            }
        }
    }

    mutating func housekeeping() throws {
        let budget = self.dice.chance(50) ? Int.max : self.dice.roll(3)
        let plan = self.machine.housekeeping(now: self.now, closeBudget: budget)
        try self.same(plan.closes, self.reference.housekeepingCloses(now: self.now, budget: budget), "closes")
        for close in plan.closes { self.note("housekeeping \(close.reason.rawValue)") }
        for open in plan.opens {
            guard self.reference.staying < self.reference.limits.minPoolSize, self.reference.mayOpen(now: self.now)
            else { throw Unexpected("an opening too many") }
            self.note("prewarm")
            try self.begin(open.server)
        }
        if self.reference.staying < self.reference.limits.minPoolSize, self.reference.mayOpen(now: self.now) {
            throw Unexpected("an opening too few")
        }
    }

    mutating func resize() throws {
        let size =
            self.dice.chance(60) ? self.setting.limits.poolSize : 1 + self.dice.roll(2 * self.setting.limits.poolSize)
        var limits = self.setting.limits
        limits.poolSize = size
        limits.minPoolSize = min(self.setting.limits.minPoolSize, size)
        let closes = self.machine.update(limits: limits)
        try self.same(closes, self.reference.update(poolSize: size, minPoolSize: limits.minPoolSize), "update")
    }

    mutating func openWhatIsDue() throws {
        while true {
            let isDue = self.reference.isOpenDue(now: self.now)
            let open = self.machine.nextOpen(now: self.now)
            guard (open != nil) == isDue else {
                throw Unexpected("nextOpen: \(String(describing: open)), due: \(isDue)")
            }
            guard let open else { return }
            try self.same(open.worker, self.reference.queue.first?.worker ?? -1, "opening worker")
            try self.begin(open.server)
        }
    }
}
