import CReactor

/// How workers speak to the kernel.
public enum IOMethod: String, Sendable {
    /// Operations queued and completions reaped through one shared ring per worker.
    case ioUring = "io_uring"
    /// Readiness by epoll, then one system call per receive and send. Works everywhere.
    case epoll

    /// Makes `count` workers, all with the same driver.
    ///
    /// - Parameter wanted: nil for io_uring where it can be used, else epoll.
    /// - Throws: `ReactorError` when the wanted driver is not to be had, or no descriptor is left.
    package static func makeWorkers(_ count: Int, wanted: IOMethod?) throws(ReactorError) -> WorkerSet {
        if wanted != .epoll {
            do throws(ReactorError) {
                if let reason = Self.whyNoRing() { throw reason }
                return WorkerSet(workers: try Self.workers(count, .ioUring), method: .ioUring, whyNoRing: nil)
            } catch {
                if wanted == .ioUring { throw error }
                return WorkerSet(workers: try Self.workers(count, .epoll), method: .epoll, whyNoRing: error)
            }
        }
        return WorkerSet(workers: try Self.workers(count, .epoll), method: .epoll, whyNoRing: nil)
    }

    private static func workers(_ count: Int, _ method: IOMethod) throws(ReactorError) -> [Worker] {
        var workers: [Worker] = []
        for index in 0..<count { workers.append(try Worker(index: index, method: method)) }
        return workers
    }

    /// Why io_uring cannot be used here, nil when it can. Tries everything the reactor relies on: kernels differ, and
    /// containers often forbid it. Takes less than a millisecond.
    package static func whyNoRing() -> ReactorError? {
        let result = cr_ring_probe()
        return result < 0 ? ReactorError(code: -result, operation: "io_uring") : nil
    }
}

/// Workers that have not been started, and what they run on.
package struct WorkerSet {
    package let workers: [Worker]
    package let method: IOMethod
    /// Set when io_uring was tried in vain.
    package let whyNoRing: ReactorError?
}

/// What a completion is for: the operation, the slot, and the slot's generation at the time, in the 64 bits that the
/// kernel hands back with it.
struct RingTag: Equatable {
    enum Operation: UInt64 {
        case none = 0
        case receive = 1
        case accept = 2
        case writable = 3
        case hangup = 4
        case wake = 5
        case send = 6
        case cancel = 7
    }

    /// The tag keeps fewer bits than the slot; a slot would have to be reused 2^28 times while a completion waits.
    private static let generationMask: UInt32 = 0x0fff_ffff

    let bits: UInt64

    init(bits: UInt64) { self.bits = bits }

    init(_ operation: Operation, slot: Int, generation: UInt32) {
        self.bits =
            UInt64(generation & Self.generationMask) << 36 | operation.rawValue << 32
            | UInt64(UInt32(truncatingIfNeeded: slot))
    }

    var operation: Operation { Operation(rawValue: self.bits >> 32 & 15) ?? .none }
    var slot: Int { Int(truncatingIfNeeded: self.bits & 0xffff_ffff) }

    func matches(generation: UInt32) -> Bool {
        UInt32(truncatingIfNeeded: self.bits >> 36) == generation & Self.generationMask
    }
}

/// What a slot has under way in its worker's ring.
struct RingOperations: OptionSet {
    let rawValue: UInt8

    static let receiving = RingOperations(rawValue: 1)
    /// The receive operation is being cancelled; its last completion is still to come.
    static let cancelling = RingOperations(rawValue: 2)
    static let accepting = RingOperations(rawValue: 4)
    static let awaitingWritable = RingOperations(rawValue: 8)
    static let awaitingHangup = RingOperations(rawValue: 16)
    /// The worker from which the endpoint was adopted has not let go of it yet: nothing may be received here.
    static let awaitingHandover = RingOperations(rawValue: 32)
    /// Bytes or the end came while the endpoint was shared; see `Worker.stashes`.
    static let stashed = RingOperations(rawValue: 64)
}

/// What a ring had taken from the kernel for an endpoint that its worker does not own.
struct RingStash: Sendable {
    var bytes: [UInt8] = []
    /// As in `Endpoint.Channel.ending`.
    var ending: Int32 = Endpoint.Channel.goesOn
}

/// Who gets what an old worker still has for an adopted endpoint.
struct RingSuccessor {
    let worker: Worker
    let place: Worker.Place
}
