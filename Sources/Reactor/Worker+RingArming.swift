import CReactor

/// What is queued for an endpoint, and how it is taken back.
///
/// An operation names a descriptor until it is handed over and holds the socket itself from then on. So whatever is
/// queued and not handed over must be withdrawn before its descriptor is closed or may be closed by another worker.
extension Worker {
    /// Makes room for one more operation.
    func makeRoom() {
        if unsafe cr_ring_space(self.ring) == 0, unsafe self.ring.pointee.is_enabled != 0 { self.handOver() }
    }

    /// Hands over what is queued without waiting for the end of the round.
    private func handOver() {
        // The failure of a send must be found before its bytes are forgotten, not be kept back by the kernel because
        // there is no room for completions.
        if unsafe cr_ring_completion_room(self.ring) < self.ring.pointee.sq_entries { self.pushOutAll() }
        _ = unsafe cr_ring_submit(self.ring)
        self.settleBatch()
    }

    /// Queues what an endpoint needs and does not have under way.
    func arm(_ endpoint: Endpoint) {
        let slot = Int(endpoint.channel.slot)
        let descriptor = endpoint.channel.descriptor
        guard slot >= 0, descriptor >= 0 else { return }
        let operations = self.slots[slot].operations
        if endpoint.channel.isListener {
            if !operations.contains(.accepting) { self.queue(.accepting, .accept, slot, descriptor) }
            return
        }
        let wantsWrites = endpoint.channel.awaitsWritable || endpoint.channel.isConnecting
        if wantsWrites, !operations.contains(.awaitingWritable) {
            self.queue(.awaitingWritable, .writable, slot, descriptor)
        }
        if !operations.isDisjoint(with: [.receiving, .awaitingHandover]) { return }
        if endpoint.channel.isConnecting || endpoint.channel.ending != Endpoint.Channel.goesOn { return }
        if endpoint.channel.isEnding {
            if !endpoint.channel.isPaused || !endpoint.channel.hasToldHangup { self.enqueue(endpoint) }
            return
        }
        if !endpoint.channel.isPaused { self.queue(.receiving, .receive, slot, descriptor) }
        if !operations.contains(.awaitingHangup) { self.queue(.awaitingHangup, .hangup, slot, descriptor) }
    }

    private func queue(_ mark: RingOperations, _ operation: RingTag.Operation, _ slot: Int, _ descriptor: Int32) {
        self.makeRoom()
        let tag = RingTag(operation, slot: slot, generation: self.slots[slot].generation).bits
        let ring = unsafe self.ring
        let isQueued =
            switch operation {
            case .receive: unsafe cr_ring_receive(ring, descriptor, tag)
            case .accept: unsafe cr_ring_accept(ring, descriptor, tag)
            case .writable: unsafe cr_ring_poll(ring, descriptor, EventFlags.writable, 0, tag)
            default: unsafe cr_ring_poll(ring, descriptor, EventFlags.ending, 0, tag)
            }
        guard isQueued != 0 else {
            // Only before the worker runs, when nothing can be handed over yet.
            if let endpoint = self.slots[slot].endpoint { self.noteBroken(endpoint, error: Errno.noBufferSpace) }
            return
        }
        self.slots[slot].operations.insert(mark)
        unsafe self.slots[slot].batch = self.ring.pointee.batch
    }

    private func cancel(_ operation: RingTag.Operation, _ slot: Int) {
        self.makeRoom()
        let generation = self.slots[slot].generation
        _ = unsafe cr_ring_cancel(
            self.ring,
            RingTag(operation, slot: slot, generation: generation).bits,
            RingTag(.cancel, slot: slot, generation: generation).bits
        )
    }

    /// Stops receiving soon: its last completion tells when.
    func cancelReceive(_ slot: Int) {
        guard self.slots[slot].operations.isSuperset(of: .receiving) else { return }
        if self.slots[slot].operations.contains(.cancelling) { return }
        self.cancel(.receive, slot)
        self.slots[slot].operations.insert(.cancelling)
    }

    /// The descriptor is about to be closed: nothing queued may name it any more, and the kernel is to let go of it.
    /// Completions still to come no longer match the slot, which is freed next.
    func dropOperations(_ endpoint: Endpoint) {
        let slot = Int(endpoint.channel.slot)
        guard slot >= 0, slot < self.slots.count else { return }
        let operations = self.slots[slot].operations
        self.withdrawQueued(slot)
        if operations.contains(.receiving), !operations.contains(.cancelling) { self.cancel(.receive, slot) }
        self.dropPolls(slot)
        self.slots[slot].operations.formIntersection([.awaitingHandover, .stashed])
    }

    private func dropPolls(_ slot: Int) {
        let operations = self.slots[slot].operations
        if operations.contains(.accepting) { self.cancel(.accept, slot) }
        if operations.contains(.awaitingWritable) { self.cancel(.writable, slot) }
        if operations.contains(.awaitingHangup) { self.cancel(.hangup, slot) }
        self.slots[slot].operations.subtract([.accepting, .awaitingWritable, .awaitingHangup])
    }

    /// The slot is freed.
    func forgetRing(_ slot: Int) {
        if self.slots[slot].operations.contains(.stashed) { self.stashes[slot] = nil }
        if self.slots[slot].operations.contains(.awaitingHandover) { self.successors[slot] = nil }
        self.slots[slot].operations = []
    }

