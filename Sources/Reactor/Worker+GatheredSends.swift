import CReactor

/// With io_uring, small sends wait for the end of the round, when one system call hands all of them over. The kernel
/// tries each at once and never keeps one pending; it reports only those that failed or found too little room.
///
/// What is saved is not the system calls: each send wakes its receiver, which then often takes the worker's place on
/// the processor. Within one call of the kernel nobody does, and the worker goes to sleep less than half as often.
/// Receiving wakes nobody and gains nothing by it.
///
/// An operation names a descriptor until it is handed over. So whatever is queued goes out before its descriptor is
/// closed or may be closed by another worker; see `Endpoint.pushOut`.
extension Worker {
    /// More is sent at once, from where it lies.
    static let queuedSendLimit = 4096

    /// True when the bytes wait for the end of the round. Otherwise nothing of the endpoint waits any more.
    func gather(_ bytes: UnsafeRawBufferPointer, for endpoint: Endpoint) -> Bool {
        if self.hasQueuedSend(endpoint) {
            if unsafe self.extendSend(bytes, for: endpoint) { return true }
            self.pushOut(endpoint)
        }
        // Before the endpoint is attached nobody can find it again by its slot.
        guard endpoint.unsent.isEmpty, !endpoint.channel.isConnecting, endpoint.pendingError == 0,
            bytes.count <= Self.queuedSendLimit, endpoint.channel.slot >= 0
        else { return false }
        return unsafe self.queueSend(bytes, for: endpoint)
    }

    private func queueSend(_ bytes: UnsafeRawBufferPointer, for endpoint: Endpoint) -> Bool {
        let tag = self.sendTag(slot: endpoint.channel.slot)
        var offset: UInt32 = 0
        var entry: Int64 = -1
        for attempt in 0..<2 where entry < 0 {
            // There was no room: make some.
            if attempt > 0 { self.handOver() }
            if !self.gathersSends { return false }
            entry = unsafe cr_ring_send(
                self.ring,
                endpoint.channel.descriptor,
                bytes.baseAddress,
                UInt32(bytes.count),
                tag,
                &offset
            )
        }
        if entry < 0 { return false }
        endpoint.queuedSend = unsafe Endpoint.QueuedSend(
            batch: self.ring.pointee.batch,
            entry: UInt32(truncatingIfNeeded: entry),
            offset: offset,
            count: UInt32(bytes.count)
        )
        return true
    }

    /// True when the bytes have been added to the send that is queued.
    private func extendSend(_ bytes: UnsafeRawBufferPointer, for endpoint: Endpoint) -> Bool {
        guard bytes.count <= Self.queuedSendLimit,
            unsafe cr_ring_send_more(
                self.ring,
                endpoint.queuedSend.entry,
                bytes.baseAddress,
                UInt32(bytes.count)
            ) != 0
        else { return false }
        endpoint.queuedSend.count += UInt32(bytes.count)
        return true
    }

    func hasQueuedSend(_ endpoint: Endpoint) -> Bool {
        unsafe endpoint.queuedSend.count > 0 && endpoint.queuedSend.batch == self.ring.pointee.batch
    }

    /// Sends what an endpoint has queued now, by a system call of its own.
    func pushOut(_ endpoint: Endpoint) {
        guard self.hasQueuedSend(endpoint) else { return }
        let bytes = unsafe self.queuedBytes(endpoint, from: 0)
        unsafe cr_ring_withdraw(self.ring, endpoint.queuedSend.entry)
        endpoint.queuedSend.count = 0
        let sent = unsafe cr_send(endpoint.channel.descriptor, bytes.baseAddress, bytes.count)
        if sent < 0, sent != -Errno.again {
            self.noteBroken(endpoint, error: Int32(clamping: -sent))
        } else if sent < bytes.count {
            unsafe self.hold(UnsafeRawBufferPointer(rebasing: bytes[max(sent, 0)...]), for: endpoint)
        }
    }

    // MARK: The end of a round

    /// Hands what is queued to the kernel. Calls nobody back.
    func handOver() {
        switch unsafe cr_ring_queued(self.ring) {
        case 0: break
        // One alone is cheaper by a system call of its own.
        case 1: self.pushOutAll()
        default: self.submit()
        }
    }

