import CReactor

/// What comes in through the ring.
///
/// A callback may close the endpoint it is made on, or give it away: after a callback nothing of the endpoint is
/// touched unless its place still holds.
extension Worker {
    /// What may be received beyond a pause: the buffers that the kernel had in hand.
    static let pileUpLimit = Int(CR_RING_BUFFERS) * Int(CR_RING_BUFFER_SIZE)

    func receiveCompleted(_ tag: RingTag, _ completion: inout cr_completion) {
        let hasBytes = completion.hasBuffer
        let slot = tag.slot
        guard let endpoint = self.endpoint(of: tag) else {
            if hasBytes { unsafe cr_ring_give_back(self.ring, UInt16(completion.flags >> 16), 1) }
            return
        }
        let place = Place(slot: Int32(truncatingIfNeeded: slot), generation: self.slots[slot].generation)
        if hasBytes, completion.result > 0 {
            let chunk = unsafe cr_ring_chunk(self.ring, &completion, UInt32(Self.receiveCapacity))
            let isLast = completion.isLast
            if isLast { self.slots[slot].operations.subtract([.receiving, .cancelling]) }
            let bytes = unsafe UnsafeRawBufferPointer(start: chunk.bytes, count: Int(chunk.count))
            unsafe self.take(bytes, for: endpoint, at: place)
            unsafe cr_ring_give_back(self.ring, chunk.first_buffer, chunk.buffers)
            if isLast { self.rearm(place) }
            return
        }
        if hasBytes { unsafe cr_ring_give_back(self.ring, UInt16(completion.flags >> 16), 1) }
        if completion.isLast {
            self.slots[slot].operations.subtract([.receiving, .cancelling])
        }
        if let ending = Self.ending(completion.result) {
            self.take(ending: ending, for: endpoint, at: place)
        } else {
            self.rearm(place)
        }
    }

    /// Receiving has stopped though the stream goes on: no buffer was free, or it was cancelled for a pause.
    private func rearm(_ place: Place) {
        let slot = Int(place.slot)
        guard self.slots[slot].generation == place.generation, let endpoint = self.slots[slot].endpoint else { return }
        if self.slots[slot].isShared {
            // Only its owner may say whether there still is a descriptor to receive from. Where bytes are kept already,
            // it has been told, and whoever has it is about to fetch them.
            if !self.slots[slot].operations.contains(.stashed) { endpoint.trafficWhileShared(on: self) }
        } else {
            self.arm(endpoint)
        }
    }

    private func take(_ bytes: UnsafeRawBufferPointer, for endpoint: Endpoint, at place: Place) {
        let slot = Int(place.slot)
        if self.slots[slot].isShared {
            self.keep(unsafe RingStash(bytes: Array(bytes)), slot)
            endpoint.trafficWhileShared(on: self)
            // Nobody has claimed it: somebody else is about to fetch it.
            if self.slots[slot].generation == place.generation, self.slots[slot].isShared { self.cancelReceive(slot) }
        } else if let codec = endpoint.codec {
            unsafe self.takeSealed(bytes, for: endpoint, codec, at: place)
        } else {
            unsafe self.takePlain(bytes, for: endpoint, at: place)
        }
    }

    /// Delivers bytes behind those held back, or holds them back too.
    func takePlain(_ bytes: UnsafeRawBufferPointer, for endpoint: Endpoint, at place: Place) {
        if endpoint.channel.isPaused {
            unsafe endpoint.unread.append(bytes, cache: &self.blocks)
            // From now on what comes is left to the kernel, so that the peer feels the pause.
            if self.usesRing { self.cancelReceive(Int(place.slot)) }
        } else if !endpoint.unread.isEmpty {
            unsafe endpoint.unread.append(bytes, cache: &self.blocks)
            self.deliverHeld(endpoint, at: place)
        } else {
            endpoint.channel.wantsRedelivery = false
            let consumed = unsafe endpoint.received(bytes.assumingMemoryBound(to: UInt8.self).span)
            if consumed == bytes.count || !self.owns(place) { return }
            unsafe endpoint.unread.append(UnsafeRawBufferPointer(rebasing: bytes[consumed...]), cache: &self.blocks)
            // Reading was paused and resumed during the call, when nothing was held back yet.
            if endpoint.channel.wantsRedelivery, !endpoint.channel.isPaused { self.enqueue(endpoint) }
        }
    }

    private func take(ending: Int32, for endpoint: Endpoint, at place: Place) {
        if self.slots[Int(place.slot)].isShared {
            self.keep(RingStash(ending: ending), Int(place.slot))
            endpoint.trafficWhileShared(on: self)
            return
        }
        endpoint.channel.ending = ending
        if endpoint.channel.isPaused {
            self.tellHangup(endpoint)
        } else if endpoint.channel.wantsRedelivery, !endpoint.unread.isEmpty {
            // What is held back comes first.
            self.enqueue(endpoint)
        } else {
            self.finish(endpoint, ending: ending)
        }
    }

