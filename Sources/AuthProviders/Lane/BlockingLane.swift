import DequeModule
import Dispatch
import Foundation
import Synchronization

/// Threads for calls that block: name look-ups, system libraries. A bounded number of threads, made when needed; a
/// bounded queue before them; a deadline for each call that somebody waits for, which takes no thread.
///
/// Any thread may call it. Everything mutable is guarded by `condition`.
public final class BlockingLane: @unchecked Sendable {
    private let name: String
    private let condition = NSCondition()
    private var threadsMax: Int
    private var queueMax: Int
    private var queue: Deque<any LaneCall> = []
    private var threads = 0
    private var idle = 0
    /// Calls that a thread is with.
    private var busy = 0
    private let startThread: @Sendable (String, @escaping @Sendable () -> Void) -> Bool
    /// The calls that have not been seen to be over, and when their time is.
    private var deadlines: [(call: any LaneCall, at: UInt64)] = []
    /// So many are looked through before one more comes.
    private var deadlinesMax = BlockingLane.deadlinesMin
    /// When their timer is due; nil without one.
    private var nextLook: UInt64?

    private static let deadlinesMin = 64

    /// - Parameters:
    ///   - name: of its threads.
    ///   - threads: calls that run at the same time; at least 1. Made when needed.
    ///   - queueMax: calls that may wait; at least 1.
    public convenience init(name: String, threads: Int, queueMax: Int) {
        self.init(name: name, threads: threads, queueMax: queueMax) { LaneThread.start(name: $0, $1) }
    }

    /// - Parameter startThread: runs a body on a new thread with a name; false when there is no thread to be had.
    package init(
        name: String,
        threads: Int,
        queueMax: Int,
        startThread: @escaping @Sendable (_ name: String, _ body: @escaping @Sendable () -> Void) -> Bool
    ) {
        self.name = name
        self.threadsMax = max(threads, 1)
        self.queueMax = max(queueMax, 1)
        self.startThread = startThread
    }

    /// Other limits from now on. Threads beyond them end when their call does; what waits stays.
    public func setLimits(threads: Int, queueMax: Int) {
        self.condition.lock()
        defer { self.condition.unlock() }
        self.threadsMax = max(threads, 1)
        self.queueMax = max(queueMax, 1)
        self.condition.broadcast()
    }

    /// What it does now.
    public var load: LaneLoad {
        self.condition.lock()
        defer { self.condition.unlock() }
        let queued = self.queue.count { !$0.isOver }
        return LaneLoad(busy: self.busy, queued: queued)
    }

