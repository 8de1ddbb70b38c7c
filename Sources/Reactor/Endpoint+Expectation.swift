import CReactor

/// Fewer wake-ups while a long message passes: PostgreSQL writes it in pieces of 8 KiB, and to be woken for each of
/// them costs more than to move it.
extension Endpoint {
    /// Less than this is not worth a system call.
    private static let expectationFloor = 64 * 1024
    /// What may gather before the worker is woken; within the kernel's default receive buffer.
    private static let expectationStep = 128 * 1024

    /// Says that `count` more bytes of the present message are on their way, so that the kernel may let some of them
    /// gather. Only ever less than what is certain to come: nothing waits for bytes that nobody has announced, and the
    /// peer's end or an error is reported in any case.
    @inline(__always)
    public final func expect(_ count: Int) {
        if count < Self.expectationFloor, self.channel.lowWater == 1 { return }
        self.setLowWater(count)
    }

    private func setLowWater(_ count: Int) {
        // What a codec holds back of its last record has been taken from the kernel already.
        let isWorthwhile = count >= Self.expectationFloor && self.codec == nil
        let wanted = isWorthwhile ? Int32(min(count, Self.expectationStep)) : 1
        guard wanted != self.channel.lowWater, self.channel.descriptor >= 0 else { return }
        self.channel.lowWater = wanted
        cr_set_low_water(self.channel.descriptor, wanted)
    }

    /// Bytes (or the end) wait in the kernel, reported or not.
    var hasGathered: Bool { cr_peek(self.channel.descriptor) != 0 }
}