    /// Several completions may say the same; one pause tells it once.
    func tellHangup(_ endpoint: Endpoint) {
        if endpoint.channel.hasToldHangup { return }
        endpoint.channel.hasToldHangup = true
        endpoint.hungUpWhilePaused()
    }

    func finish(_ endpoint: Endpoint, ending: Int32) {
        if ending == 0 { endpoint.ended() } else { endpoint.failed(ending) }
    }

    /// Keeps what came for an endpoint that this worker does not own.
    func keep(_ stash: RingStash, _ slot: Int) {
        self.slots[slot].operations.insert(.stashed)
        self.stashes[slot, default: RingStash()].bytes += stash.bytes
        if stash.ending != Endpoint.Channel.goesOn { self.stashes[slot]?.ending = stash.ending }
    }

    /// Offers the bytes held back, at most a receive buffer's worth at once.
    func deliverHeld(_ endpoint: Endpoint, at place: Place) {
        // Taken out, so that the block stays where it is even if the endpoint is closed meanwhile.
        var held = endpoint.unread.takeOut()
        let count = min(held.count, Self.receiveCapacity)
        endpoint.channel.wantsRedelivery = false
        let bytes = unsafe UnsafeRawBufferPointer(rebasing: held.bytes[0..<count])
        let consumed = unsafe endpoint.received(bytes.assumingMemoryBound(to: UInt8.self).span)
        guard self.owns(place), consumed < held.count else {
            held.clear(cache: &self.blocks)
            return
        }
        held.drop(consumed, cache: &self.blocks)
        endpoint.unread.putBack(held)
        if endpoint.channel.isPaused { return }
        if consumed > 0, count - consumed < endpoint.unread.count { endpoint.channel.wantsRedelivery = true }
        if endpoint.channel.wantsRedelivery {
            self.enqueue(endpoint)
        } else if consumed == 0, count == Self.receiveCapacity {
            endpoint.failed(Errno.messageTooLong)
        }
    }

    /// An endpoint was queued: something of it must not wait for the kernel.
    func serveRing(_ endpoint: Endpoint, at place: Place) {
        if self.slots[Int(place.slot)].operations.contains(.awaitingHandover) { return }
        if endpoint.channel.isPaused {
            if endpoint.channel.isEnding || endpoint.channel.ending != Endpoint.Channel.goesOn {
                self.tellHangup(endpoint)
            }
            return
        }
        let isLook = endpoint.channel.mayHaveBytes && endpoint.pendingError == 0
        if isLook { endpoint.channel.mayHaveBytes = false }
        let isRedelivery = endpoint.channel.wantsRedelivery && !endpoint.unread.isEmpty
        if isRedelivery {
            self.deliverHeld(endpoint, at: place)
            guard self.owns(place) else { return }
            if endpoint.channel.isPaused {
                // One that has been told of in an earlier pause.
                if endpoint.channel.isEnding { self.tellHangup(endpoint) }
                return
            }
            // There is more to deliver before anything else may happen.
            if endpoint.channel.wantsRedelivery { return }
        }
        if endpoint.channel.ending != Endpoint.Channel.goesOn {
            self.finish(endpoint, ending: endpoint.channel.ending)
        } else if endpoint.channel.isEnding {
            self.readLastWords(endpoint, at: place)
        } else {
            self.arm(endpoint)
            if isLook, !isRedelivery { endpoint.nothingToRead() }
        }
    }

    /// Sending has failed or the peer has hung up: what it still said is read by system calls of its own.
    ///
    /// An operation would wait for ever where a peer has stopped to listen but not to speak. And one
    /// that takes bytes with a reset close behind them has been seen to stay armed without ever reporting the reset.
    private func readLastWords(_ endpoint: Endpoint, at place: Place) {
        if self.slots[Int(place.slot)].operations.contains(.receiving) {
            self.unpack(self.recall(Int(place.slot)), to: endpoint)
            if !endpoint.unread.isEmpty || endpoint.channel.ending != Endpoint.Channel.goesOn {
                self.enqueue(endpoint)
                return
            }
        }
        guard endpoint.unread.count <= Self.receiveCapacity else {
            endpoint.failed(Errno.messageTooLong)
            return
        }
        endpoint.channel.mayHaveBytes = true
        self.receive(endpoint, at: place)
    }

    /// True when an endpoint whose reading is resumed has more to do than to wait for bytes that are on order.
    func mustServe(_ endpoint: Endpoint) -> Bool {
        if endpoint.channel.ending != Endpoint.Channel.goesOn || endpoint.channel.isEnding { return true }
        let operations = self.slots[Int(endpoint.channel.slot)].operations
        return operations.isDisjoint(with: [.receiving, .awaitingHandover])
    }

    /// Whether bytes or the end wait for an endpoint where only the kernel or the ring knows of them.
    func hasInputUnderWay(_ endpoint: Endpoint) -> Bool {
        let slot = Int(endpoint.channel.slot)
        guard slot >= 0, slot < self.slots.count else { return false }
        let tag = RingTag(.receive, slot: slot, generation: self.slots[slot].generation).bits
        return unsafe cr_ring_holds(self.ring, tag) != 0 || cr_peek(endpoint.channel.descriptor) != 0
    }
}
