import CReactor

/// Endpoints under a codec: what arrives is unsealed before anybody sees it, what goes out is sealed.
///
/// Bytes held back for such an endpoint are plain ones; what is incomplete in the sealed stream is the codec's to keep.
extension Worker {
    var sealBuffers: SealBuffers {
        if let buffers = self.sealing { return buffers }
        let buffers = SealBuffers()
        self.sealing = buffers
        return buffers
    }

    /// Bytes came in from the kernel for an endpoint that this worker owns.
    func takeSealed(
        _ bytes: UnsafeRawBufferPointer,
        for endpoint: Endpoint,
        _ codec: StreamCodec,
        at place: Place
    ) {
        let buffers = self.sealBuffers
        let unsealed = unsafe self.unseal(bytes, for: endpoint, codec, into: buffers.plain)
        // Noted while the endpoint is surely this worker's: taking the bytes may give it away, and the codec reports an
        // end once.
        self.noteEnd(unsealed.state, of: endpoint)
        if unsealed.count > 0 {
            let plain = unsafe UnsafeRawBufferPointer(rebasing: buffers.plain[0..<unsealed.count])
            // Asked for first: what these bytes do may end it, or the endpoint.
            let isSecret = endpoint.channel.wipesReceived
            unsafe self.takePlain(plain, for: endpoint, at: place)
            if isSecret { unsafe cr_wipe(buffers.plain.baseAddress, plain.count) }
        } else if unsealed.state == .goesOn, endpoint.unread.isEmpty, !codec.isWithinRecord {
            endpoint.nothingToRead()
        }
        if unsealed.state == .goesOn { return }
        if self.owns(place) {
            self.end(endpoint, at: place)
        } else {
            // Shared: whoever wins it is told. Moved: `attach` has seen to it.
            self.enqueueUnread(endpoint, at: place)
        }
    }

    private func noteEnd(_ state: StreamCodec.State, of endpoint: Endpoint) {
        switch state {
        case .goesOn: break
        case .closed: endpoint.channel.ending = 0
        case .failed: endpoint.channel.ending = Errno.protocolError
        }
    }

    private func unseal(
        _ bytes: UnsafeRawBufferPointer,
        for endpoint: Endpoint,
        _ codec: StreamCodec,
        into plain: UnsafeMutableRawBufferPointer
    ) -> StreamCodec.Unsealed {
        let replies = unsafe self.sealBuffers.replies
        var unsealed = unsafe codec.unseal(bytes, into: plain, replies: replies)
        if unsealed.replyCount > 0 {
            if endpoint.unsent.isEmpty { endpoint.channel.repliesUntaken = 0 }
            endpoint.channel.repliesUntaken += unsealed.replyCount
            unsafe endpoint.sendRaw(UnsafeRawBufferPointer(rebasing: replies[0..<unsealed.replyCount]))
            if endpoint.channel.repliesUntaken > Self.repliesUntakenMax { unsealed.state = .failed }
        }
        return unsealed
    }

    /// Nobody but the codec knows of its answers (no to a renegotiation, say), so nobody pauses a peer that asks for
    /// them and does not take them: this ends it.
    private static let repliesUntakenMax = 64 * 1024

    private func end(_ endpoint: Endpoint, at place: Place) {
        if endpoint.channel.isPaused {
            self.tellHangup(endpoint)
        } else if self.slots[Int(place.slot)].isQueued {
            // It is told in its turn: reading was resumed while the bytes were taken.
            return
        } else if endpoint.channel.wantsRedelivery, !endpoint.unread.isEmpty {
            // What is held back comes first.
            self.enqueue(endpoint)
        } else {
            self.finish(endpoint, ending: endpoint.channel.ending)
        }
    }

