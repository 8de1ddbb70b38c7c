import CReactor

/// What a worker does when the kernel reports something about an endpoint.
///
/// A callback may close the endpoint it is made on, or give it away to another worker: after a callback nothing of the
/// endpoint is touched unless its place still holds.
extension Worker {
    /// True while the endpoint that was registered at `place` is still there and still this worker's own.
    func owns(_ place: Place) -> Bool {
        let slot = Int(place.slot)
        return self.slots[slot].generation == place.generation && !self.slots[slot].isShared
    }

    func dispatch(_ event: cr_event) {
        let slot = Int(event.slot)
        guard slot < self.slots.count, self.slots[slot].generation == event.generation,
            let endpoint = self.slots[slot].endpoint
        else { return }
        if self.slots[slot].isShared {
            if event.events & EventFlags.ending != 0 { self.slots[slot].hasEnding = true }
            endpoint.trafficWhileShared(on: self)
            return
        }
        if endpoint.channel.isConnecting {
            self.finishConnect(endpoint)
            return
        }
        let place = Place(slot: Int32(slot), generation: event.generation)
        if event.events & EventFlags.writable != 0, endpoint.channel.awaitsWritable {
            self.flush(endpoint)
            if !self.owns(place) { return }
        }
        if event.events & ~EventFlags.writable != 0 {
            endpoint.channel.mayHaveBytes = true
            if event.events & EventFlags.ending != 0 { endpoint.channel.isEnding = true }
            // Whoever was told that nothing more comes learns that nothing more is taken either.
            if event.events & EventFlags.broken != 0 { endpoint.channel.hasToldHangup = false }
            if endpoint.channel.isListener {
                // It may have left some, which the descriptor of a guest does not tell of again.
                self.isSignalled = true
                endpoint.acceptPending()
            } else {
                self.serve(endpoint, at: place)
            }
        }
    }

    private func serve(_ endpoint: Endpoint, at place: Place) {
        if endpoint.channel.isPaused {
            if endpoint.channel.isAtEnd { self.tellHangup(endpoint) }
            return
        }
        self.receive(endpoint, at: place)
        // Paused by what came together with the end, which is not reported again.
        if self.owns(place), endpoint.channel.isAtEnd, endpoint.channel.isPaused { self.enqueue(place) }
    }

    /// Reads once, behind the bytes that were held back, and delivers. An endpoint whose bytes filled the buffer, or
    /// whose end is still to be read, is queued for the next round, so that a big result cannot starve the others.
    func receive(_ endpoint: Endpoint, at place: Place) {
        if let codec = endpoint.codec {
            self.receiveSealed(endpoint, codec, at: place)
            return
        }
        let held = endpoint.unread.count
        // After a pause the held bytes come first and alone: they must reach the subclass before the end of the stream
        // does, and they may fill the buffer.
        let isRedelivery = held > 0 && endpoint.channel.wantsRedelivery
        endpoint.channel.wantsRedelivery = false
        if held > 0 {
            unsafe self.receiveBuffer.copyMemory(from: endpoint.unread.bytes)
            endpoint.unread.clear(cache: &self.blocks)
        }
        var total = held
        if endpoint.channel.mayHaveBytes, !isRedelivery {
            let isSecret = endpoint.channel.wipesReceived
            let count = self.read(endpoint, behind: held)
            if count <= 0, !self.tellEnd(of: endpoint, afterReading: count, held: held) {
                if isSecret { unsafe cr_wipe(self.receiveBuffer.baseAddress, held) }
                return
            }
            total += max(count, 0)
        }
        let hasMore = endpoint.channel.mayHaveBytes
        if total > 0 { self.deliver(endpoint, at: place, count: total) }
        if hasMore { self.enqueueUnread(endpoint, at: place) }
    }

    /// The result of `cr_receive` for what follows the first `held` bytes of the receive buffer.
    func read(_ endpoint: Endpoint, behind held: Int) -> Int {
        let room = Self.receiveCapacity - held
        guard room > 0, let base = unsafe self.receiveBuffer.baseAddress else { return -Int(Errno.messageTooLong) }
        let count = unsafe cr_receive(endpoint.channel.descriptor, base + held, room)
        // A stream that gives less than asked for is drained; only its end may still have to be read.
        if count < room, !endpoint.channel.isEnding || count <= 0 { endpoint.channel.mayHaveBytes = false }
        return count
    }