    private func withdrawQueued(_ slot: Int) {
        guard unsafe self.slots[slot].batch == self.ring.pointee.batch || self.ring.pointee.has_leftovers != 0
        else { return }
        let generation = self.slots[slot].generation
        unsafe cr_ring_withdraw_all(self.ring, RingTag(.cancel, slot: slot, generation: generation).bits)
    }

    // MARK: Letting go

    /// Ends receiving in `slot` and returns what the kernel had already given. Afterwards nothing is under way there.
    func recall(_ slot: Int) -> RingStash {
        var stash = self.takeStash(slot)
        if self.slots[slot].operations.contains(.receiving) {
            if unsafe self.ring.pointee.is_enabled == 0 {
                self.withdrawQueued(slot)
            } else {
                self.awaitLastReceive(slot, &stash)
            }
            self.slots[slot].operations.subtract([.receiving, .cancelling])
        }
        self.dropPolls(slot)
        return stash
    }

    private func awaitLastReceive(_ slot: Int, _ stash: inout RingStash) {
        let tag = RingTag(.receive, slot: slot, generation: self.slots[slot].generation)
        self.cancelReceive(slot)
        // The first call is enough: cancelling needs no other thread. The others are for a kernel short of memory.
        for attempt in 0..<Self.recallAttempts {
            _ = unsafe cr_ring_enter(self.ring, attempt == 0 ? 0 : 1)
            self.settleBatch()
            var completion = cr_completion()
            while unsafe cr_ring_extract(self.ring, tag.bits, &completion) != 0 {
                let isLast = completion.isLast
                self.stash(completion, &stash)
                if isLast { return }
            }
        }
    }

    private func stash(_ completion: cr_completion, _ stash: inout RingStash) {
        if completion.hasBuffer {
            var completion = completion
            let chunk = unsafe cr_ring_chunk(self.ring, &completion, 0)
            if completion.result > 0 {
                let bytes = unsafe UnsafeRawBufferPointer(start: chunk.bytes, count: Int(chunk.count))
                unsafe stash.bytes.append(contentsOf: bytes)
            }
            unsafe cr_ring_give_back(self.ring, chunk.first_buffer, 1)
        }
        if completion.result <= 0, let ending = Self.ending(completion.result) { stash.ending = ending }
    }

    /// What a result that brought no bytes says about the stream; nil when it goes on.
    static func ending(_ result: Int32) -> Int32? {
        switch -result {
        case Errno.cancelled, Errno.noBufferSpace, Int32(Errno.again), Errno.interrupted: return nil
        default: return -result
        }
    }

    func takeStash(_ slot: Int) -> RingStash {
        guard self.slots[slot].operations.contains(.stashed) else { return RingStash() }
        self.slots[slot].operations.remove(.stashed)
        return self.stashes.removeValue(forKey: slot) ?? RingStash()
    }

    /// Gives an endpoint that this worker owns what the ring has for it.
    func unpack(_ stash: RingStash, to endpoint: Endpoint) {
        if !stash.bytes.isEmpty {
            if let codec = endpoint.codec {
                unsafe stash.bytes.withUnsafeBytes { unsafe self.holdSealed($0, for: endpoint, codec) }
            } else {
                unsafe stash.bytes.withUnsafeBytes { unsafe endpoint.unread.append($0, cache: &self.blocks) }
                endpoint.channel.wantsRedelivery = true
            }
        }
        if stash.ending != Endpoint.Channel.goesOn, endpoint.channel.ending == Endpoint.Channel.goesOn {
            endpoint.channel.ending = stash.ending
        }
    }

    // MARK: Moving

    /// Before a shared endpoint may be taken by another worker: all it has queued is handed over, because that worker
    /// may close the descriptor, and it is being received from, because only its owner may see to that.
    func prepareToShare(_ endpoint: Endpoint) {
        endpoint.pushOut()
        self.arm(endpoint)
        let slot = Int(endpoint.channel.slot)
        let isQueued = unsafe self.slots[slot].batch == self.ring.pointee.batch || self.ring.pointee.has_leftovers != 0
        if isQueued, unsafe self.ring.pointee.is_enabled != 0 { self.handOver() }
    }

    /// Another worker has adopted the endpoint that was shared in `slot`.
    func letGo(_ slot: Int32, to successor: RingSuccessor) {
        let index = Int(slot)
        guard index >= 0, index < self.slots.count, self.slots[index].endpoint != nil else { return }
        if self.slots[index].operations.contains(.awaitingHandover) {
            // The one before has not let go either: what it sends is passed on.
            self.successors[index] = successor
            return
        }
        let stash = self.recall(index)
        self.release(slot: slot)
        successor.worker.deliver(.handover(successor.place, stash))
    }

    /// The worker that had an adopted endpoint before has let go of it.
    func takeHandover(_ place: Place, _ stash: RingStash) {
        let slot = Int(place.slot)
        guard self.slots[slot].generation == place.generation, let endpoint = self.slots[slot].endpoint else { return }
        self.slots[slot].operations.remove(.awaitingHandover)
        if let successor = self.successors.removeValue(forKey: slot) {
            self.release(slot: place.slot)
            successor.worker.deliver(.handover(successor.place, stash))
        } else if self.slots[slot].isShared {
            self.keep(stash, slot)
            endpoint.trafficWhileShared(on: self)
        } else {
            self.unpack(stash, to: endpoint)
            self.serveRing(endpoint, at: place)
        }
    }
}
