import CReactor

/// The io_uring driver: one system call per round hands over what was queued, lets the kernel work and waits.
///
/// Receiving is one operation per endpoint that stays armed and puts bytes into buffers that all endpoints of the
/// worker share, so an idle endpoint holds none. Small sends are queued as operations that never stay pending, so that
/// nothing but the worker's own buffers is ever lent to the kernel beyond one system call.
extension Worker {
    /// Waits for completions for at most `timeout` milliseconds (-1: for ever), and works them off.
    func runRing(timeout: Int32) {
        let result = unsafe cr_ring_enter(self.ring, timeout)
        // What load can bring about (want of memory, a full completion queue, a signal) is no error here: see `enter`
        // in CRing.c. What is left is a ring used wrongly, or completions that the kernel says it has lost: a worker that
        // went on would spin, or keep clients waiting for ever.
        if result < 0 { fatalError("io_uring_enter: errno \(-result)") }
        self.mailbox.woke()
        self.readClock()
        self.settleBatch()
        self.reap()
    }

    /// The first thread that runs the worker owns its ring.
    func enableRing() {
        let result = unsafe cr_ring_enable(self.ring)
        // At start, before any client: the probe has shown that the kernel grants it.
        if result < 0 { fatalError("io_uring cannot be enabled: errno \(-result)") }
        _ = unsafe cr_ring_poll(
            self.ring,
            self.wakeDescriptor,
            EventFlags.readable,
            1,
            RingTag(.wake, slot: 0, generation: 0).bits
        )
    }

    /// Looks for sends that failed among what was handed over; the bytes of the others are forgotten.
    func settleBatch() {
        var completion = cr_completion()
        let operation = RingTag(.send, slot: 0, generation: 0).bits
        while unsafe cr_ring_next_failure(self.ring, operation, &completion) != 0 {
            self.sendFailed(RingTag(bits: completion.tag), result: completion.result)
        }
        // A kernel short of memory takes only some of what was queued.
        if unsafe cr_ring_is_submitted(self.ring) == 0 { self.pushOutAll() }
        unsafe cr_ring_begin_batch(self.ring)
    }

    /// Works off the completions that are there.
    func reap() {
        var completion = cr_completion()
        while unsafe cr_ring_next(self.ring, &completion) != 0 {
            let tag = RingTag(bits: completion.tag)
            switch tag.operation {
            case .receive: self.receiveCompleted(tag, &completion)
            case .accept: self.acceptCompleted(tag, completion)
            case .writable: self.writableCompleted(tag)
            case .hangup: self.hangupCompleted(tag)
            case .wake: self.wakeCompleted(completion)
            case .none, .send, .cancel: continue
            }
        }
    }

    private func wakeCompleted(_ completion: cr_completion) {
        cr_eventfd_drain(self.wakeDescriptor)
        if completion.isLast {
            self.makeRoom()
            _ = unsafe cr_ring_poll(self.ring, self.wakeDescriptor, EventFlags.readable, 1, completion.tag)
        }
    }

    /// The endpoint that `tag` speaks of, if it is still there.
    func endpoint(of tag: RingTag) -> Endpoint? {
        let slot = tag.slot
        guard slot < self.slots.count, tag.matches(generation: self.slots[slot].generation) else { return nil }
        return self.slots[slot].endpoint
    }

    private func acceptCompleted(_ tag: RingTag, _ completion: cr_completion) {
        guard let listener = self.endpoint(of: tag) else {
            // Taken for a listener that has been closed meanwhile.
            if completion.result >= 0 { _ = cr_close(completion.result) }
            return
        }
        if completion.isLast {
            self.slots[tag.slot].operations.remove(.accepting)
        }
        listener.acceptCompleted(completion.result)
        if let listener = self.endpoint(of: tag), !self.timers.isArmed(tag.slot) { self.arm(listener) }
    }

    private func writableCompleted(_ tag: RingTag) {
        guard let endpoint = self.endpoint(of: tag) else { return }
        self.slots[tag.slot].operations.remove(.awaitingWritable)
        if self.slots[tag.slot].isShared { return }
        if endpoint.channel.isConnecting {
            self.finishConnect(endpoint)
        } else if endpoint.channel.awaitsWritable {
            self.flush(endpoint)
            if let endpoint = self.endpoint(of: tag), !self.slots[tag.slot].isShared { self.arm(endpoint) }
        }
    }

    private func hangupCompleted(_ tag: RingTag) {
        guard let endpoint = self.endpoint(of: tag) else { return }
        self.slots[tag.slot].operations.remove(.awaitingHangup)
        if self.slots[tag.slot].isShared {
            // Its last completion tells whoever wins the endpoint back.
            self.cancelReceive(tag.slot)
            return
        }
        endpoint.channel.isEnding = true
        if endpoint.channel.isPaused {
            self.tellHangup(endpoint)
        } else {
            self.enqueue(endpoint)
        }
    }
}

extension cr_completion {
    /// The operation has ended.
    var isLast: Bool { self.flags & UInt32(CR_COMPLETION_MORE) == 0 }
    /// One of the worker's buffers comes with it.
    var hasBuffer: Bool { self.flags & UInt32(CR_COMPLETION_BUFFER) != 0 }
}
