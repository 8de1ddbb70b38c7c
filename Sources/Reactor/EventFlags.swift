/// Bits of `struct epoll_event.events` (epoll_ctl(2)), as Swift sees none of them.
enum EventFlags {
    static let readable: UInt32 = 0x001
    static let writable: UInt32 = 0x004
    static let error: UInt32 = 0x008
    static let hangup: UInt32 = 0x010
    static let peerClosed: UInt32 = 0x2000
    static let edge: UInt32 = 1 << 31

    /// What a stream is registered for. Edge-triggered: a level-triggered descriptor is polled once more by the
    /// kernel after each event, which costs more than the bookkeeping that edges need.
    static let stream: UInt32 = readable | peerClosed | edge
    static let streamAndWrites: UInt32 = stream | writable
    /// Anything that says the peer will send no more.
    static let ending: UInt32 = error | hangup | peerClosed
    /// Anything that says it takes no more.
    static let broken: UInt32 = error | hangup
}