    private func submit() {
        var result: Int32 = 0
        // The thread that hands over first has the shorter way to the ring.
        if unsafe self.ring.pointee.is_enabled == 0 { result = unsafe cr_ring_enable(self.ring) }
        if result == 0 { result = unsafe cr_ring_submit(self.ring) }
        self.settleBatch()
        switch -result {
        // A signal and want of memory: the next round may try again.
        case 0, Int32(Errno.again), Errno.interrupted, Errno.busy, Errno.outOfMemory: break
        // A ring that does not work: from now on every send is a system call, which always does.
        default: self.gathersSends = false
        }
    }

    /// Looks for sends that failed among what was handed over; the bytes of the others are forgotten.
    func settleBatch() {
        var tag: UInt64 = 0
        var result: Int32 = 0
        while unsafe cr_ring_next_failure(self.ring, &tag, &result) != 0 { self.sendFailed(tag, result: result) }
        // A kernel short of memory takes only some of what was queued.
        self.pushOutAll()
        unsafe cr_ring_begin_batch(self.ring)
    }

    private func pushOutAll() {
        while true {
            let count = unsafe cr_ring_queued(self.ring)
            if count == 0 { return }
            let endpoint = self.endpoint(of: unsafe cr_ring_queued_tag(self.ring, count - 1))
            if let endpoint, self.hasQueuedSend(endpoint) {
                unsafe endpoint.worker.pushOut(endpoint)
            } else {
                unsafe cr_ring_withdraw(self.ring, self.ring.pointee.sq_next &- 1)
            }
        }
    }

    /// The kernel took only a part of a queued send, or refused it.
    private func sendFailed(_ tag: UInt64, result: Int32) {
        guard let endpoint = self.endpoint(of: tag), self.hasQueuedSend(endpoint) else { return }
        let bytes = unsafe self.queuedBytes(endpoint, from: Int(max(result, 0)))
        endpoint.queuedSend.count = 0
        let owner = unsafe endpoint.worker
        switch -result {
        case ..<1, Int32(Errno.again), Errno.interrupted, Errno.noBufferSpace, Errno.outOfMemory:
            unsafe owner.hold(bytes, for: endpoint)
        default:
            owner.noteBroken(endpoint, error: -result)
        }
    }

    /// Whose it is: the worker's index in 10 bits, 22 bits of the slot's generation at the time, the slot and one; what
    /// is left of a withdrawn send has zero. A tag is forgotten when its batch is over.
    private func sendTag(slot: Int32) -> UInt64 {
        UInt64(UInt32(truncatingIfNeeded: self.index)) << 54
            | UInt64(self.slots[Int(slot)].generation & Self.tagGenerations) << 32 | UInt64(slot) + 1
    }

    private static let tagGenerations: UInt32 = 1 << 22 - 1

    private func endpoint(of tag: UInt64) -> Endpoint? {
        let index = Int(tag >> 54)
        let worker = index == self.index ? self : self.loop?.worker(at: index)
        return worker?.endpoint(at: Int(tag & 0xffff_ffff) - 1, generation: UInt32(tag >> 32 & 0xffff_ffff))
    }

    private func endpoint(at slot: Int, generation: UInt32) -> Endpoint? {
        guard slot >= 0, slot < self.slots.count,
            (self.slots[slot].generation ^ generation) & Self.tagGenerations == 0
        else { return nil }
        return self.slots[slot].endpoint
    }

    private func queuedBytes(_ endpoint: Endpoint, from start: Int) -> UnsafeRawBufferPointer {
        let send = endpoint.queuedSend
        let begin = unsafe self.ring.pointee.arena + Int(send.offset)
        let all = unsafe UnsafeRawBufferPointer(start: begin, count: Int(send.count))
        return unsafe UnsafeRawBufferPointer(rebasing: all[min(start, all.count)...])
    }

    private func hold(_ bytes: UnsafeRawBufferPointer, for endpoint: Endpoint) {
        unsafe endpoint.unsent.append(bytes, cache: &self.blocks)
        endpoint.awaitWritable(true)
    }
}
