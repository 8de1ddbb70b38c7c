package import Logging
import Synchronization

/// The audit stream: the last records for the console, and a queue to the thread that writes the audit log.
///
/// Any thread may record; nobody ever waits for a target. What is mutable stands behind one lock, which is held for a
/// few stores; records are released outside of it.
package final class AuditTrail: Sendable {
    /// What the lock guards.
    struct State: Sendable {
        var ring: ContiguousArray<AuditRecord?> = []
        /// Records ever put into the ring; the newest stands at `recorded - 1` modulo its size.
        var recorded = 0
        var queue: ContiguousArray<AuditRecord> = []
        var queueMax = 0
        /// Records that found the queue full since the writer looked last.
        var overflow = 0
        var hasTarget = false
        /// What the writer shall use from now on.
        var nextOutput: AuditOutput?
        /// The writer shall write what it has, then use no target any more.
        var isOff = false
        var hasWriter = false
        var isStopping = false
    }

    /// A target that has been opened, and is not in use yet.
    package struct Prepared: Sendable {
        let options: AuditOptions
        let output: AuditOutput?
    }

    /// Records of one hold of the lock when the console looks.
    private static let glance = 256

    let state = Mutex(State())
    /// Set while the writer should look up from a target that takes nothing.
    let hasChange = Atomic<Bool>(false)
    let wake = AuditSignal()
    let hasEnded = AuditSignal()
    let log: Logger
    private let isActive = Atomic<Bool>(false)
    private let lost = Atomic<Int>(0)

    package init(log: Logger) { self.log = log }

    /// False when records would go nowhere: then none has to be made.
    package var isOn: Bool { self.isActive.load(ordering: .relaxed) }

    /// Records lost since start.
    package var droppedCount: Int { self.lost.load(ordering: .relaxed) }

    func countDropped(_ count: Int) { self.lost.add(count, ordering: .relaxed) }

    /// Records that the console can show now.
    package var entryCount: Int { self.state.withLock { min($0.recorded, $0.ring.count) } }

    /// Takes a record. Never waits: what does not fit is counted.
    package func record(_ record: AuditRecord) {
        let (mustWake, isLost, old) = self.state.withLock { state -> (Bool, Bool, AuditRecord?) in
            var old: AuditRecord?
            if !state.ring.isEmpty {
                let index = state.recorded % state.ring.count
                old = state.ring[index]
                state.ring[index] = record
                state.recorded += 1
            }
            guard state.hasTarget else { return (false, false, old) }
            guard state.queue.count < state.queueMax else {
                state.overflow += 1
                return (false, true, old)
            }
            state.queue.append(record)
            return (state.queue.count == 1, false, old)
        }
        // Released here, not under the lock.
        _ = old
        if isLost { self.countDropped(1) }
        if mustWake { self.wake.raise() }
    }

    /// The newest records first.
    ///
    /// - Parameter limit: how many at most.
    package func recent(_ limit: Int, where isWanted: (AuditRecord) -> Bool) -> [AuditRecord] {
        var found: [AuditRecord] = []
        var next = self.state.withLock { $0.recorded }
        while found.count < limit {
            let (batch, last) = self.state.withLock { state -> ([AuditRecord], Int) in
                let oldest = max(state.recorded - state.ring.count, 0)
                let end = max(next - Self.glance, oldest)
                guard next <= state.recorded, end < next else { return ([], oldest) }
                return ((end..<next).reversed().compactMap { state.ring[$0 % state.ring.count] }, end)
            }
            if batch.isEmpty { break }
            found += batch.lazy.filter(isWanted).prefix(limit - found.count)
            next = last
        }
        return found
    }

    // MARK: Settings

    /// Opens the target of new settings. Blocks on files: not for workers.
    package static func prepare(_ options: AuditOptions) throws(AuditTargetError) -> Prepared {
        guard let target = options.target else { return Prepared(options: options, output: nil) }
        return Prepared(options: options, output: try AuditOutput(target))
    }

    /// Puts settings in force. A file is the one that has the name now, so a reload ends a rotation.
    package func apply(_ prepared: Prepared) {
        let options = prepared.options
        let mustStart = self.state.withLock { state -> Bool in
            Self.resize(&state, to: options.entriesMax)
            state.queueMax = options.queueMax
            state.hasTarget = prepared.output != nil
            // A target that the writer has not seen yet stays for the records that came meanwhile.
            if let output = prepared.output { state.nextOutput = output }
            state.isOff = prepared.output == nil
            guard prepared.output != nil, !state.hasWriter else { return false }
            state.hasWriter = true
            return true
        }
        self.isActive.store(options.entriesMax > 0 || prepared.output != nil, ordering: .relaxed)
        self.hasChange.store(true, ordering: .releasing)
        if mustStart, !AuditWriter(trail: self).start() {
            self.state.withLock { state in
                state.hasWriter = false
                state.hasTarget = false
            }
            self.log.error("no thread for the audit log, nothing is written")
        }
        self.wake.raise()
    }

    /// Keeps the newest records that fit.
    private static func resize(_ state: inout State, to count: Int) {
        guard state.ring.count != count else { return }
        let kept = (max(state.recorded - min(state.ring.count, count), 0)..<state.recorded).compactMap { index in
            state.ring.isEmpty ? nil : state.ring[index % state.ring.count]
        }
        state.ring = ContiguousArray(repeating: nil, count: count)
        for (index, record) in kept.enumerated() { state.ring[index] = record }
        state.recorded = kept.count
    }

    /// Writes what is queued, then ends the writer. Waits at most so long; a target that takes nothing loses the rest.
    package func stop(timeoutMilliseconds: Int) {
        let hasWriter = self.state.withLock { state in
            state.isStopping = true
            state.hasTarget = false
            return state.hasWriter
        }
        guard hasWriter else { return }
        self.wake.raise()
        if !self.hasEnded.wait(milliseconds: timeoutMilliseconds) {
            self.log.error("the audit log takes no more, what was queued is lost")
        }
    }
}
