/// Plain bytes that a codec has made: delivered at once, or held back while the endpoint pauses or does not consume
/// them.
extension Worker {
    /// Delivers bytes behind those held back, or holds them back too.
    func takePlain(_ bytes: UnsafeRawBufferPointer, for endpoint: Endpoint, at place: Place) {
        if endpoint.channel.isPaused {
            unsafe endpoint.unread.append(bytes, cache: &self.blocks)
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

    /// Several completions may say the same; one pause tells it once.
    func tellHangup(_ endpoint: Endpoint) {
        if endpoint.channel.hasToldHangup { return }
        endpoint.channel.hasToldHangup = true
        endpoint.hungUpWhilePaused()
    }

    func finish(_ endpoint: Endpoint, ending: Int32) {
        if ending == 0 { endpoint.ended() } else { endpoint.failed(ending) }
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
}
