import CReactor

/// One descriptor and its bytes in flight. Subclasses (outside this room) say what the bytes mean; this class and
/// `Worker` are the only ones that touch the descriptor.
///
/// The interface speaks of completions, not of readiness: bytes were received, everything was sent, a connect ended.
/// The bytes of `received` belong to the reactor and are valid during the call only; what the subclass does not
/// consume is kept by the reactor and offered again together with what arrives next.
///
/// Owned by exactly one worker at any time: every member may be used on that worker's thread only. `@unchecked
/// Sendable` because ownership moves between workers through `Worker.adopt` and mailboxes, which order the accesses.
open class Endpoint: @unchecked Sendable {
    /// What the reactor needs on every event, in one struct to keep exclusivity checks few.
    struct Channel {
        var descriptor: Int32
        var slot: Int32 = -1
        /// Bytes may wait in the kernel since the last edge.
        var mayHaveBytes = false
        /// The peer has closed or broken its side; reading goes on until the kernel says so.
        var isEnding = false
        var isPaused = false
        var awaitsWritable = false
        var isConnecting = false
        var isListener = false
        /// What arrives may be secret; see `Endpoint.wipesReceived`.
        var wipesReceived = false
        /// The bytes held back are to be offered again even if nothing new arrives.
        var wantsRedelivery = false
        /// The end as the codec has reported it: 0 for an orderly one, else an errno; `goesOn` before.
        var ending: Int32 = Channel.goesOn
        var hasToldHangup = false
        /// The codec has told the peer that nothing more will come.
        var hasSealedEnd = false
        /// What the codec has answered of its own since the peer last took everything.
        var repliesUntaken = 0
        /// The kernel reports bytes when this many are there (SO_RCVLOWAT); see `expect`.
        var lowWater: Int32 = 1

        static let goesOn: Int32 = -1

        /// The peer is known to have closed its side, although not all it sent may have been read.
        var isAtEnd: Bool { self.isEnding || self.ending != Channel.goesOn }
    }

    /// A send that waits for the end of the round in the ring's arena; see `Worker+GatheredSends.swift`.
    struct QueuedSend {
        var batch: UInt64 = 0
        var entry: UInt32 = 0
        var offset: UInt32 = 0
        var count: UInt32 = 0
    }

    // Not checked for exclusive access at run time, for the reasons given in `Worker`.
    @safe @exclusivity(unchecked) final var channel: Channel
    @safe @exclusivity(unchecked) final var codec: StreamCodec?
    @safe @exclusivity(unchecked) final var queuedSend = QueuedSend()
    @safe @exclusivity(unchecked) final var unread = HeldBytes()
    @safe @exclusivity(unchecked) final var unsent = HeldBytes()
    /// Why a connect, a registration or a send failed; reported in a later round.
    @safe @exclusivity(unchecked) final var pendingError: Int32 = 0
    /// The worker that owns this endpoint. Unowned: workers live as long as the process.
    @exclusivity(unchecked) public final unowned(unsafe) var worker: Worker

    /// - Parameter descriptor: a non-blocking stream socket that this endpoint now owns, or -1 for one that only
    ///   has a deadline and a mailbox.
    public init(descriptor: Int32, worker: Worker) {
        self.channel = Channel(descriptor: descriptor)
        unsafe self.worker = worker
    }

    /// Connections wait on a listening descriptor; see `Listener`.
    func acceptPending() {}
    /// A listening descriptor has come to its worker, and is about to be closed.
    func listen(at place: Worker.Place) {}
    func stopListening() {}

    /// The operating system's number of the user at the other end of a unix socket.
    public var peerUserID: UInt32? {
        let user = cr_peer_user(self.channel.descriptor)
        return user < 0 ? nil : UInt32(exactly: user)
    }

    // MARK: What the subclass is told, on the owning worker's thread

