import Glibc
import Synchronization

@testable import Reactor

/// An endpoint that writes down what it is told. Used on the thread that drives its worker.
final class Probe: Endpoint, @unchecked Sendable {
    enum Happening: Equatable {
        case ended
        case failed(Int32)
        case hungUp
        case sent
        case nothingToRead
        case connected
        case deadline
        case posted(UInt64)
        case traffic(worker: Int)
    }

    private(set) var happenings: [Happening] = []
    /// What was consumed, in order.
    private(set) var consumed: [UInt8] = []
    /// How many bytes each call offered.
    private(set) var offers: [Int] = []
    /// How many of the offered bytes to take; all when nil.
    var taking: ((Probe, Int) -> Int)?
    var onHappening: ((Probe, Happening) -> Void)?
    /// Set by a test while it is inside a call that must not call back.
    var isInsideCall = false
    private(set) var reentrantCalls = 0

    private func note(_ happening: Happening) {
        if self.isInsideCall { self.reentrantCalls += 1 }
        self.happenings.append(happening)
        self.onHappening?(self, happening)
    }

    override func received(_ bytes: Span<UInt8>) -> Int {
        if self.isInsideCall { self.reentrantCalls += 1 }
        self.offers.append(bytes.count)
        let offered = (0..<bytes.count).map { bytes[$0] }
        let count = self.taking?(self, bytes.count) ?? bytes.count
        self.consumed += offered.prefix(count)
        return count
    }

    override func ended() {
        self.note(.ended)
        self.close()
    }

    override func failed(_ error: Int32) {
        self.note(.failed(error))
        self.close()
    }

    override func hungUpWhilePaused() { self.note(.hungUp) }
    override func sent() { self.note(.sent) }
    override func nothingToRead() { self.note(.nothingToRead) }
    override func connected() { self.note(.connected) }
    override func deadlinePassed() { self.note(.deadline) }
    override func posted(_ code: UInt64) { self.note(.posted(code)) }
    override func trafficWhileShared(on worker: Worker) { self.note(.traffic(worker: worker.index)) }
}

/// The test's own end of a connection; closed when it goes.
final class Peer: Sendable {
    let descriptor: Int32
    private let isClosed = Atomic<Bool>(false)

    init(_ descriptor: Int32) { self.descriptor = descriptor }
    deinit { self.close() }

    func close() {
        if !self.isClosed.exchange(true, ordering: .relaxed) { _ = Glibc.close(self.descriptor) }
    }

    /// Closes with a reset.
    func reset() {
        var linger = Glibc.linger(l_onoff: 1, l_linger: 0)
        let size = socklen_t(MemoryLayout<Glibc.linger>.size)
        _ = unsafe setsockopt(self.descriptor, SOL_SOCKET, SO_LINGER, &linger, size)
        self.close()
    }

    /// Writes all of `bytes`, waiting as long as it takes. False when the connection broke.
    @discardableResult
    func write(_ bytes: [UInt8]) -> Bool {
        var offset = 0
        while offset < bytes.count {
            let count = unsafe bytes.withUnsafeBytes { buffer in
                unsafe Glibc.send(
                    self.descriptor,
                    buffer.baseAddress.map { unsafe $0 + offset },
                    bytes.count - offset,
                    Int32(MSG_NOSIGNAL)
                )
            }
            if count < 0 { return false }
            offset += count
        }
        return true
    }

    /// What is there now, at most `capacity` bytes; empty at the end; nil when nothing is there or an error occurred.
    func read(_ capacity: Int = 65_536, waiting: Bool = false) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: capacity)
        let flags = waiting ? 0 : Int32(MSG_DONTWAIT)
        let count = unsafe bytes.withUnsafeMutableBytes { buffer in
            unsafe recv(self.descriptor, buffer.baseAddress, capacity, flags)
        }
        return count < 0 ? nil : Array(bytes.prefix(count))
    }

    func shutdown(_ how: Int) { _ = Glibc.shutdown(self.descriptor, Int32(how)) }
}

