/// What lies between the descriptor of an endpoint and the bytes that its subclass sees: TLS.
///
/// It works on buffers and knows no descriptor. `Endpoint.secure(by:)` puts one in; from then on everything received
/// goes through `unseal` before `received` sees it, and everything sent through `seal`. A class and not a protocol:
/// one indirect call per chunk.
///
/// Owned by its endpoint, and with it by one worker at a time.
open class StreamCodec: @unchecked Sendable {
    public enum State: Sendable {
        case goesOn
        /// The peer has ended its stream in an orderly way.
        case closed
        /// What came is not what the peer could have sealed; nothing more can be read.
        case failed
    }

    public struct Unsealed: Sendable {
        /// Bytes written to `plain`.
        public var count: Int
        /// Bytes written to `replies`, to be sent to the peer as they are.
        public var replyCount: Int
        public var state: State

        public init(count: Int, replyCount: Int, state: State) {
            self.count = count
            self.replyCount = replyCount
            self.state = state
        }
    }

    public struct Sealed: Sendable {
        /// Bytes of `plain` that were sealed; none or fewer when the stream is broken.
        public var taken: Int
        /// Bytes written to `sealed`.
        public var written: Int

        public init(taken: Int, written: Int) {
            self.taken = taken
            self.written = written
        }
    }

    public init() {}

    /// Takes in all of `sealed`. The room of `plain` exceeds it by `plainSlack` bytes at least, for what earlier calls
    /// have left.
    open func unseal(
        _ sealed: UnsafeRawBufferPointer,
        into plain: UnsafeMutableRawBufferPointer,
        replies: UnsafeMutableRawBufferPointer
    ) -> Unsealed {
        Unsealed(count: 0, replyCount: 0, state: .failed)
    }

    /// Seals as much of `plain` as there is room for. What is left is offered again.
    open func seal(_ plain: UnsafeRawBufferPointer, into sealed: UnsafeMutableRawBufferPointer) -> Sealed {
        Sealed(taken: -1, written: 0)
    }

    /// Writes what tells the peer that nothing more will come. Asked for once at most.
    open func seal(endInto sealed: UnsafeMutableRawBufferPointer) -> Int { 0 }

    /// Whether what was taken in last ends in the midst of something sealed.
    open var isWithinRecord: Bool { false }

    /// Why the stream is broken, for logs.
    open var failureText: String? { nil }

    public static let plainSlack = 64 * 1024
    /// Room for what `seal` writes: eight full records of TLS, and more.
    public static let sealCapacity = 144 * 1024
    public static let replyCapacity = 4096
}

/// Buffers for sealed streams, shared by all endpoints of a worker and made when the first of them comes.
@safe
struct SealBuffers {
    /// What `unseal` has written; in use while `received` looks at it.
    let plain: UnsafeMutableRawBufferPointer
    let sealed: UnsafeMutableRawBufferPointer
    let replies: UnsafeMutableRawBufferPointer

    init() {
        unsafe self.plain = .allocate(byteCount: Worker.receiveCapacity + StreamCodec.plainSlack, alignment: 64)
        unsafe self.sealed = .allocate(byteCount: StreamCodec.sealCapacity, alignment: 64)
        unsafe self.replies = .allocate(byteCount: StreamCodec.replyCapacity, alignment: 64)
    }

    func deallocate() {
        unsafe self.plain.deallocate()
        unsafe self.sealed.deallocate()
        unsafe self.replies.deallocate()
    }
}