    /// Bytes arrived. Returns how many from the front were consumed; the rest is offered again with what follows.
    open func received(_ bytes: Span<UInt8>) -> Int { bytes.count }
    /// The peer ended its stream in an orderly way, after all its bytes were delivered.
    open func ended() { self.close() }
    /// The descriptor failed with `error` (a positive errno).
    open func failed(_ error: Int32) { self.close() }
    /// The peer hung up while reading was paused, so `ended` will not be called before reading resumes.
    open func hungUpWhilePaused() {}
    /// Everything that had to wait in `send` has been handed to the kernel.
    open func sent() {}
    /// Bytes were expected (`Worker.look`) but none were there.
    open func nothingToRead() {}
    /// An outgoing connect has ended well.
    open func connected() {}
    /// The deadline set by `setDeadline` has passed.
    open func deadlinePassed() {}
    /// Another worker (or this one) posted `code`.
    open func posted(_ code: UInt64) {}
    /// Something happened on the descriptor while it was shared. Called on the worker where it is registered, which
    /// does not own it: the subclass must win it back (under its pool's lock) before it touches anything, then call
    /// `worker.unshare` and `worker.look`.
    open func trafficWhileShared(on worker: Worker) {}

    // MARK: What the subclass may ask for

    public final var isOpen: Bool { self.channel.descriptor >= 0 || self.channel.slot >= 0 }
    public final var descriptor: Int32 { self.channel.descriptor }
    /// Bytes given to `send` that the kernel did not take. Small sends may wait for the end of the round and count as
    /// taken until then; `pushOut` makes this exact.
    public final var unsentCount: Int { self.unsent.count }
    public final var unreadCount: Int { self.unread.count }

    /// Sends bytes in order: tried at once, kept when the kernel takes only a part. The caller bounds what it sends
    /// by looking at `unsentCount`. Failures are reported by `failed` in a later round, never from inside this call.
    public final func send(_ bytes: Span<UInt8>) {
        unsafe bytes.withUnsafeBytes { unsafe self.sendBytes($0) }
    }

    public final func send(_ bytes: [UInt8]) {
        unsafe bytes.withUnsafeBytes { unsafe self.sendBytes($0) }
    }

    private func sendBytes(_ bytes: UnsafeRawBufferPointer) {
        if let codec { unsafe self.seal(bytes, by: codec) } else { unsafe self.sendRaw(bytes) }
    }

    /// As `send`, but never kept for the end of the round.
    final func sendUngathered(_ bytes: UnsafeRawBufferPointer) {
        // Sealed bytes are no secret.
        if let codec { unsafe self.seal(bytes, by: codec) } else { unsafe self.sendNow(bytes) }
    }

    /// Sends bytes as they are to go over the wire.
    final func sendRaw(_ bytes: UnsafeRawBufferPointer) {
        guard self.channel.descriptor >= 0, bytes.count > 0 else { return }
        if unsafe self.worker.gathersSends, unsafe self.worker.gather(bytes, for: self) { return }
        unsafe self.sendNow(bytes)
    }

    private func sendNow(_ bytes: UnsafeRawBufferPointer) {
        var taken = 0
        if self.unsent.isEmpty, !self.channel.isConnecting {
            let result = unsafe cr_send(self.channel.descriptor, bytes.baseAddress, bytes.count)
            if result == bytes.count { return }
            if result >= 0 {
                taken = result
            } else if result != -Errno.again {
                // The peer is gone. Reading will find out (and may still find its last words).
                unsafe self.worker.noteBroken(self, error: Int32(clamping: -result))
                return
            }
        }
        unsafe self.unsent.append(UnsafeRawBufferPointer(rebasing: bytes[taken...]), cache: &self.worker.blocks)
        self.awaitWritable(true)
    }

    final func awaitWritable(_ wanted: Bool) {
        guard self.channel.awaitsWritable != wanted, self.channel.slot >= 0 else { return }
        self.channel.awaitsWritable = wanted
        unsafe self.worker.register(self, modify: true)
    }