enum Sockets {
    /// A descriptor for an endpoint and the peer at its other side.
    static func pair() -> (descriptor: Int32, peer: Peer) {
        var descriptors: [Int32] = [-1, -1]
        _ = unsafe socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &descriptors)
        return (descriptors[0], Peer(descriptors[1]))
    }

    /// The same over TCP.
    static func tcpPair() throws -> (descriptor: Int32, peer: Peer) {
        let listening = try Self.listen()
        defer { ListeningSocket.close(listening) }
        guard let peer = Self.connect(port: ListeningSocket.port(of: listening)) else {
            throw ReactorError(code: ECONNREFUSED, operation: "connect")
        }
        return (accept(listening, nil, nil), peer)
    }

    static func loopback(port: UInt16 = 0) throws -> SocketAddress {
        guard let address = SocketAddress(numericHost: "127.0.0.1", port: port) else {
            throw ReactorError(code: EINVAL, operation: "parse")
        }
        return address
    }

    static func listen(backlog: Int32 = 64) throws -> Int32 {
        try ListeningSocket.tcp(Self.loopback(), backlog: backlog, options: SocketOptions())
    }

    /// A blocking connect to the loopback interface.
    static func connect(port: UInt16) -> Peer? {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        let result = unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        if result == 0 { return Peer(descriptor) }
        _ = Glibc.close(descriptor)
        return nil
    }
}

/// Runs rounds of the workers until `condition` holds; false when that takes too long.
func pump(_ workers: Worker..., seconds: Int64 = 30, until condition: () -> Bool) -> Bool {
    let limit = MonotonicClock.now() + seconds * 1_000_000
    while !condition() {
        if MonotonicClock.now() > limit { return false }
        for worker in workers { worker.runOnce(blocking: false) }
        sched_yield()
    }
    return true
}

/// Gives every event that is under way the chance to arrive.
func settle(_ workers: Worker...) {
    for _ in 0..<8 { for worker in workers { worker.runOnce(blocking: false) } }
}

/// Waits for what another thread does; false when that takes too long.
func wait(seconds: Int64 = 60, until condition: () -> Bool) -> Bool {
    let limit = MonotonicClock.now() + seconds * 1_000_000
    while !condition() {
        if MonotonicClock.now() > limit { return false }
        // Others have only two cores as well.
        usleep(50)
    }
    return true
}

/// A probe in the care of `worker`, and its peer.
func attached(to worker: Worker) -> (probe: Probe, peer: Peer) {
    let (descriptor, peer) = Sockets.pair()
    let probe = Probe(descriptor: descriptor, worker: worker)
    worker.attach(probe)
    settle(worker)
    return (probe, peer)
}

/// A plain thread.
struct TestThread {
    private let handle: pthread_t

    private final class Body {
        let run: @Sendable () -> Void
        init(_ run: @escaping @Sendable () -> Void) { self.run = run }
    }

    init(_ run: @escaping @Sendable () -> Void) {
        var handle = pthread_t()
        let body = unsafe Unmanaged.passRetained(Body(run)).toOpaque()
        _ = unsafe pthread_create(&handle, nil, { body in
            if let body = unsafe body { unsafe Unmanaged<Body>.fromOpaque(body).takeRetainedValue().run() }
            return nil
        }, body)
        self.handle = handle
    }

    func join() { _ = pthread_join(self.handle, nil) }
}

/// `count` bytes that show when one is lost, doubled or moved.
func pattern(_ count: Int, from start: Int = 0) -> [UInt8] {
    (start..<(start + count)).map { UInt8(truncatingIfNeeded: $0 % 251) }
}

/// Compares long arrays; `#expect` on the arrays themselves would describe their difference, which takes for ever.
func isSame(_ first: [UInt8], _ second: [UInt8]) -> Bool { first == second }

extension Worker {
    /// A worker that is never freed, as in the product: endpoints refer to theirs without keeping it alive.
    static func immortal(index: Int) throws -> Worker {
        let worker = try Worker(index: index, method: Driver.current)
        _ = unsafe Unmanaged.passRetained(worker)
        return worker
    }
}