    /// Nothing was read: tells the endpoint what that means.
    ///
    /// - Returns: false when that was the end, or when there is nothing to deliver.
    func tellEnd(of endpoint: Endpoint, afterReading result: Int, held: Int) -> Bool {
        if result == 0 {
            endpoint.ended()
            return false
        }
        if result != -Errno.again {
            endpoint.failed(Int32(clamping: -result))
            return false
        }
        if endpoint.pendingError != 0 {
            endpoint.failed(endpoint.pendingError)
            return false
        }
        if held == 0 { endpoint.nothingToRead() }
        return held > 0
    }

    private func deliver(_ endpoint: Endpoint, at place: Place, count: Int) {
        let bytes = unsafe UnsafeRawBufferPointer(rebasing: self.receiveBuffer[0..<count])
        // Asked for first: what these bytes do may end it, or the endpoint.
        let isSecret = endpoint.channel.wipesReceived
        defer { if isSecret { unsafe cr_wipe(self.receiveBuffer.baseAddress, count) } }
        let consumed = unsafe endpoint.received(bytes.assumingMemoryBound(to: UInt8.self).span)
        if consumed < count, self.owns(place) {
            unsafe endpoint.unread.append(UnsafeRawBufferPointer(rebasing: bytes[consumed...]), cache: &self.blocks)
            // Reading was paused and resumed during the call, when nothing was held back yet.
            if endpoint.channel.wantsRedelivery, !endpoint.channel.isPaused { self.enqueue(place) }
        }
    }

    /// Bytes are left in the kernel, or the end is still to be told. If the endpoint was shared meanwhile, whoever wins
    /// it then is told.
    func enqueueUnread(_ endpoint: Endpoint, at place: Place) {
        let slot = Int(place.slot)
        guard self.slots[slot].generation == place.generation else { return }
        if self.slots[slot].isShared || !endpoint.channel.isPaused { self.enqueue(place) }
    }

    func flush(_ endpoint: Endpoint) {
        guard !endpoint.unsent.isEmpty else {
            endpoint.awaitWritable(false)
            return
        }
        let sent = unsafe cr_send(
            endpoint.channel.descriptor,
            endpoint.unsent.bytes.baseAddress,
            endpoint.unsent.count
        )
        if sent < 0 {
            if sent != -Errno.again { self.noteBroken(endpoint, error: Int32(clamping: -sent)) }
            return
        }
        endpoint.unsent.drop(sent, cache: &self.blocks)
        if endpoint.unsent.isEmpty {
            endpoint.awaitWritable(false)
            endpoint.sent()
        }
    }

    /// The descriptor is of no more use: what was to go out is dropped, and reading finds the reason or the peer's last
    /// words. Only if it finds neither, `error` is reported.
    func noteBroken(_ endpoint: Endpoint, error: Int32) {
        endpoint.unsent.clear(cache: &self.blocks)
        endpoint.pendingError = error
        // Whoever was told that the peer sends nothing more learns that it takes nothing more either.
        endpoint.channel.hasToldHangup = false
        endpoint.channel.isEnding = true
        endpoint.channel.mayHaveBytes = true
        self.enqueue(endpoint)
    }

    // MARK: Work that must not wait for the kernel

    /// Queues an endpoint for the next round. Each stands in the queue once at most.
    func enqueue(_ endpoint: Endpoint) {
        let slot = endpoint.channel.slot
        guard slot >= 0 else { return }
        self.enqueue(Place(slot: slot, generation: self.slots[Int(slot)].generation))
    }

    private func enqueue(_ place: Place) {
        guard !self.slots[Int(place.slot)].isQueued else { return }
        self.slots[Int(place.slot)].isQueued = true
        self.ready.append(place)
    }

    func serveQueued(_ place: Place) {
        let slot = Int(place.slot)
        guard self.slots[slot].generation == place.generation, let endpoint = self.slots[slot].endpoint else { return }
        self.slots[slot].isQueued = false
        if self.slots[slot].isShared {
            endpoint.trafficWhileShared(on: self)
        } else {
            self.serve(endpoint, at: place)
        }
    }
}