    /// Runs `body` on a thread of the lane. At once `.full` when too many calls wait, and `.noThread` when there is no
    /// thread at all. A call whose task is cancelled ends at once; it does not run when it has not begun.
    public func run<Value: Sendable>(
        within timeout: Duration,
        _ body: @escaping @Sendable () -> Value
    ) async -> Result<Value, LaneRefusal> {
        let call = Call(body)
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                guard call.wait(continuation) else { return }
                if let refusal = self.enqueue(call, within: timeout) { call.finish(.failure(refusal)) }
            }
        } onCancel: {
            call.finish(.failure(.cancelled))
        }
    }

    /// Runs `body` on a thread of the lane, however long that takes, and waits for nothing.
    ///
    /// - Returns: why it will not run; nil when it will.
    package func start(_ body: @escaping @Sendable () -> Void) -> LaneRefusal? {
        self.enqueue(UnawaitedCall(body: body), within: nil)
    }

    /// Why it cannot wait; nil when it does.
    private func enqueue(_ call: any LaneCall, within timeout: Duration?) -> LaneRefusal? {
        self.condition.lock()
        defer { self.condition.unlock() }
        // For what is over nobody waits: it must not keep others out.
        if !self.hasRoom { self.queue.removeAll { $0.isOver } }
        guard self.hasRoom else { return .full }
        self.queue.append(call)
        if self.idle > 0 { self.condition.signal() }
        // Threads that have been woken count as idle until they run.
        if self.queue.count > self.idle, self.threads < self.threadsMax {
            self.threads += 1
            if !self.startThread(self.name, { self.work() }) {
                self.threads -= 1
                // Where there are others, one of them will come to it. The next call tries again.
                if self.threads == 0 {
                    self.queue.removeLast()
                    return .noThread
                }
            }
        }
        if let timeout {
            self.watch(call, until: (DispatchTime.now() + timeout.seconds).uptimeNanoseconds)
        }
        return nil
    }

    /// A call that a thread will take at once is no burden to the queue, even if the thread has yet to wake up.
    private var hasRoom: Bool {
        self.queue.count < self.queueMax + max(self.threadsMax - self.busy, 0)
    }

    // MARK: Deadlines

    /// One timer serves all calls: a timer for each would stay behind until its time is over, however early its call
    /// ends. With `condition` locked.
    private func watch(_ call: any LaneCall, until deadline: UInt64) {
        if self.deadlines.count >= self.deadlinesMax {
            self.deadlines.removeAll { $0.call.isOver }
            self.deadlinesMax = max(2 * self.deadlines.count, Self.deadlinesMin)
        }
        self.deadlines.append((call: call, at: deadline))
        if let nextLook = self.nextLook, nextLook <= deadline { return }
        self.look(at: deadline)
    }

    private func look(at moment: UInt64) {
        self.nextLook = moment
        DispatchQueue.global().asyncAfter(deadline: DispatchTime(uptimeNanoseconds: moment)) {
            for call in self.takeLateCalls(at: moment) { call.timeOut() }
        }
    }

    /// - Parameter moment: when the timer that asks was due.
    private func takeLateCalls(at moment: UInt64) -> [any LaneCall] {
        self.condition.lock()
        defer { self.condition.unlock() }
        let now = max(DispatchTime.now().uptimeNanoseconds, moment)
        let late = self.deadlines.filter { $0.at <= now }.map { $0.call }
        self.deadlines.removeAll { $0.at <= now || $0.call.isOver }
        // Others follow a timer that was due later, and has been overtaken by a call with less time.
        guard self.nextLook == moment else { return late }
        self.nextLook = nil
        if let next = self.deadlines.map({ $0.at }).min() { self.look(at: next) }
        return late
    }

    // MARK: Threads

    private func work() {
        while let call = self.next() {
            call.run()
            self.condition.lock()
            self.busy -= 1
            self.condition.unlock()
        }
    }

    /// nil when the thread is one too many.
    private func next() -> (any LaneCall)? {
        self.condition.lock()
        defer { self.condition.unlock() }
        while self.queue.isEmpty, self.threads <= self.threadsMax {
            self.idle += 1
            self.condition.wait()
            self.idle -= 1
        }
        if self.threads > self.threadsMax {
            self.threads -= 1
            return nil
        }
        self.busy += 1
        return self.queue.removeFirst()
    }
}

extension Duration {
    /// As Dispatch counts.
    var seconds: Double {
        let (seconds, attoseconds) = self.components
        return Double(seconds) + Double(attoseconds) / 1e18
    }
}

/// A call as its lane sees it.
private protocol LaneCall: Sendable {
    /// Nobody waits for it any more.
    var isOver: Bool { get }
    /// Blocks.
    func run()
    /// Its time is over; nothing when it has ended.
    func timeOut()
}

/// A call that nobody waits for.
private struct UnawaitedCall: LaneCall {
    let body: @Sendable () -> Void

    var isOver: Bool { false }
    func run() { self.body() }
    func timeOut() {}
}

/// One call, ended by whoever comes first: its answer, its deadline, or the end of the task that waits.
private final class Call<Value: Sendable>: LaneCall {
    private typealias Waiter = CheckedContinuation<Result<Value, LaneRefusal>, Never>

    private enum State {
        case new(@Sendable () -> Value)
        case waiting(Waiter, @Sendable () -> Value)
        case running(Waiter)
        case over
    }

    private let state: Mutex<State>

    init(_ body: @escaping @Sendable () -> Value) { self.state = Mutex(.new(body)) }

    var isOver: Bool {
        self.state.withLock { state in
            if case .over = state { true } else { false }
        }
    }

    /// False when the call has been cancelled already; then `waiter` has its answer.
    func wait(_ waiter: CheckedContinuation<Result<Value, LaneRefusal>, Never>) -> Bool {
        let isNew = self.state.withLock { state in
            guard case .new(let body) = state else { return false }
            state = .waiting(waiter, body)
            return true
        }
        if !isNew { waiter.resume(returning: .failure(.cancelled)) }
        return isNew
    }

    func run() {
        let body = self.state.withLock { state -> (@Sendable () -> Value)? in
            guard case .waiting(let waiter, let body) = state else { return nil }
            state = .running(waiter)
            return body
        }
        if let body { self.finish(.success(body())) }
    }

    func timeOut() { self.finish(.failure(.timedOut)) }

    /// What the body holds (a password, for one) goes with it.
    func finish(_ result: Result<Value, LaneRefusal>) {
        let waiter = self.state.withLock { state -> Waiter? in
            defer { state = .over }
            switch state {
            case .waiting(let waiter, _), .running(let waiter): return waiter
            case .new, .over: return nil
            }
        }
        waiter?.resume(returning: result)
    }
}
