import CReactor

/// Secrets on their way through the buffers that all endpoints of a worker share: passwords in clear text, tokens.
extension Endpoint {
    /// Whether the bytes that arrive are overwritten with zeros as soon as they have been looked at, and those held
    /// back as soon as they are not needed any more. For the time of a login; what is being delivered when this is
    /// turned off still is overwritten.
    public final var wipesReceived: Bool {
        get { self.channel.wipesReceived }
        set {
            self.channel.wipesReceived = newValue
            self.unread.isWiped = newValue
        }
    }

    /// Sends bytes that nobody may find in memory afterwards, and overwrites them with zeros: past the ring's arena,
    /// and what the kernel does not take at once is overwritten where it waits.
    public final func send(wiping bytes: inout [UInt8]) {
        self.pushOut()
        self.unsent.isWiped = true
        unsafe bytes.withUnsafeMutableBytes { bytes in
            unsafe self.sendUngathered(UnsafeRawBufferPointer(bytes))
            unsafe cr_wipe(bytes.baseAddress, bytes.count)
        }
        if self.unsent.isEmpty { self.unsent.isWiped = false }
    }
}
