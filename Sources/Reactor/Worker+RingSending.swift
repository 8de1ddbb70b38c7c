import CReactor

/// Small sends wait for the end of the round, when one system call hands all of them over. The kernel tries each at
/// once and never keeps one pending; it reports only those that failed or found too little room.
extension Worker {
    /// More is sent at once, from where it lies.
    static let queuedSendLimit = 4096

    /// True when the bytes have been queued.
    func queueSend(_ bytes: UnsafeRawBufferPointer, for endpoint: Endpoint) -> Bool {
        guard bytes.count <= Self.queuedSendLimit, endpoint.channel.slot >= 0 else { return false }
        let slot = Int(endpoint.channel.slot)
        self.makeRoom()
        var offset: UInt32 = 0
        let tag = RingTag(.send, slot: slot, generation: self.slots[slot].generation).bits
        let entry = unsafe cr_ring_send(
            self.ring,
            endpoint.channel.descriptor,
            bytes.baseAddress,
            UInt32(bytes.count),
            tag,
            &offset
        )
        if entry < 0 { return false }
        endpoint.queuedSend = unsafe Endpoint.QueuedSend(
            batch: self.ring.pointee.batch,
            entry: UInt32(truncatingIfNeeded: entry),
            offset: offset,
            count: UInt32(bytes.count)
        )
        return true
    }

    /// True when the bytes have been added to a send of the same endpoint that is still queued.
    func extendSend(_ bytes: UnsafeRawBufferPointer, for endpoint: Endpoint) -> Bool {
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

    /// Sends what all endpoints have queued now, where the ring cannot be relied on to tell which of it failed.
    func pushOutAll() {
        let operation = RingTag(.send, slot: 0, generation: 0).bits
        var number: UInt32 = 0
        var tag: UInt64 = 0
        var isFirst: Int32 = 1
        while unsafe cr_ring_next_queued(self.ring, operation, isFirst, &number, &tag) != 0 {
            isFirst = 0
            if let endpoint = self.endpoint(of: RingTag(bits: tag)) { self.pushOut(endpoint) }
        }
    }

    /// The kernel took only a part of a queued send, or refused it.
    func sendFailed(_ tag: RingTag, result: Int32) {
        guard let endpoint = self.endpoint(of: tag), self.hasQueuedSend(endpoint) else { return }
        let bytes = unsafe self.queuedBytes(endpoint, from: Int(max(result, 0)))
        endpoint.queuedSend.count = 0
        switch -result {
        case ..<1, Int32(Errno.again), Errno.interrupted, Errno.noBufferSpace, Errno.outOfMemory:
            unsafe self.hold(bytes, for: endpoint)
        default:
            self.noteBroken(endpoint, error: -result)
        }
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