    /// Adds what came for an endpoint elsewhere, or before it was secured, to what is held back for it. Not by way of
    /// the common buffer: the bytes of another endpoint may be in use there.
    func holdSealed(_ bytes: UnsafeRawBufferPointer, for endpoint: Endpoint, _ codec: StreamCodec) {
        let room = unsafe self.blocks.take(atLeast: bytes.count + StreamCodec.plainSlack)
        let unsealed = unsafe self.unseal(bytes, for: endpoint, codec, into: room)
        if unsealed.count > 0 {
            let plain = unsafe UnsafeRawBufferPointer(rebasing: room[0..<unsealed.count])
            unsafe endpoint.unread.append(plain, cache: &self.blocks)
            endpoint.channel.wantsRedelivery = true
            if endpoint.channel.wipesReceived { unsafe cr_wipe(room.baseAddress, unsealed.count) }
        }
        unsafe self.blocks.giveBack(room)
        self.noteEnd(unsealed.state, of: endpoint)
    }

    /// Delivers what is held back, else reads once.
    func receiveSealed(_ endpoint: Endpoint, _ codec: StreamCodec, at place: Place) {
        if endpoint.channel.wantsRedelivery, !endpoint.unread.isEmpty {
            let hadMore = self.hasMore(endpoint)
            self.deliverHeld(endpoint, at: place)
            guard self.owns(place) else {
                // Shared by what it was given: whoever wins it finds the rest.
                if hadMore { self.enqueueUnread(endpoint, at: place) }
                return
            }
            guard !endpoint.channel.isPaused else { return }
            if !endpoint.channel.wantsRedelivery, self.hasMore(endpoint) { self.enqueue(endpoint) }
            return
        }
        endpoint.channel.wantsRedelivery = false
        if endpoint.channel.ending != Endpoint.Channel.goesOn {
            self.finish(endpoint, ending: endpoint.channel.ending)
            return
        }
        guard endpoint.channel.mayHaveBytes else { return }
        let count = self.read(endpoint, behind: 0)
        guard count > 0 else {
            _ = self.tellEnd(of: endpoint, afterReading: count, held: 0)
            return
        }
        let hasMore = endpoint.channel.mayHaveBytes
        unsafe self.takeSealed(
            UnsafeRawBufferPointer(rebasing: self.receiveBuffer[0..<count]),
            for: endpoint,
            codec,
            at: place
        )
        if hasMore { self.enqueueUnread(endpoint, at: place) }
    }

    private func hasMore(_ endpoint: Endpoint) -> Bool {
        endpoint.channel.mayHaveBytes || endpoint.channel.ending != Endpoint.Channel.goesOn
    }
}

extension Endpoint {
    /// From now on `codec` lies between the descriptor and the subclass. Bytes that it has taken in already are
    /// delivered in a later round, never from inside this call.
    public final func secure(by codec: StreamCodec) {
        self.codec = codec
        unsafe self.worker.holdSealed(UnsafeRawBufferPointer(start: nil, count: 0), for: self, codec)
        if self.channel.wantsRedelivery || self.channel.ending != Channel.goesOn { unsafe self.worker.enqueue(self) }
    }

    public final var isSecured: Bool { self.codec != nil }

    /// Why the sealed stream is broken, if it is.
    public final var codecFailureText: String? { self.codec?.failureText }

    final func seal(_ bytes: UnsafeRawBufferPointer, by codec: StreamCodec) {
        var offset = 0
        let sealed = unsafe self.worker.sealBuffers.sealed
        while offset < bytes.count, self.channel.descriptor >= 0 {
            let result = unsafe codec.seal(UnsafeRawBufferPointer(rebasing: bytes[offset...]), into: sealed)
            if result.written > 0 {
                unsafe self.sendRaw(UnsafeRawBufferPointer(rebasing: sealed[0..<result.written]))
            }
            guard result.taken > 0 else {
                unsafe self.worker.noteBroken(self, error: Errno.protocolError)
                return
            }
            offset += result.taken
        }
    }

    /// Tells the peer that nothing more will come, once.
    final func sealEnd() {
        guard let codec, !self.channel.hasSealedEnd, self.channel.descriptor >= 0, self.pendingError == 0
        else { return }
        self.channel.hasSealedEnd = true
        let sealed = unsafe self.worker.sealBuffers.sealed
        let written = unsafe codec.seal(endInto: sealed)
        if written > 0 { unsafe self.sendRaw(UnsafeRawBufferPointer(rebasing: sealed[0..<written])) }
    }
}