    /// Stops reading: the peer feels it as back-pressure.
    public final func pauseReading() { self.channel.isPaused = true }

    public final var isReadingPaused: Bool { self.channel.isPaused }

    /// Goes on reading; bytes held back are offered again.
    public final func resumeReading() {
        // Set even when nothing is held back: `received` may be under way and leave something.
        if self.channel.isPaused || !self.unread.isEmpty { self.channel.wantsRedelivery = true }
        self.channel.isPaused = false
        self.channel.hasToldHangup = false
        if !self.unread.isEmpty || self.channel.mayHaveBytes || self.channel.ending != Channel.goesOn {
            unsafe self.worker.enqueue(self)
        }
    }

    /// Arms the one deadline of this endpoint, replacing an earlier one.
    public final func setDeadline(_ deadline: MonotonicMicroseconds) {
        guard self.channel.slot >= 0 else { return }
        unsafe self.worker.timers.arm(Int(self.channel.slot), at: deadline)
    }

    public final func clearDeadline() {
        guard self.channel.slot >= 0 else { return }
        unsafe self.worker.timers.cancel(Int(self.channel.slot))
    }

    /// Received bytes that nobody has consumed yet, here or (as far as known) in the kernel.
    public final var hasUnreadInput: Bool {
        if !self.unread.isEmpty || self.channel.mayHaveBytes { return true }
        // What gathers below the mark is not reported.
        return self.channel.lowWater > 1 && self.hasGathered
    }

    /// Everything that was sent has come to the peer's system, over a unix socket to the peer itself.
    public final var isAllDelivered: Bool {
        self.unsent.isEmpty && self.channel.descriptor >= 0 && cr_unacknowledged(self.channel.descriptor) == 0
    }

    /// The peer is known to have closed its side, although not all it sent may have been read.
    public final var hasPeerHungUp: Bool { self.channel.isAtEnd }

    /// The peer has broken the connection off (a reset), so that it hears nothing more; false for one that has only
    /// closed its side. The kernel tells it once: the endpoint is to be closed then.
    public final func hasPeerBrokenOff() -> Bool {
        if self.pendingError != 0 { return true }
        return self.channel.descriptor >= 0 && cr_socket_error(self.channel.descriptor) != 0
    }

    /// Hands what `send` has queued for the end of the round to the kernel now.
    public final func pushOut() {
        if unsafe self.worker.gathersSends { unsafe self.worker.pushOut(self) }
    }

    /// Tells the peer that nothing more will come, and goes on reading.
    public final func shutdownSending() {
        self.sealEnd()
        self.pushOut()
        if self.channel.descriptor >= 0 { cr_shutdown_sending(self.channel.descriptor) }
    }

    /// Closes the descriptor and forgets all bytes. Safe to call twice.
    public final func close() { self.close(abortively: false) }

    /// Closes with a reset, so that the peer cannot mistake it for a complete answer.
    public final func abort() { self.close(abortively: true) }

    private func close(abortively: Bool) {
        guard self.isOpen else { return }
        if !abortively { self.sealEnd() }
        self.pushOut()
        if self.channel.isListener { self.stopListening() }
        if self.channel.slot >= 0 { unsafe self.worker.forget(self) }
        let descriptor = self.channel.descriptor
        self.channel.descriptor = -1
        self.channel.ending = Channel.goesOn
        if descriptor >= 0 {
            if abortively { _ = cr_close_abortive(descriptor) } else { _ = cr_close(descriptor) }
        }
        unsafe self.unread.clear(cache: &self.worker.blocks)
        unsafe self.unsent.clear(cache: &self.worker.blocks)
        self.codec = nil
    }
}

/// The few errno values the reactor decides on.
enum Errno {
    static let again = 11
    static let interrupted: Int32 = 4
    static let messageTooLong: Int32 = 90
    static let protocolError: Int32 = 71
    static let noBufferSpace: Int32 = 105
    static let outOfMemory: Int32 = 12
    static let busy: Int32 = 16
}
