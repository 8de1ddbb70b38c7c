import Dispatch
import Foundation
import Synchronization

/// Why a lane has no answer.
public enum LaneRefusal: Error, Sendable, Equatable {
    /// Too much is waiting already.
    case full
    /// The call did not begin, or did not end, in time. Its thread stays with it until it returns.
    case timedOut
}

/// Threads for calls that block: name look-ups, system libraries. A bounded number of threads, made when needed; a
/// bounded queue before them; a deadline for each call. Whoever waits does so without a thread.
///
/// Any thread may call it. Everything mutable is guarded by `condition`.
public final class BlockingLane: @unchecked Sendable {
    private let name: String
    private let threadsMax: Int
    private let queueMax: Int
    private let condition = NSCondition()
    private var queue: [@Sendable () -> Void] = []
    private var head = 0
    private var threads = 0
    private var idle = 0
    private var busy = 0

    public init(name: String, threads: Int, queueMax: Int) {
        self.name = name
        self.threadsMax = max(threads, 1)
        self.queueMax = max(queueMax, 1)
    }

    /// Runs `body` on a thread of the lane. At once `.full` when too many calls wait.
    public func run<Value: Sendable>(
        within timeout: Duration,
        _ body: @escaping @Sendable () -> Value
    ) async -> Result<Value, LaneRefusal> {
        await withCheckedContinuation { continuation in
            let call = Call(continuation)
            let isQueued = self.enqueue {
                // Nobody waits for it any more.
                if call.isOver { return }
                call.finish(.success(body()))
            }
            guard isQueued else {
                call.finish(.failure(.full))
                return
            }
            DispatchQueue.global().asyncAfter(deadline: .now() + timeout.seconds) { call.finish(.failure(.timedOut)) }
        }
    }

    /// Calls that run now, and calls that wait for a thread; of both also those that nobody waits for any more.
    public var load: (busy: Int, queued: Int) {
        self.condition.lock()
        defer { self.condition.unlock() }
        return (self.busy, self.queue.count - self.head)
    }

    private func enqueue(_ job: @escaping @Sendable () -> Void) -> Bool {
        self.condition.lock()
        defer { self.condition.unlock() }
        guard self.queue.count - self.head < self.queueMax else { return false }
        self.queue.append(job)
        if self.idle > 0 {
            self.condition.signal()
        } else if self.threads < self.threadsMax {
            self.threads += 1
            let thread = Thread { self.work() }
            thread.name = self.name
            thread.start()
        }
        return true
    }

    private func work() {
        self.next(isFirst: true)()
        while true { self.next(isFirst: false)() }
    }

    private func next(isFirst: Bool) -> @Sendable () -> Void {
        self.condition.lock()
        defer { self.condition.unlock() }
        if !isFirst { self.busy -= 1 }
        while self.head == self.queue.count {
            self.idle += 1
            self.condition.wait()
            self.idle -= 1
        }
        self.busy += 1
        let job = self.queue[self.head]
        self.head += 1
        if self.head == self.queue.count {
            self.queue.removeAll(keepingCapacity: self.queue.capacity <= self.queueMax)
            self.head = 0
        }
        return job
    }
}

extension Duration {
    /// As Dispatch counts.
    fileprivate var seconds: Double {
        let (seconds, attoseconds) = self.components
        return Double(seconds) + Double(attoseconds) / 1e18
    }
}

/// One call, ended by whoever comes first: its answer or its deadline.
private final class Call<Value: Sendable>: Sendable {
    private let waiter: Mutex<CheckedContinuation<Result<Value, LaneRefusal>, Never>?>

    init(_ continuation: CheckedContinuation<Result<Value, LaneRefusal>, Never>) { self.waiter = Mutex(continuation) }

    var isOver: Bool { self.waiter.withLock { $0 == nil } }

    func finish(_ result: Result<Value, LaneRefusal>) {
        let waiter = self.waiter.withLock { waiter in
            defer { waiter = nil }
            return waiter
        }
        waiter?.resume(returning: result)
    }
}
