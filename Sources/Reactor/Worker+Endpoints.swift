import CReactor

/// How endpoints come to a worker, leave it, and move.
extension Worker {
    /// Takes over an endpoint: its descriptor is registered and from now on it is told what happens.
    /// On failure (no kernel memory) the endpoint is told by `failed`.
    public func attach(_ endpoint: Endpoint) {
        unsafe endpoint.worker = self
        // Batches are counted by each ring for itself: an old number could mean something here.
        endpoint.queuedSend = Endpoint.QueuedSend()
        let slot: Int32
        if let free = self.freeSlots.popLast() {
            slot = free
        } else {
            slot = Int32(clamping: self.slots.count)
            self.slots.append(Slot())
        }
        endpoint.channel.slot = slot
        self.slots[Int(slot)].endpoint = endpoint
        self.slots[Int(slot)].isShared = false
        guard endpoint.channel.descriptor >= 0 else { return }
        // What was given to `send`, or was to be delivered, before the endpoint came here.
        if !endpoint.unsent.isEmpty { endpoint.channel.awaitsWritable = true }
        self.register(endpoint, modify: false)
        let hasNews = endpoint.channel.wantsRedelivery || endpoint.channel.ending != Endpoint.Channel.goesOn
        if hasNews || endpoint.pendingError != 0 { self.enqueue(endpoint) }
    }

    func register(_ endpoint: Endpoint, modify: Bool) {
        let slot = endpoint.channel.slot
        guard slot >= 0 else { return }
        let generation = self.slots[Int(slot)].generation
        if endpoint.channel.isListener { return endpoint.listen(at: Place(slot: slot, generation: generation)) }
        let wantsWrites = endpoint.channel.awaitsWritable || endpoint.channel.isConnecting
        let flags = wantsWrites ? EventFlags.streamAndWrites : EventFlags.stream
        let result =
            modify
            ? cr_epoll_modify(self.epoll, endpoint.channel.descriptor, flags, UInt32(slot), generation)
            : cr_epoll_add(self.epoll, endpoint.channel.descriptor, flags, UInt32(slot), generation)
        if result < 0 { self.noteBroken(endpoint, error: -result) }
    }

    /// Gives up an endpoint without closing it: it can be attached to another worker.
    public func detach(_ endpoint: Endpoint) {
        guard endpoint.channel.slot >= 0 else { return }
        endpoint.pushOut()
        if endpoint.channel.descriptor >= 0 { _ = cr_epoll_remove(self.epoll, endpoint.channel.descriptor) }
        self.forget(endpoint)
    }

    /// Frees the slot; events still under way for it no longer match its generation.
    func forget(_ endpoint: Endpoint) {
        let slot = endpoint.channel.slot
        guard slot >= 0 else { return }
        self.timers.cancel(Int(slot))
        endpoint.channel.slot = -1
        self.release(slot: slot)
    }

    func release(slot: Int32) {
        guard slot >= 0, Int(slot) < self.slots.count, self.slots[Int(slot)].endpoint != nil else { return }
        self.timers.cancel(Int(slot))
        self.slots[Int(slot)].endpoint = nil
        self.slots[Int(slot)].isShared = false
        self.slots[Int(slot)].hasEnding = false
        self.slots[Int(slot)].isQueued = false
        self.slots[Int(slot)].generation &+= 1
        self.freeSlots.append(slot)
    }

    /// Marks an endpoint as free to be taken by any worker while it stays registered here. Call before the lock that
    /// publishes it is taken. Its deadline is cleared; it may not hold back bytes.
    public func share(_ endpoint: Endpoint) {
        guard endpoint.channel.slot >= 0 else { return }
        self.timers.cancel(Int(endpoint.channel.slot))
        // Another worker may close the descriptor before this one comes to hand over what names it.
        endpoint.pushOut()
        self.slots[Int(endpoint.channel.slot)].isShared = true
    }

    /// The endpoint was won back by this worker (under the lock that published it).
    public func unshare(_ endpoint: Endpoint) {
        let slot = Int(endpoint.channel.slot)
        guard slot >= 0 else { return }
        self.slots[slot].isShared = false
        // Nobody else has seen it, and an edge is reported once.
        if self.slots[slot].hasEnding {
            self.slots[slot].hasEnding = false
            endpoint.channel.isEnding = true
        }
        // The same goes for room to send: a peer may have answered before it read everything.
        if !endpoint.unsent.isEmpty { self.flush(endpoint) }
    }

    /// Moves a shared endpoint, won under the lock that published it, from the worker where it is registered to this
    /// one: two `epoll_ctl` calls. The old worker frees its slot when it next wakes for something else.
    public func adopt(_ endpoint: Endpoint) {
        let old = unsafe endpoint.worker
        if old === self {
            self.unshare(endpoint)
            return
        }
        let slot = endpoint.channel.slot
        _ = cr_epoll_remove(old.epoll, endpoint.channel.descriptor)
        endpoint.channel.slot = -1
        old.mailbox.push(.releaseSlot(slot))
        self.attach(endpoint)
    }

    /// Looks for bytes on an endpoint that was shared when they arrived.
    public func look(_ endpoint: Endpoint) {
        endpoint.channel.mayHaveBytes = true
        self.enqueue(endpoint)
    }
}
